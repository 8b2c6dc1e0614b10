/**
 * Cuts a byte stream into whole SSE frames and notes, in the same pass, which decisive JSON keys each frame carries.
 *
 * No byte is decoded or copied but an unfinished tail. In valid JSON the closing quote of a key is never escaped while a
 * quote inside a string always is, so the bytes quote-colon end a real key and nothing in a text can imitate one.
 * Frames end at an empty line; lines end in LF, CR LF or CR (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */

/** What a frame carries, as bits of `SseScanner.marks`. */
export const mark = {
  /** Generated text, reasoning, or a tool call: a value that is not empty. */
  content: 1,
  /** A `usage` object. */
  usage: 2,
  /** A `finish_reason` that is not null. */
  finish: 4,
  /** An `error` object or text. */
  error: 8,
  /** The data is `[DONE]`. */
  done: 16,
  /** The data stands on several lines, so a key and its value may be apart: only parsing tells. */
  severalLines: 32,
} as const

/** A key counts when its value begins like this: a string or array that is not empty, an object, or any string. */
type ValueForm = 'text' | 'list' | 'object' | 'string'

export interface MarkedKey {
  readonly key: string
  readonly form: ValueForm
  readonly mark: number
}

interface CompiledKey {
  readonly bytes: Buffer
  readonly form: ValueForm
  readonly mark: number
}

/** Keys by their last byte, so that nearly every key of a frame is dismissed by one look. */
export type KeyTable = readonly (readonly CompiledKey[] | undefined)[]

export function compileKeys(keys: readonly MarkedKey[]): KeyTable {
  const table: CompiledKey[][] = []
  for (const { key, form, mark: bit } of keys) {
    const bytes = Buffer.from(`"${key}"`)
    const last = bytes[bytes.length - 2] ?? 0
    ;(table[last] ??= []).push({ bytes, form, mark: bit })
  }
  return table
}

const LF = 10
const CR = 13
const SPACE = 32
const QUOTE = 34
const COLON = 58
const LIST_OPEN = 91
const LIST_CLOSE = 93
const OBJECT_OPEN = 123
const LETTER_D = 100
const empty = Buffer.alloc(0)
const doneText = Buffer.from('[DONE]')
/** `data: [DONE]` with a byte order mark, a space and the longest line ends. */
const doneFrameBytesMax = 24

export class FrameTooLargeError extends Error {
  override readonly name = 'FrameTooLargeError'
}

export class SseScanner {
  /** The bytes that `frameStart` and `frameEnd` point into; valid until the next `feed`. */
  buffer: Buffer = empty
  frameStart = 0
  frameEnd = 0
  marks = 0

  readonly #keys: KeyTable
  readonly #frameBytesMax: number
  /** Bytes of `buffer` that hold data: while a frame is unfinished the buffer is grown ahead of need. */
  #end = 0
  #at = 0
  #lineStart = 0
  #dataLines = 0
  #marksSoFar = 0
  /** The last frame ended in CR, so an LF right behind it is the other half of that line end. */
  #endedInCr = false

  constructor(keys: KeyTable, frameBytesMax: number) {
    this.#keys = keys
    this.#frameBytesMax = frameBytesMax
  }

