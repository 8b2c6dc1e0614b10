/** Where the members of a JSON object stand in its bytes, so that one value can be replaced without touching the others. */

export interface Span {
  readonly start: number
  readonly end: number
}

export interface Member {
  readonly key: string
  readonly value: Span
}

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const COMMA = 44
const COLON = 58
const LIST_OPEN = 91
const BACKSLASH = 92
const LIST_CLOSE = 93
const OBJECT_OPEN = 123
const OBJECT_CLOSE = 125

/**
 * The members of the object that begins at or after `from`, in order, duplicates included.
 * The bytes must be valid JSON (have passed JSON.parse); text between the braces is skipped, not decoded.
 */
export function objectMembers(bytes: Buffer, from = 0): Member[] {
  const members: Member[] = []
  let at = skipSpace(bytes, from) + 1
  for (;;) {
    at = skipSpace(bytes, at)
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1)
    if (bytes[at] !== QUOTE) return members
    const keyEnd = skipString(bytes, at)
    const key = decodeKey(bytes, at, keyEnd)
    const colon = skipSpace(bytes, keyEnd)
    if (bytes[colon] !== COLON) return members
    const start = skipSpace(bytes, colon + 1)
    at = skipValue(bytes, start)
    members.push({ key, value: { start, end: at } })
  }
}

/** A key may be written with escapes: `"mod\u0065l"` is `model` to every JSON parser. */
function decodeKey(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start, end)
  return raw.includes('\\') ? String(JSON.parse(raw)) : raw.slice(1, -1)
}

/** The first place at or after `from` that is not insignificant whitespace. */
export function skipSpace(bytes: Buffer, from: number): number {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) break
  }
  return at
}

/** `start` is at the opening quote; returns the place behind the closing one. */
function skipString(bytes: Buffer, start: number): number {
  let at = start + 1
  // Text has few escapes, so a search finds its end fastest; text full of escaped quotes is walked byte by byte.
  for (let hops = 0; hops < 16; hops++) {
    const quote = bytes.indexOf(QUOTE, at)
    if (quote === -1) return bytes.length
    let slashes = 0
    while (bytes[quote - 1 - slashes] === BACKSLASH) slashes++
    at = quote + 1
    if (slashes % 2 === 0) return at
  }
  for (; at < bytes.length; at++) {
    if (bytes[at] === BACKSLASH) at++
    else if (bytes[at] === QUOTE) return at + 1
  }
  return bytes.length
}

function skipValue(bytes: Buffer, start: number): number {
  let depth = 0
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = skipString(bytes, at)
      if (depth === 0) return at
      continue
    }
    if (byte === OBJECT_OPEN || byte === LIST_OPEN) depth++
    else if (byte === OBJECT_CLOSE || byte === LIST_CLOSE) {
      // A number or word ends where the object around it does.
      if (depth === 0) return trimEnd(bytes, start, at)
      depth--
      if (depth === 0) return at + 1
    } else if (byte === COMMA && depth === 0) return trimEnd(bytes, start, at)
    at++
  }
  return at
}

function trimEnd(bytes: Buffer, start: number, end: number): number {
  let at = end
  while (at > start) {
    const byte = bytes[at - 1]
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) break
    at--
  }
  return at
}
