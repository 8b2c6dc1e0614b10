/** Reads a chat completion request; what it does not name is ignored, as inference servers do. */

import type { Message } from './engine.ts'

export interface ChatRequest {
  readonly model: string
  readonly messages: readonly Message[]
  readonly stream: boolean
  readonly includeUsage: boolean
  /** Null where the client did not say. */
  readonly tokensMax: number | null
  readonly temperature: number
  readonly topP: number
  readonly seed: number
  /** `ignore_eos`, an extension that llama.cpp's own server and vLLM know too. */
  readonly ignoreEnd: boolean
}

/** A refusal, in the words and with the status that OpenAI clients understand. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly status: number
  readonly code: string | null

  constructor(status: number, message: string, code: string | null = null) {
    super(message)
    this.status = status
    this.code = code
  }
}

export function readChatRequest(bytes: Buffer): ChatRequest {
  const body = parseObject(bytes)
  if (typeof body['model'] !== 'string') throw new RequestError(400, 'model must be a string')
  if (number(body, 'n', { min: 1, whole: true }, 1) !== 1) {
    throw new RequestError(400, 'this server gives one answer a request')
  }
  const tokensMax = number(body, body['max_completion_tokens'] == null ? 'max_tokens' : 'max_completion_tokens', {
    min: 1,
    whole: true,
  })
  const streamOptions = body['stream_options']
  return {
    model: body['model'],
    messages: readMessages(body['messages']),
    stream: body['stream'] === true,
    includeUsage: isObject(streamOptions) && streamOptions['include_usage'] === true,
    tokensMax,
    temperature: number(body, 'temperature', { min: 0 }, 1),
    topP: number(body, 'top_p', { min: 0 }, 1),
    seed: number(body, 'seed', { min: 0, whole: true }, Math.floor(Math.random() * 2 ** 31)),
    ignoreEnd: body['ignore_eos'] === true,
  }
}

function readMessages(value: unknown): Message[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw new RequestError(400, 'messages must be a list of at least one message')
  }
  return value.map((message: unknown) => {
    if (!isObject(message) || typeof message['role'] !== 'string') {
      throw new RequestError(400, 'every message must have a role')
    }
    return { role: message['role'], content: readContent(message['content']) }
  })
}

/** A string, or a list of text parts. */
function readContent(value: unknown): string {
  if (typeof value === 'string') return value
  const parts: unknown[] = Array.isArray(value) ? value : [value]
  return parts
    .map((part) => {
      if (isObject(part) && typeof part['text'] === 'string') return part['text']
      throw new RequestError(400, 'content must be text')
    })
    .join('')
}

interface NumberRule {
  readonly min: number
  readonly whole?: boolean
}

function number(body: Record<string, unknown>, name: string, rule: NumberRule): number | null
function number(body: Record<string, unknown>, name: string, rule: NumberRule, absent: number): number
function number(body: Record<string, unknown>, name: string, rule: NumberRule, absent: number | null = null) {
  const value = body[name]
  if (value === undefined || value === null) return absent
  if (typeof value !== 'number' || value < rule.min || (rule.whole === true && !Number.isInteger(value))) {
    throw new RequestError(400, `${name} must be a ${rule.whole === true ? 'whole ' : ''}number from ${rule.min}`)
  }
  return value
}

function parseObject(bytes: Buffer): Record<string, unknown> {
  let body: unknown
  try {
    body = JSON.parse(bytes.toString('utf8'))
  } catch {
    throw new RequestError(400, 'the body is not JSON')
  }
  if (!isObject(body)) throw new RequestError(400, 'the body must be an object')
  return body
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