  /** Takes the next bytes; call `next` until it is false before feeding again. */
  feed(chunk: Buffer): void {
    const tailStart = this.frameEnd
    const tailBytes = this.#end - tailStart
    if (tailBytes === 0) {
      this.buffer = chunk
      this.#end = chunk.length
      this.#rebase(0, 0)
      return
    }
    const needed = tailBytes + chunk.length
    if (tailStart > 0 || needed > this.buffer.length) {
      // Grown ahead of need, so that a frame that drips in byte by byte is not copied at each byte.
      const grown = Buffer.allocUnsafe(Math.max(needed, tailBytes * 2))
      this.buffer.copy(grown, 0, tailStart, this.#end)
      this.buffer = grown
      this.#rebase(this.#at - tailStart, this.#lineStart - tailStart)
    }
    chunk.copy(this.buffer, tailBytes)
    this.#end = needed
  }

  /** Moves to the next whole frame; false when the rest is unfinished. Throws FrameTooLargeError past its bound. */
  next(): boolean {
    const { buffer } = this
    const end = this.#end
    if (this.frameEnd > this.frameStart) this.#beginFrame()
    let i = this.#at
    for (; i < end; i++) {
      const byte = buffer[i]
      if (byte === COLON) {
        if (buffer[i - 1] === QUOTE && i > this.frameStart && !this.#markKey(i)) break
      } else if (byte === LF || byte === CR) {
        if (this.#endLine(i, byte)) return true
      }
    }
    this.#at = i
    this.#checkSize(end)
    return false
  }

  /** The bytes of an unfinished frame. */
  rest(): Buffer {
    return this.buffer.subarray(this.frameEnd, this.#end)
  }

  #rebase(at: number, lineStart: number): void {
    this.frameStart = 0
    this.frameEnd = 0
    this.#at = at
    this.#lineStart = lineStart
  }

  #beginFrame(): void {
    this.frameStart = this.frameEnd
    this.#at = this.frameEnd
    this.#lineStart = this.frameEnd
    this.#dataLines = 0
    this.#marksSoFar = 0
  }

  /** True when the line that ends at `i` was empty, so a frame is whole. */
  #endLine(i: number, byte: number): boolean {
    if (byte === LF && (i > this.frameStart ? this.buffer[i - 1] === CR : this.#endedInCr)) {
      // The second half of CR LF: the line has ended already.
      this.#lineStart = i + 1
      return false
    }
    if (i !== this.#lineStart) {
      if (this.buffer[this.#lineStart] === LETTER_D) this.#dataLines++
      this.#lineStart = i + 1
      return false
    }
    let frameEnd = i + 1
    if (byte === CR && frameEnd < this.#end && this.buffer[frameEnd] === LF) frameEnd++
    this.#finishFrame(frameEnd)
    return true
  }

  #checkSize(end: number): void {
    if (end - this.frameStart > this.#frameBytesMax) {
      throw new FrameTooLargeError(`an SSE frame exceeds ${this.#frameBytesMax} bytes`)
    }
  }

  #finishFrame(frameEnd: number): void {
    this.#checkSize(frameEnd)
    this.#endedInCr = this.buffer[frameEnd - 1] === CR
    this.frameEnd = frameEnd
    this.#at = frameEnd
    this.#lineStart = frameEnd
    this.marks = this.#marksSoFar
    if (this.#dataLines > 1) this.marks |= mark.severalLines
    if (this.marks === 0 && frameEnd - this.frameStart <= doneFrameBytesMax && this.#dataLines === 1) {
      if (this.buffer.subarray(this.frameStart, frameEnd).includes(doneText)) this.marks = mark.done
    }
  }

  /** Looks at the key that ends before the colon at `i`; false when the bytes that decide have not arrived yet. */
  #markKey(i: number): boolean {
    const candidates = this.#keys[this.buffer[i - 2] ?? 0]
    if (candidates === undefined) return true
    for (const candidate of candidates) {
      const start = i - candidate.bytes.length
      if (start < this.frameStart || !this.#equals(start, candidate.bytes)) continue
      let value = i + 1
      while (value < this.#end && this.buffer[value] === SPACE) value++
      if (value + 1 >= this.#end) return false
      if (this.#hasForm(value, candidate.form)) this.#marksSoFar |= candidate.mark
      return true
    }
    return true
  }

  #equals(start: number, bytes: Buffer): boolean {
    for (let k = 0; k < bytes.length; k++) if (this.buffer[start + k] !== bytes[k]) return false
    return true
  }

  #hasForm(at: number, form: ValueForm): boolean {
    const first = this.buffer[at]
    switch (form) {
      case 'text':
        return first === QUOTE && this.buffer[at + 1] !== QUOTE
      case 'list':
        return first === LIST_OPEN && this.buffer[at + 1] !== LIST_CLOSE
      case 'object':
        return first === OBJECT_OPEN
      case 'string':
        return first === QUOTE
    }
  }
}
