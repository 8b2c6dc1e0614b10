/** `/v1/responses`: read by hand in LMX, so its failures differ from all others. */

import type { AnswerRequest } from './answer.ts'
import { collect, eventStream, maxTokensOf, stream } from './answer.ts'
import type { Call } from './call.ts'
import { bypassOf, header, keyFits, refusedByFault, resolveModel } from './call.ts'
import { doneFrame } from './chat-frames.ts'
import { busyError, internalError, openAiError, plainServerError, unauthorized } from './errors.ts'
import { faultHeader } from './faults.ts'
import type { JsonObject } from './prompt.ts'
import { countedPromptWords, estimatedTokens, isObject, lastUserText, messagesOf, wordCount } from './prompt.ts'
import { spacedJson } from './python-json.ts'
import { ChunkedBody, sendJson, urlSafeToken } from './reply.ts'
import type { ToolStreamPart } from './tool-calls.ts'
import { ToolStream } from './tool-calls.ts'
import { parseJsonBody } from './validation.ts'

export async function responses(call: Call): Promise<void> {
  if (!keyFits(call)) return unauthorized(call.context)
  const parsed = parseJsonBody(call.body, undefined)
  if (!parsed.ok || !isObject(parsed.value)) {
    const message = 'Invalid JSON body.'
    return openAiError(call.context, 400, { message, type: 'invalid_request_error', code: 'invalid_json' })
  }
  const body = parsed.value
  call.entry.json = body
  // `float("warm")` raises outside every handler.
  if (!isPythonFloat(body['temperature'] ?? 0.7)) return plainServerError(call.context)
  const limitName = body['max_output_tokens'] === undefined ? 'max_tokens' : 'max_output_tokens'
  const limit = body[limitName] ?? null
  if (limit !== null && !(Number.isInteger(Number(limit)) && Number(limit) > 0)) {
    const message = `Invalid value for '${limitName}'. Expected a positive integer.`
    const error = { message, type: 'invalid_request_error', param: limitName, code: 'invalid_input' }
    return openAiError(call.context, 400, error)
  }
  const messages = messagesOf(body['input'] ?? '')
  const plan = call.host.faults.take(header(call, faultHeader), lastUserText(messages))
  if (refusedByFault(call, plan)) return
  const bypass = bypassOf(call)
  if (bypass === null) return
  const model = resolveModel(call, body['model'])
  if (model === null) return
  const request: AnswerRequest = { call, plan, model, messages, maxTokens: maxTokensOf(Number(limit)), body, bypass }
  await (body['stream'] === true ? streamed(request) : whole(request))
}

function isPythonFloat(value: unknown): boolean {
  return typeof value !== 'string' ? typeof value === 'number' : value.trim() !== '' && !Number.isNaN(Number(value))
}

async function whole(request: AnswerRequest): Promise<void> {
  const { call, messages } = request
  const { text, outcome } = await collect(request)
  if (outcome.kind === 'busy') return busyError(call.context)
  if (outcome.kind !== 'complete') return internalError(call.context)
  call.host.journal.count(call.entry, { prompt: countedPromptWords(messages), completion: wordCount(text) })
  const id = `resp-${urlSafeToken(16)}`
  sendJson(call.context, 200, { id, object: 'response', status: 'completed', output_text: text, output: [] })
}

const event = (name: string, data: unknown) => `event: ${name}\ndata: ${spacedJson(data)}\n\n`

async function streamed(request: AnswerRequest): Promise<void> {
  const { call, messages, body } = request
  const id = `resp-${urlSafeToken(16)}`
  const out = new ChunkedBody(call.context, { type: eventStream })
  out.frame(event('response.created', { id, object: 'response', status: 'in_progress' }))
  call.host.journal.count(call.entry, { prompt: estimatedTokens(messages), completion: 0 })
  const answer = new ResponseEvents()
  const tools = Array.isArray(body['tools']) ? new ToolStream() : null
  const outcome = await stream(request, {
    body: out,
    frame: (text) => (tools === null ? answer.text(text) : tools.feed(text).flatMap((part) => answer.part(part))),
  })
  if (outcome.kind === 'cut' || outcome.kind === 'cancelled') return
  // Nothing catches an error here: the connection ends inside the body.
  if (outcome.kind !== 'complete') return out.cut()
  for (const part of tools?.flush() ?? []) for (const frame of answer.part(part)) out.frame(frame)
  out.frame(event('response.completed', { id, object: 'response', status: 'completed', ...answer.result() }))
  out.frame(doneFrame)
  out.end()
}

class ResponseEvents {
  #text = ''
  readonly #output: JsonObject[] = []

  text(delta: string): string {
    this.#text += delta
    return event('response.output_text.delta', { delta })
  }

  part(part: ToolStreamPart): string[] {
    if ('text' in part) return [this.text(part.text)]
    const { id, name, arguments: text } = part.call
    this.#output.push({ type: 'function_call', id, name, arguments: text })
    return [
      event('response.output_item.added', { item: { type: 'function_call', id, name } }),
      event('response.function_call_arguments.delta', { item_id: id, delta: text }),
    ]
  }

  result(): JsonObject {
    return { output_text: this.#text === '' ? null : this.#text, output: this.#output }
  }
}
