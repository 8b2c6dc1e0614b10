/** `/v1/messages`: Anthropic's dialect, always at normal priority. */

import type { AnswerRequest } from './answer.ts'
import { collect, eventStream, maxTokensOf, record, stream } from './answer.ts'
import type { Call } from './call.ts'
import { admitJson } from './call.ts'
import { anthropicError } from './errors.ts'
import type { JsonObject, Message } from './prompt.ts'
import { countedPromptWords, estimatedTokens, lastUserText, messagesOf, wordCount } from './prompt.ts'
import { asciiString, spacedJson } from './python-json.ts'
import { ChunkedBody, sendJson, urlSafeToken } from './reply.ts'

const maxTokensDefault = 4096

export async function messages(call: Call): Promise<void> {
  const admitted = admitJson(call, 'messages', (body) => lastUserText(conversation(body)))
  if (admitted === null) return
  const { body, plan } = admitted
  const asked = String(body['model'])
  const model = call.host.models.resolve(asked)
  if (model === null) return anthropicError(call.context, 404, 'not_found_error', `Model '${asked}' is not loaded`)
  const asInt = maxTokensOf(body['max_tokens'])
  const answerTokens = Math.min(maxTokensDefault, plan.answerTokens ?? call.host.options.answerTokens ?? 16)
  const request: AnswerRequest = {
    call,
    // Without a limit the engine gets 4096 here and not null; the double's engine still stops at its own length.
    plan: asInt === null ? { ...plan, answerTokens } : plan,
    model,
    messages: conversation(body),
    maxTokens: asInt ?? maxTokensDefault,
    body,
    bypass: false,
  }
  await (body['stream'] === true ? streamed(request) : whole(request))
}

function conversation(body: JsonObject): Message[] {
  const { system } = body as { system?: unknown }
  const rest = messagesOf(body['messages'])
  return typeof system === 'string' && system !== '' ? [{ role: 'system', text: system }, ...rest] : rest
}

async function whole(request: AnswerRequest): Promise<void> {
  const { call, model, maxTokens } = request
  const startedMs = call.host.clock.now()
  const { text, outcome } = await collect(request)
  if (outcome.kind !== 'complete') {
    record(request, { startedMs, prompt: 0, completion: 0, stream: false, error: true })
    // Even a full host is a 500 here.
    const why = outcome.kind === 'cut' || outcome.kind === 'cancelled' ? outcome.kind : outcome.text
    return anthropicError(call.context, 500, 'api_error', why.replace(/^Stream inference/, 'Inference'))
  }
  const usage = { prompt: countedPromptWords(request.messages), completion: wordCount(text) }
  call.host.journal.count(call.entry, usage)
  record(request, { startedMs, ...usage, stream: false, error: false })
  sendJson(call.context, 200, {
    id: `msg_${urlSafeToken(16)}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [{ type: 'text', text }],
    stop_reason: maxTokens !== null && usage.completion >= maxTokens ? 'length' : 'end_turn',
    stop_sequence: null,
    usage: { input_tokens: usage.prompt, output_tokens: usage.completion },
  })
}

const event = (data: { type: string } & JsonObject) => `event: ${data.type}\ndata: ${spacedJson(data)}\n\n`
const delta = (text: string) => event({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })

async function streamed(request: AnswerRequest): Promise<void> {
  const { call, model } = request
  const startedMs = call.host.clock.now()
  const prompt = estimatedTokens(request.messages)
  const out = new ChunkedBody(call.context, { type: eventStream })
  const usage = { input_tokens: prompt, output_tokens: 0 }
  const id = `msg_${urlSafeToken(16)}`
  const message = { id, type: 'message', role: 'assistant', model, content: [], stop_reason: null, usage }
  out.frame(event({ type: 'message_start', message }))
  out.frame(event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }))
  call.host.journal.count(call.entry, { prompt, completion: 0 })
  const [before = '', after = ''] = delta('\u0000').split(asciiString('\u0000'))
  const outcome = await stream(request, {
    body: out,
    frame: (text) => before + asciiString(text) + after,
    rawFrame: (text) => before + JSON.stringify(text) + after,
  })
  const completion = call.entry.tokens
  const error = outcome.kind !== 'complete' && outcome.kind !== 'cancelled'
  record(request, { startedMs, prompt, completion, stream: true, error })
  if (outcome.kind === 'cut' || outcome.kind === 'cancelled') return
  // Nothing catches an error here: the connection ends inside the body.
  if (outcome.kind !== 'complete') return out.cut()
  out.frame(event({ type: 'content_block_stop', index: 0 }))
  const end = { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: completion } }
  out.frame(event(end))
  out.frame(event({ type: 'message_stop' }))
  out.end()
}
