/**
 * Cuts a byte stream into whole SSE frames and notes, in the same pass, which decisive JSON keys each frame carries.
 *
 * No byte is decoded or copied but an unfinished tail. In valid JSON the closing quote of a key is never escaped while a
 * quote inside a string always is, so the bytes quote-colon end a real key and nothing in a text can imitate one.
 * Only `data:` lines are looked at. Frames end at an empty line; lines end in LF, CR LF or CR (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 */

/** What a frame carries, as bits of `SseScanner.marks`. */
export const mark = {
  /** Generated text, reasoning, or a tool call: a value that is not empty. */
  content: 1,
  /** A `usage` object. */
  usage: 2,
  /** A `finish_reason` that says something. */
  finish: 4,
  /** An `error` object or text. */
  error: 8,
  /** The data is `[DONE]`. */
  done: 16,
  /** The data stands on several lines, so a key and its value may be apart: only parsing tells. */
  severalLines: 32,
} as const

/** A key counts when its value begins like this: a string or array that is not empty, or an object. */
type ValueForm = 'text' | 'list' | 'object'

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
/** First of the three bytes of a byte order mark. */
const BOM_FIRST = 0xef
const empty = Buffer.alloc(0)
const dataField = Buffer.from('data:')
const doneText = Buffer.from('[DONE]')
/** No JSON writer puts more spaces behind a key; a host that drips in a million of them is not followed. */
const valueSpacesMax = 8

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
  /** The last line end was CR LF, so a CR at the end of a read is half of another one. */
  #linesEndInCrLf = false

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
        if (byte === CR && this.#isHalfOfFrameEnd(i)) break
        if (this.#endLine(i, byte)) return true
      }
    }
    this.#at = i
    this.#checkSize(end)
    return false
  }

  /** How many bytes of an unfinished frame there are. */
  get restBytes(): number {
    return this.#end - this.frameEnd
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

  /** Cut here, a frame would go out without its last byte; behind the last frame of all that byte would be lost. */
  #isHalfOfFrameEnd(i: number): boolean {
    return this.#linesEndInCrLf && i === this.#lineStart && i + 1 === this.#end
  }

  /** True when the line that ends at `i` was empty, so a frame is whole. */
  #endLine(i: number, byte: number): boolean {
    if (byte === LF && (i > this.frameStart ? this.buffer[i - 1] === CR : this.#endedInCr)) {
      // The second half of CR LF: the line has ended already.
      this.#linesEndInCrLf = true
      this.#lineStart = i + 1
      return false
    }
    if (i !== this.#lineStart) {
      this.#countData()
      this.#linesEndInCrLf = false
      this.#lineStart = i + 1
      return false
    }
    this.#linesEndInCrLf = byte === CR && i + 1 < this.#end && this.buffer[i + 1] === LF
    this.#finishFrame(this.#linesEndInCrLf ? i + 2 : i + 1)
    return true
  }

  #countData(): void {
    const data = this.#dataStart()
    if (data === -1) return
    this.#dataLines++
    // As the OpenAI clients read it: what follows on the line does not matter.
    const value = this.buffer[data] === SPACE ? data + 1 : data
    if (this.#equals(value, doneText)) this.#marksSoFar = mark.done
  }

  /** The place behind `data:` in the current line; -1 in a line of another field and in a comment. */
  #dataStart(): number {
    const start = this.buffer[this.#lineStart] === BOM_FIRST ? this.#lineStart + 3 : this.#lineStart
    return this.#equals(start, dataField) ? start + dataField.length : -1
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
  }

  /** Looks at the key that ends before the colon at `i`; false when the bytes that decide have not arrived yet. */
  #markKey(i: number): boolean {
    const candidates = this.#keys[this.buffer[i - 2] ?? 0]
    if (candidates === undefined) return true
    for (const candidate of candidates) {
      const start = i - candidate.bytes.length
      if (start < this.frameStart || !this.#equals(start, candidate.bytes)) continue
      const value = this.#valueStart(i + 1)
      if (value + 1 >= this.#end) return false
      if (this.#hasForm(value, candidate.form) && this.#dataStart() !== -1) this.#marksSoFar |= candidate.mark
    }
    return true
  }

  #valueStart(from: number): number {
    const last = Math.min(this.#end, from + valueSpacesMax)
    let at = from
    while (at < last && this.buffer[at] === SPACE) at++
    return at
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
    }
  }
}
