/** The receipt of its speed that a client may ask for: what it asks by, and how it is told. */
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
  durationMs: null,
  usage: null,
  host: null,
  attempts: 0,
}

/** Asks for one, and in an answer that is no stream tells it. */
const receiptHeader = 'x-lmx-gateway-receipt'

/** Anything else than a clear yes is none: an answer without a receipt is as good. */
export function wantsReceipt(headers: HeaderFields): boolean {
  const wish = headers[receiptHeader]
  return wish === '1' || wish === 'true'
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
const decimals: Readonly<Record<string, number>> = { tokensPerSecond: 2, timePerOutputTokenMs: 3 }

/** On one line and in ASCII, as a header must be; what is no number, such as a speed over no time, is null. */
function json(receipt: SpeedReceipt): string {
  const { host } = receipt
  const bounded = { ...receipt, host: host === null ? null : host.slice(0, hostCharsMax) }
  const text = JSON.stringify(bounded, (key, value: unknown) => {
    return typeof value === 'number' ? Number(value.toFixed(decimals[key] ?? 1)) : value
  })
  return text.replace(/[^\x20-\x7E]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
