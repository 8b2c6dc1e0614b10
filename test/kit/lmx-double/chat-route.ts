/** `/v1/chat/completions`. */

import type { AnswerRequest } from './answer.ts'
import { collect, eventStream, maxTokensOf, record, stream, unixSeconds } from './answer.ts'
import type { Admitted, Call } from './call.ts'
import { admitJson, bypassOf, resolveModel } from './call.ts'
import type { StreamIdentity } from './chat-frames.ts'
import { ChatFrames, doneFrame } from './chat-frames.ts'
import { busyError, internalError } from './errors.ts'
import type { Outcome } from './generation.ts'
import type { JsonObject } from './prompt.ts'
import { countedPromptWords, estimatedTokens, isObject, lastUserText, messagesOf, wordCount } from './prompt.ts'
import { ChunkedBody, sendJson, urlSafeToken } from './reply.ts'
import { ToolStream, toolCallsIn } from './tool-calls.ts'

export async function chatCompletions(call: Call): Promise<void> {
  const admitted = admitJson(call, 'chat', (body) => lastUserText(messagesOf(body['messages'])))
  if (admitted === null) return
  const model = resolveModel(call, admitted.body['model'])
  if (model === null) return
  const bypass = bypassOf(call)
  if (bypass === null) return
  const request = answerRequest(call, admitted, { model, bypass })
  await (admitted.body['stream'] === true ? streamed(request) : whole(request))
}

function answerRequest(call: Call, { body, plan }: Admitted, found: { model: string; bypass: boolean }): AnswerRequest {
  return {
    call,
    plan,
    body,
    ...found,
    messages: messagesOf(body['messages']),
    maxTokens: maxTokensOf(body['max_tokens']),
  }
}

async function whole(request: AnswerRequest): Promise<void> {
  const { call, model, messages, maxTokens, body } = request
  const startedMs = call.host.clock.now()
  const choices: JsonObject[] = []
  const usage = { prompt: 0, completion: 0 }
  for (let index = 0; index < choiceCount(body); index += 1) {
    const { text, outcome } = await collect(request)
    if (outcome.kind !== 'complete') {
      record(request, { startedMs, prompt: 0, completion: 0, stream: false, error: true })
      return outcome.kind === 'busy' ? busyError(call.context) : internalError(call.context)
    }
    const completion = wordCount(text)
    usage.prompt += countedPromptWords(messages)
    usage.completion += completion
    choices.push({ index, ...messageAndReason(text, body, maxTokens !== null && completion >= maxTokens) })
  }
  if (namesLogprobs(body)) for (const choice of choices) choice['logprobs'] = null
  call.host.journal.count(call.entry, usage)
  record(request, { startedMs, ...usage, stream: false, error: false })
  sendJson(call.context, 200, {
    id: `chatcmpl-${urlSafeToken(16)}`,
    object: 'chat.completion',
    created: unixSeconds(call),
    model,
    choices,
    usage: {
      prompt_tokens: usage.prompt,
      completion_tokens: usage.completion,
      total_tokens: usage.prompt + usage.completion,
    },
  })
}

function messageAndReason(text: string, body: JsonObject, reachedLimit: boolean): JsonObject {
  const parsed = Array.isArray(body['tools']) ? toolCallsIn(text) : null
  const message = { role: 'assistant', content: parsed === null ? text : parsed.content, tool_calls: null as unknown }
  if (parsed === null) return { message, finish_reason: reachedLimit ? 'length' : 'stop' }
  message.tool_calls = parsed.calls.map((call) => {
    return { id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }
  })
  return { message, finish_reason: 'tool_calls' }
}

async function streamed(request: AnswerRequest): Promise<void> {
  const { call, model, messages, body } = request
  const startedMs = call.host.clock.now()
  const identity: StreamIdentity = {
    id: `chatcmpl-${urlSafeToken(16)}`,
    created: unixSeconds(call),
    model,
    logprobs: namesLogprobs(body),
  }
  const out = new ChunkedBody(call.context, { type: eventStream })
  const prompt = estimatedTokens(messages)
  const count = choiceCount(body)
  const usage = { prompt: 0, completion: 0 }
  let failed = false
  for (let index = 0; index < count; index += 1) {
    usage.prompt += prompt
    call.host.journal.count(call.entry, { prompt, completion: 0 })
    const before = call.entry.tokens
    const outcome = await streamChoice(request, out, new ChatFrames(identity, index))
    usage.completion += call.entry.tokens - before
    failed = outcome.kind !== 'complete' && outcome.kind !== 'cancelled'
    if (outcome.kind === 'cut' || outcome.kind === 'cancelled') break
  }
  record(request, { startedMs, ...usage, stream: true, error: failed })
  const options = body['stream_options']
  if (isObject(options) && options['include_usage'] === true) {
    out.textFrame(new ChatFrames(identity, 0).usage(usage.prompt, usage.completion))
  }
  out.frame(doneFrame)
  out.end()
}

/** Role, chunks, whatever went wrong as text, finish: the status is 200 long before a slot is free. */
async function streamChoice(request: AnswerRequest, out: ChunkedBody, frames: ChatFrames): Promise<Outcome> {
  const { body, maxTokens, call } = request
  const before = call.entry.tokens
  out.frame(frames.role())
  const tools = Array.isArray(body['tools']) ? new ToolStream() : null
  const outcome = await stream(request, {
    body: out,
    frame: tools === null ? (text) => frames.content(text) : (text) => toolFrames(tools.feed(text), frames),
    rawFrame: (text) => frames.rawContent(text),
  })
  if (outcome.kind === 'cut' || outcome.kind === 'cancelled') return outcome
  for (const frame of toolFrames(tools?.flush() ?? [], frames)) out.frame(frame)
  if (outcome.kind !== 'complete') out.frame(frames.content(`\n\n[Error: ${outcome.text}]`))
  // Only the path for several choices hands the limit to LMX's formatter.
  const reachedLimit = choiceCount(body) > 1 && maxTokens !== null && call.entry.tokens - before >= maxTokens
  const reason = reachedLimit ? 'length' : 'stop'
  out.frame(frames.finish(tools?.sawCalls === true ? 'tool_calls' : reason))
  return outcome
}

function toolFrames(parts: ReturnType<ToolStream['feed']>, frames: ChatFrames): string[] {
  return parts.map((part) => ('text' in part ? frames.content(part.text) : frames.tool(part.call, part.index)))
}

function choiceCount(body: JsonObject): number {
  return typeof body['n'] === 'number' ? body['n'] : 1
}

function namesLogprobs(body: JsonObject): boolean {
  return body['logprobs'] === true || typeof body['top_logprobs'] === 'number'
}
