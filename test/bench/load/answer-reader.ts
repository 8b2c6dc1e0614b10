/** Reads answers off a connection, one after the other: no more of HTTP/1.1 than hosts and proxies of the benchmark write. */

export interface AnswerSink {
  head(status: number): void
  /** A piece of the body, without its framing; the bytes are read over after the call. */
  body(bytes: Buffer, from: number, to: number): void
  /** The answer is whole. */
  end(): void
}

type State = 'head' | 'length' | 'size' | 'data' | 'after data' | 'trailer'

const lineFeed = 10

export class AnswerReader {
  readonly #sink: AnswerSink
  #state: State = 'head'
  /** A head, or a line, that is not all there yet. */
  #text = ''
  /** Bytes to come, of the body or of its chunk. */
  #left = 0

  constructor(sink: AnswerSink) {
    this.#sink = sink
  }

  /** Throws where this is no answer that it knows. */
  read(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) at = this.#step(bytes, at)
  }

  #step(bytes: Buffer, at: number): number {
    switch (this.#state) {
      case 'head':
        return this.#head(bytes, at)
      case 'length':
      case 'data':
        return this.#data(bytes, at)
      case 'after data':
        if (bytes[at] === lineFeed) this.#state = 'size'
        return at + 1
      case 'size':
      case 'trailer':
        return this.#line(bytes, at)
    }
  }

  #head(bytes: Buffer, at: number): number {
    const before = this.#text.length
    const text = this.#text + bytes.toString('latin1', at)
    const end = text.indexOf('\r\n\r\n')
    if (end < 0) {
      this.#text = text
      return bytes.length
    }
    this.#text = ''
    const head = text.slice(0, end).toLowerCase()
    this.#sink.head(Number(head.slice(9, 12)))
    const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1]
    if (length !== undefined) {
      this.#left = Number(length)
      this.#state = 'length'
      if (this.#left === 0) this.#end()
    } else if (/\r\ntransfer-encoding: *chunked/.test(head)) this.#state = 'size'
    else throw new Error(`an answer without a length: ${head}`)
    return at + end + 4 - before
  }

  #data(bytes: Buffer, at: number): number {
    const to = Math.min(bytes.length, at + this.#left)
    this.#left -= to - at
    const whole = this.#left === 0
    const chunked = this.#state === 'data'
    this.#sink.body(bytes, at, to)
    if (whole && chunked) this.#state = 'after data'
    else if (whole) this.#end()
    return to
  }

  /** The size of a chunk, or what may follow the last one. */
  #line(bytes: Buffer, at: number): number {
    const end = bytes.indexOf(lineFeed, at)
    this.#text += bytes.toString('latin1', at, end < 0 ? bytes.length : end)
    if (end < 0) return bytes.length
    const line = this.#text.trim()
    this.#text = ''
    if (this.#state === 'trailer') {
      if (line === '') this.#end()
      return end + 1
    }
    this.#left = Number.parseInt(line, 16)
    if (Number.isNaN(this.#left)) throw new Error(`"${line}" is no size of a chunk`)
    this.#state = this.#left === 0 ? 'trailer' : 'data'
    return end + 1
  }

  #end(): void {
    this.#state = 'head'
    this.#sink.end()
  }
}
