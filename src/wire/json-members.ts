/** Walks through the members of a JSON object in its bytes: one pass that makes nothing of what nobody asks for. */
import { GatewayError } from '../base/errors.ts'

export interface Span {
  readonly start: number
  readonly end: number
}

/** No request needs as much, and hosts with a recursive parser break on more. The outermost object is the first level. */
export const jsonDepthMax = 64

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const PLUS = 43
const COMMA = 44
const MINUS = 45
const DOT = 46
const ZERO = 48
const NINE = 57
const COLON = 58
const UPPER_E = 69
const LIST_OPEN = 91
const BACKSLASH = 92
const LIST_CLOSE = 93
const LOWER_E = 101
const OBJECT_OPEN = 123
const OBJECT_CLOSE = 125

const literals = ['true', 'false', 'null']

/** The brackets that the open ones of one value ask for, outermost first; for one value at a time, since it is read in one go. */
const closers = new Uint8Array(jsonDepthMax)

/**
 * Stands on one member after the other, duplicates included; its four places are those of the present one.
 *
 * Throws GatewayError `invalid_json` unless keys, colons and commas are where they belong, strings are closed, brackets
 * match, and words and numbers of the object itself are those of JSON. What stands inside of a string or of a nested
 * value is the host's affair: the gateway checks what it reads.
 */
export class MemberCursor {
  /** At the opening quote of the key. */
  keyStart = 0
  keyEnd = 0
  valueStart = 0
  valueEnd = 0
  /** Of a list, its items; of an object, its members; of anything else, none. */
  valueItems = 0
  /** Members so far. */
  count = 0
  readonly #bytes: Buffer
  #at: number

  /** `from` is at the opening brace. */
  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes
    this.#at = from + 1
  }

  /** Behind the object, once `next` has returned false. */
  get end(): number {
    return this.#at
  }

  next(): boolean {
    const bytes = this.#bytes
    let at = skipSpace(bytes, this.#at)
    if (bytes[at] === OBJECT_CLOSE) {
      this.#at = at + 1
      return false
    }
    if (this.count > 0) {
      if (bytes[at] !== COMMA) throw notJson(at)
      at = skipSpace(bytes, at + 1)
    }
    if (bytes[at] !== QUOTE) throw notJson(at)
    this.keyStart = at
    this.keyEnd = stringEnd(bytes, at)
    at = skipSpace(bytes, this.keyEnd)
    if (bytes[at] !== COLON) throw notJson(at)
    this.valueStart = skipSpace(bytes, at + 1)
    this.valueEnd = this.#valueEnd(this.valueStart)
    this.#at = this.valueEnd
    this.count++
    return true
  }

  #valueEnd(start: number): number {
    const byte = this.#bytes[start]
    this.valueItems = 0
    if (byte === QUOTE) return stringEnd(this.#bytes, start)
    if (byte === OBJECT_OPEN || byte === LIST_OPEN) return this.#nestedEnd(start)
    return byte === MINUS || isDigit(byte) ? numberEnd(this.#bytes, start) : literalEnd(this.#bytes, start)
  }

  #nestedEnd(start: number): number {
    const bytes = this.#bytes
    // The object that is walked through is open too.
    let depth = 1
    let commas = 0
    for (let at = start; at < bytes.length; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) at = stringEnd(bytes, at) - 1
      else if (byte === OBJECT_OPEN || byte === LIST_OPEN) {
        if (depth === jsonDepthMax) throw tooDeep()
        // In ASCII each closing bracket is two behind the opening one.
        closers[depth++] = byte + 2
      } else if (byte === OBJECT_CLOSE || byte === LIST_CLOSE) {
        if (closers[--depth] !== byte) throw notJson(at)
        if (depth === 1) {
          this.valueItems = commas + Number(skipSpace(bytes, start + 1) !== at)
          return at + 1
        }
      } else if (byte === COMMA) commas += Number(depth === 2)
    }
    throw notJson(bytes.length)
  }
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

export function notJson(at: number): GatewayError {
  return new GatewayError('invalid_json', `The request body is not valid JSON: see byte ${at}.`)
}

function tooDeep(): GatewayError {
  return new GatewayError('invalid_json', `The request body is nested deeper than ${jsonDepthMax} levels.`)
}

/** Looked through byte by byte before the rest is searched: most strings are shorter, and many escapes would make a search of each. */
const lookedThroughBytes = 256

/** `start` is at the opening quote; returns the place behind the closing one. */
export function stringEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  while (at < bytes.length) {
    const until = Math.min(bytes.length, at + lookedThroughBytes)
    for (; at < until; at++) {
      const byte = bytes[at]
      if (byte === QUOTE) return at + 1
      if (byte === BACKSLASH) at++
    }
    const quote = bytes.indexOf(QUOTE, at)
    if (quote === -1) break
    if (!isEscaped(bytes, quote, at)) return quote + 1
    at = quote + 1
  }
  throw notJson(bytes.length)
}

/** `from` is in the same string and is not escaped itself. */
function isEscaped(bytes: Buffer, at: number, from: number): boolean {
  let before = at - 1
  while (before >= from && bytes[before] === BACKSLASH) before--
  return (at - before) % 2 === 0
}

function literalEnd(bytes: Buffer, start: number): number {
  const word = literals.find((literal) => literal.charCodeAt(0) === bytes[start])
  if (word === undefined) throw notJson(start)
  for (let index = 1; index < word.length; index++) {
    if (bytes[start + index] !== word.charCodeAt(index)) throw notJson(start)
  }
  return start + word.length
}

/** RFC 8259 section 6: no zero before a digit, a digit on both sides of the dot, and one in the exponent. */
function numberEnd(bytes: Buffer, start: number): number {
  let at = bytes[start] === MINUS ? start + 1 : start
  at = bytes[at] === ZERO ? at + 1 : digitsEnd(bytes, at)
  if (bytes[at] === DOT) at = digitsEnd(bytes, at + 1)
  if (bytes[at] === LOWER_E || bytes[at] === UPPER_E) {
    const sign = bytes[at + 1]
    at = digitsEnd(bytes, sign === PLUS || sign === MINUS ? at + 2 : at + 1)
  }
  return at
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start
  while (isDigit(bytes[at])) at++
  if (at === start) throw notJson(at)
  return at
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE
}
