/** A number of tokens as it stands in a body, read as those hosts read it that make the most of it. */
import type { Span } from './json-members.ts'

export interface TokenBound {
  /** A whole number from 1 on; null for all else, of which the host may make what it will: to some 0 is no bound. */
  readonly tokens: number | null
  /** The same in quotes: hosts in Python take it for the number, others for none. */
  readonly inQuotes: number | null
}

/** To hosts in Python a number is never too large to count; and one that was taken for none would be no bound. */
export const boundMost = Number.MAX_SAFE_INTEGER

const none: TokenBound = { tokens: null, inQuotes: null }
const QUOTE = 34
/** What Python makes a whole number of. */
const wholeText = /^\s*\+?(\d[\d_]*)(?:\.0*)?\s*$/

/** However long it is written: 4000.000… is 4,000 to whoever reads all of it. */
export function tokensAt(bytes: Buffer, span: Span | undefined): TokenBound {
  if (span === undefined) return none
  const { start, end } = span
  const first = bytes[start]
  if (first === QUOTE) return { tokens: null, inQuotes: counted(textOf(bytes.toString('utf8', start, end))) }
  return { tokens: isDigit(first) ? counted(bytes.toString('latin1', start, end)) : null, inQuotes: null }
}

function counted(text: string | null): number | null {
  const value = text === null ? Number.NaN : Number(text)
  if (value > boundMost) return boundMost
  return Number.isInteger(value) && value > 0 ? value : null
}

/** Null where it is no whole number, or no JSON, which is for the host to say. */
function textOf(quoted: string): string | null {
  try {
    const digits = wholeText.exec(String(JSON.parse(quoted)))?.[1]
    return digits?.replaceAll('_', '') ?? null
  } catch {
    return null
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57
}
