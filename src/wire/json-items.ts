/** Walks through the items of a JSON list in its bytes. */
import { skipSpace } from './json-members.ts'

const QUOTE = 34
const COMMA = 44
const LIST_OPEN = 91
const BACKSLASH = 92
const LIST_CLOSE = 93
const OBJECT_OPEN = 123
const OBJECT_CLOSE = 125
/** A longer string is left to the search of the runtime, which is faster but not for nothing. */
const shortStringBytes = 32

/**
 * Stands on one item after the other, of a list whose strings are closed and whose brackets match, as `MemberCursor` has
 * seen of every value. What stands between two commas is an item, be it JSON or not.
 */
export class ItemCursor {
  start = 0
  end = 0
  readonly #bytes: Buffer
  #at: number
  #over = false

  /** `from` is at the opening bracket. */
  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes
    this.#at = from + 1
  }

  next(): boolean {
    if (this.#over) return false
    const bytes = this.#bytes
    this.start = skipSpace(bytes, this.#at)
    const stop = valueStop(bytes, this.start)
    this.#over = bytes[stop] !== COMMA
    this.#at = stop + 1
    this.end = stop
    while (this.end > this.start && isSpace(bytes[this.end - 1])) this.end--
    // Behind the last comma of a list that is none of JSON, and in an empty one, there is no item.
    return this.end > this.start || !this.#over
  }
}

/** At the comma or bracket behind the value that begins at `start`; of JSON that was read already. */
export function valueStop(bytes: Buffer, start: number): number {
  let depth = 0
  let at = start
  while (at < bytes.length) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at = behindString(bytes, at)
      continue
    }
    if (byte === OBJECT_OPEN || byte === LIST_OPEN) depth++
    else if (byte === OBJECT_CLOSE || byte === LIST_CLOSE) {
      if (depth === 0) return at
      depth--
    } else if (byte === COMMA && depth === 0) return at
    at++
  }
  return at
}

/** `start` is at the opening quote. */
function behindString(bytes: Buffer, start: number): number {
  let at = start + 1
  for (;;) {
    // Byte by byte at first, and again behind each quote that is part of the string: where there is one there are many.
    const near = Math.min(bytes.length, at + shortStringBytes)
    while (at < near) {
      const byte = bytes[at]
      if (byte === QUOTE) return at + 1
      at += byte === BACKSLASH ? 2 : 1
    }
    // From here on at the quotes alone: one with an odd number of backslashes before it is part of the string.
    const from = at
    at = bytes.indexOf(QUOTE, at)
    if (at === -1) return bytes.length
    let first = at
    while (first > from && bytes[first - 1] === BACKSLASH) first--
    at++
    if ((at - 1 - first) % 2 === 0) return at
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}
