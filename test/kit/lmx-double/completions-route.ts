/** `/v1/completions`. */

import type { AnswerRequest } from './answer.ts'
import { collect, eventStream, maxTokensOf, record, stream, unixSeconds } from './answer.ts'
import type { Call } from './call.ts'
import { admitJson, bypassOf, resolveModel } from './call.ts'
import { doneFrame } from './chat-frames.ts'
import { busyError, internalError, openAiError } from './errors.ts'
import type { JsonObject } from './prompt.ts'
import { countedPromptWords, estimatedTokens, wordCount } from './prompt.ts'
import { asciiString, spacedJson } from './python-json.ts'
import { ChunkedBody, sendJson, urlSafeToken } from './reply.ts'

export async function completions(call: Call): Promise<void> {
  const admitted = admitJson(call, 'completions', (body) => promptsOf(body).at(-1) ?? '')
  if (admitted === null) return
  const { body, plan } = admitted
  const model = resolveModel(call, body['model'])
  if (model === null) return
  if (promptsOf(body).length === 0) {
    const message = 'Prompt must not be empty'
    return openAiError(call.context, 400, {
      message,
      type: 'invalid_request_error',
      param: 'prompt',
      code: 'invalid_input',
    })
  }
  const bypass = bypassOf(call)
  if (bypass === null) return
  const n = typeof body['n'] === 'number' ? body['n'] : 1
  const maxTokens = maxTokensOf(body['max_tokens'])
  const requests = promptsOf(body).flatMap((text): AnswerRequest[] => {
    const request = { call, plan, model, body, bypass, maxTokens, messages: [{ role: 'user', text }] }
    return Array.from({ length: n }, () => request)
  })
  await (body['stream'] === true ? streamed(call, requests) : whole(call, requests))
}

async function whole(call: Call, requests: readonly AnswerRequest[]): Promise<void> {
  const startedMs = call.host.clock.now()
  const choices: JsonObject[] = []
  const usage = { prompt: 0, completion: 0 }
  const [first] = requests
  if (first === undefined) return
  for (const [index, request] of requests.entries()) {
    const { text, outcome } = await collect(request)
    if (outcome.kind !== 'complete') {
      record(request, { startedMs, prompt: 0, completion: 0, stream: false, error: true })
      return outcome.kind === 'busy' ? busyError(call.context) : internalError(call.context)
    }
    const completion = wordCount(text)
    usage.prompt += countedPromptWords(request.messages)
    usage.completion += completion
    const reason = request.maxTokens !== null && completion >= request.maxTokens ? 'length' : 'stop'
    choices.push({ text: echoed(request) + text + suffixOf(request), index, logprobs: null, finish_reason: reason })
  }
  call.host.journal.count(call.entry, usage)
  record(first, { startedMs, ...usage, stream: false, error: false })
  sendJson(call.context, 200, {
    id: `cmpl-${urlSafeToken(16)}`,
    object: 'text_completion',
    created: unixSeconds(call),
    model: first.model,
    choices,
    usage: {
      prompt_tokens: usage.prompt,
      completion_tokens: usage.completion,
      total_tokens: usage.prompt + usage.completion,
    },
  })
}

async function streamed(call: Call, requests: readonly AnswerRequest[]): Promise<void> {
  const startedMs = call.host.clock.now()
  const id = `cmpl-${urlSafeToken(16)}`
  const created = unixSeconds(call)
  const out = new ChunkedBody(call.context, { type: eventStream })
  const usage = { prompt: 0, completion: 0 }
  const [first] = requests
  if (first === undefined) return
  for (const [index, request] of requests.entries()) {
    const frame = (text: string, reason: string | null = null) => {
      const choice = { text, index, logprobs: null, finish_reason: reason }
      return `data: ${spacedJson({ id, object: 'text_completion', created, model: request.model, choices: [choice] })}\n\n`
    }
    const [before = '', after = ''] = frame('\u0000').split(asciiString('\u0000'))
    const prompt = estimatedTokens(request.messages)
    usage.prompt += prompt
    call.host.journal.count(call.entry, { prompt, completion: 0 })
    const tokensBefore = call.entry.tokens
    out.frame(frame(echoed(request)))
    const outcome = await stream(request, {
      body: out,
      frame: (text) => before + asciiString(text) + after,
      rawFrame: (text) => before + JSON.stringify(text) + after,
    })
    const made = call.entry.tokens - tokensBefore
    usage.completion += made
    if (outcome.kind === 'cut' || outcome.kind === 'cancelled') return
    // LMX counts only answers that did not fail against the limit here.
    const reachedLimit = outcome.kind === 'complete' && request.maxTokens !== null && made >= request.maxTokens
    if (outcome.kind !== 'complete') out.frame(frame(`\n\n[Error: ${outcome.text}]`))
    out.frame(frame(suffixOf(request), reachedLimit ? 'length' : 'stop'))
  }
  record(first, { startedMs, ...usage, stream: true, error: false })
  out.frame(doneFrame)
  out.end()
}

function promptsOf(body: JsonObject): string[] {
  const { prompt } = body as { prompt?: unknown }
  if (typeof prompt === 'string') return [prompt]
  return Array.isArray(prompt) ? prompt.filter((item): item is string => typeof item === 'string') : []
}

function echoed(request: AnswerRequest): string {
  return request.body['echo'] === true ? (request.messages[0]?.text ?? '') : ''
}

function suffixOf(request: AnswerRequest): string {
  const { suffix } = request.body as { suffix?: unknown }
  return typeof suffix === 'string' ? suffix : ''
}
