/** How each dialect's streams are read: which keys decide, what ends an answer, and how a frame's data is parsed. */
import type { DialectName } from './endpoints.ts'
import { compileKeys, type KeyTable, type MarkedKey, mark } from './sse-scanner.ts'

export interface Dialect {
  readonly name: DialectName
  readonly keys: KeyTable
  /** Names of events that end an answer well; empty where `finish_reason` and `[DONE]` do. */
  readonly finalEvents: ReadonlySet<string>
  /** The frame by which the gateway ends a complete answer whose host forgot its own; null where there is none. */
  readonly lastFrame: string | null
  /** One whole frame that tells an error after content went out; `error` is the dialect's JSON error body. */
  errorFrame(error: string): string
}

const text = (...keys: string[]): MarkedKey[] => keys.map((key) => ({ key, form: 'text', mark: mark.content }))
const usageAndError: MarkedKey[] = [
  { key: 'usage', form: 'object', mark: mark.usage },
  { key: 'error', form: 'object', mark: mark.error },
  { key: 'error', form: 'text', mark: mark.error },
]
// Some servers write an empty reason into every frame.
const finishReason: MarkedKey = { key: 'finish_reason', form: 'text', mark: mark.finish }

const dataFrame = (error: string): string => `data: ${error}\n\n`
const eventFrame = (error: string): string => `event: error\ndata: ${error}\n\n`
const none: ReadonlySet<string> = new Set()

const chat: Dialect = {
  name: 'chat',
  // Reasoning has two spellings in the field; `function_call` is the old form of a tool call.
  keys: compileKeys([
    ...text('content', 'reasoning_content', 'reasoning', 'refusal'),
    { key: 'tool_calls', form: 'list', mark: mark.content },
    { key: 'function_call', form: 'object', mark: mark.content },
    ...usageAndError,
    finishReason,
  ]),
  finalEvents: none,
  lastFrame: 'data: [DONE]\n\n',
  errorFrame: dataFrame,
}

const completions: Dialect = {
  ...chat,
  name: 'completions',
  keys: compileKeys([...text('text'), ...usageAndError, finishReason]),
}

const responses: Dialect = {
  name: 'responses',
  keys: compileKeys([...text('delta'), ...usageAndError]),
  finalEvents: new Set(['response.completed', 'response.incomplete']),
  lastFrame: null,
  errorFrame: dataFrame,
}

const messages: Dialect = {
  name: 'messages',
  keys: compileKeys([...text('text', 'thinking', 'partial_json'), ...usageAndError]),
  finalEvents: new Set(['message_stop']),
  lastFrame: null,
  errorFrame: eventFrame,
}

/** Streams of endpoints that have none by themselves, such as a speech stream: frames pass, nothing is read. */
const unread: Dialect = {
  name: 'none',
  keys: compileKeys([{ key: 'error', form: 'object', mark: mark.error }]),
  finalEvents: none,
  lastFrame: null,
  errorFrame: dataFrame,
}

export const dialects: Readonly<Record<DialectName, Dialect>> = {
  chat,
  completions,
  responses,
  messages,
  none: unread,
}

/** The name on the frame's `event:` line, or null. */
export function eventName(frame: Buffer): string | null {
  const line = frame.toString('latin1', 0, Math.min(frame.length, 128))
  return /^(?:\uFEFF|\xEF\xBB\xBF)?\n?event: ?([^\r\n]*)/.exec(line)?.[1] ?? null
}

/** The frame's `data:` lines joined as the SSE rules say, parsed; undefined when that is not JSON. */
export function frameJson(frame: Buffer): unknown {
  const decoded = frame.toString('utf8')
  const lines = (decoded.startsWith('\uFEFF') ? decoded.slice(1) : decoded).split(/\r\n|\n|\r/)
  const data: string[] = []
  for (const line of lines) {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
  }
  try {
    return JSON.parse(data.join('\n'))
  } catch {
    return undefined
  }
}
