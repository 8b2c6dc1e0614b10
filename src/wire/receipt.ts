/** The receipt of its speed that a client may ask for: what it asks by, and how it is told. */
import { GatewayError } from '../base/errors.ts'
import type { HeaderFields } from './headers.ts'

/** Null for what cannot be told. Times in ms. */
export interface SpeedReceipt {
  readonly queueMs: number | null
  /** From accepting the request to its first content; null for an answer that was not streamed, like the next. */
  readonly ttftMs: number | null
  readonly upstreamTtftMs: number | null
  /** Prompt, cached part included. */
  readonly inputTokens: number | null
  readonly cachedInputTokens: number | null
  readonly outputTokens: number | null
  /** Of the stream while it decoded: 1 / timePerOutputTokenMs. */
  readonly tokensPerSecond: number | null
  readonly timePerOutputTokenMs: number | null
  /** Of any answer: outputTokens / durationMs, what users call its speed. */
  readonly endToEndTokensPerSecond: number | null
  /** Until the answer was whole here; its client has yet to take the rest of it. */
  readonly durationMs: number | null
  /** Where the counts come from. */
  readonly usage: string | null
  readonly host: string | null
  readonly attempts: number
}

/** Nothing of it is known; also the order in which it is told. */
export const untoldReceipt: SpeedReceipt = {
  queueMs: null,
  ttftMs: null,
  upstreamTtftMs: null,
  inputTokens: null,
  cachedInputTokens: null,
  outputTokens: null,
  tokensPerSecond: null,
  timePerOutputTokenMs: null,
  endToEndTokensPerSecond: null,
  durationMs: null,
  usage: null,
  host: null,
  attempts: 0,
}

/** Asks for one, and in an answer that is no stream tells it. */
const receiptHeader = 'x-lmx-gateway-receipt'

/** Throws a GatewayError for a wish that is neither a clear yes nor a clear no. */
export function wantsReceipt(headers: HeaderFields): boolean {
  const wish = headers[receiptHeader]
  if (wish === undefined || wish === '0' || wish === 'false') return false
  if (wish === '1' || wish === 'true') return true
  const message = `The header ${receiptHeader} must be 1 or 0.`
  throw new GatewayError('invalid_request', message, { param: receiptHeader })
}

/** The last comment of a stream. Its empty line is for those who read a stream block by block, so that what follows is a block of its own. */
export function receiptComment(receipt: SpeedReceipt): string {
  return `: lmx-gateway-receipt ${json(receipt)}\n\n`
}

export function receiptHeaders(receipt: SpeedReceipt): Record<string, string> {
  return { [receiptHeader]: json(receipt) }
}

const hostCharsMax = 64
/** Of all else that has a fraction: tenths of a millisecond. */
const decimals: Readonly<Record<string, number>> = {
  tokensPerSecond: 2,
  timePerOutputTokenMs: 3,
  endToEndTokensPerSecond: 2,
}

/** On one line and in ASCII, as a header must be; what is no number, such as a speed over no time, is null. */
function json(receipt: SpeedReceipt): string {
  const { host } = receipt
  const bounded = { ...receipt, host: host === null ? null : host.slice(0, hostCharsMax) }
  const text = JSON.stringify(bounded, (key, value: unknown) => {
    return typeof value === 'number' ? Number(value.toFixed(decimals[key] ?? 1)) : value
  })
  return text.replace(/[^\x20-\x7E]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
