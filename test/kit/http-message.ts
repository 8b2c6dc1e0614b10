/** Reads HTTP/1.1 messages from raw bytes as they arrive; strict, since what it reads is what is being tested. */

import { Changes } from './changes.ts'

export type MessageKind = 'request' | 'response'

type Framing = { kind: 'none' } | { kind: 'length'; left: number } | { kind: 'chunked' } | { kind: 'until-close' }

/** A part of the body that arrived in one read, chunk framing removed. */
export interface BodyPiece {
  atMs: number
  bytes: Buffer
}

export class HttpMessage {
  readonly startLine: string
  /** As on the wire: order, case and repeats kept. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly headAtMs: number
  readonly pieces: BodyPiece[] = []
  /** The end that the framing promises was seen: the final chunk, the last counted byte, or the close. */
  complete = false
  /** Why that will not come any more. */
  cutReason: string | undefined
  readonly #changes = new Changes()

  constructor(head: string, headAtMs: number) {
    const [startLine = '', ...lines] = head.split('\r\n')
    this.startLine = startLine
    this.headAtMs = headAtMs
    this.headers = lines.map((line) => {
      const colon = line.indexOf(':')
      if (colon < 1) throw new Error(`not a header line: ${JSON.stringify(line)}`)
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const
    })
  }

  /** Status of a response. */
  get status(): number {
    return Number(this.startLine.split(' ')[1])
  }

  /** Method and path of a request. */
  get method(): string {
    return this.startLine.split(' ')[0] ?? ''
  }

  get path(): string {
    return this.startLine.split(' ')[1] ?? ''
  }

  /** The body as far as it came. */
  get body(): Buffer {
    return Buffer.concat(this.pieces.map((piece) => piece.bytes))
  }

  /** It ended, and not as its framing promised. */
  get cut(): boolean {
    return this.cutReason !== undefined
  }

  get text(): string {
    return this.body.toString('utf8')
  }

  header(name: string): string | undefined {
    return this.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1]
  }

  /** Waits until `holds`; fails at once, not at the deadline, when the message ends without it. */
  async until(ms: number, label: string, holds: (message: this) => boolean): Promise<void> {
    await this.#changes.until(ms, label, () => holds(this) || this.complete || this.cut)
    if (holds(this)) return
    throw new Error(`${label} did not come (${this.cutReason ?? 'the message is whole'}); body: ${this.text}`)
  }

  /** Waits until the body holds `text`. */
  async has(text: string, ms = 5_000): Promise<void> {
    await this.until(ms, `the bytes ${JSON.stringify(text)}`, (message) => message.text.includes(text))
  }

  /** Waits for the end, whole or cut. */
  async over(ms = 5_000): Promise<void> {
    await this.#changes.until(ms, `the end of "${this.startLine}"`, () => this.complete || this.cut)
  }

  /** For the reader alone. */
  changed(): void {
    this.#changes.notify()
  }
}

/** What the reader expects next. */
type Place = 'head' | 'body' | 'chunk-size' | 'chunk-end' | 'trailers'

export class MessageReader {
  readonly messages: HttpMessage[] = []
  readonly #kind: MessageKind
  readonly #bodyless: boolean
  #place: Place = 'head'
  #framing: Framing = { kind: 'none' }
  #chunkLeft = 0
  #rest: Buffer = Buffer.alloc(0)

  /** `bodyless` is for answers to HEAD, which have a length and no body. */
  constructor(kind: MessageKind, options: { bodyless?: boolean } = {}) {
    this.#kind = kind
    this.#bodyless = options.bodyless ?? false
  }

  get #current(): HttpMessage | undefined {
    return this.messages.at(-1)
  }

  /** Throws when the bytes are not HTTP/1.1. */
  feed(bytes: Buffer, atMs: number): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    while (this.#step(atMs));
    this.#current?.changed()
  }

  /** The peer closed: an answer that lasts until then is whole, any other unfinished one is cut. */
  end(reason: string): void {
    const message = this.#current
    if (message === undefined || this.#place === 'head') return
    if (this.#framing.kind === 'until-close') message.complete = true
    else message.cutReason = reason
    this.#place = 'head'
    message.changed()
  }

  /** One move through the grammar; false when more bytes are needed. */
  #step(atMs: number): boolean {
    switch (this.#place) {
      case 'head':
        return this.#readHead(atMs)
      case 'body':
        return this.#readBody(atMs)
      case 'chunk-size':
        return this.#readChunkSize()
      case 'chunk-end':
        return this.#readChunkEnd()
      case 'trailers':
        return this.#readTrailer()
    }
  }

  #readHead(atMs: number): boolean {
    const end = this.#rest.indexOf('\r\n\r\n')
    if (end < 0) return false
    const message = new HttpMessage(this.#take(end + 4).toString('latin1', 0, end), atMs)
    this.messages.push(message)
    this.#framing = this.#framingOf(message)
    if (this.#framing.kind === 'chunked') this.#place = 'chunk-size'
    else if (this.#framing.kind === 'none') this.#finish()
    else this.#place = 'body'
    return true
  }

  /** RFC 9112, section 6.3. */
  #framingOf(message: HttpMessage): Framing {
    const { status } = message
    if (this.#kind === 'response' && (status < 200 || status === 204 || status === 304 || this.#bodyless))
      return { kind: 'none' }
    if (message.header('transfer-encoding')?.toLowerCase() === 'chunked') return { kind: 'chunked' }
    const length = message.header('content-length')
    if (length === undefined) return this.#kind === 'response' ? { kind: 'until-close' } : { kind: 'none' }
    if (!/^\d+$/.test(length)) throw new Error(`not a content-length: ${length}`)
    return length === '0' ? { kind: 'none' } : { kind: 'length', left: Number(length) }
  }

  #readBody(atMs: number): boolean {
    if (this.#rest.length === 0) return false
    if (this.#framing.kind === 'chunked') {
      this.#chunkLeft -= this.#takePiece(this.#chunkLeft, atMs)
      if (this.#chunkLeft === 0) this.#place = 'chunk-end'
    } else if (this.#framing.kind === 'length') {
      this.#framing.left -= this.#takePiece(this.#framing.left, atMs)
      if (this.#framing.left === 0) this.#finish()
    } else this.#takePiece(this.#rest.length, atMs)
    return true
  }

  #readChunkSize(): boolean {
    const line = this.#takeLine()
    if (line === undefined) return false
    const size = /^([0-9a-f]{1,8})(?:\s*;.*)?$/i.exec(line)?.[1]
    if (size === undefined) throw new Error(`not a chunk size: ${JSON.stringify(line)}`)
    this.#chunkLeft = Number.parseInt(size, 16)
    this.#place = this.#chunkLeft === 0 ? 'trailers' : 'body'
    return true
  }

  #readChunkEnd(): boolean {
    const line = this.#takeLine()
    if (line === undefined) return false
    if (line !== '') throw new Error(`a chunk is longer than its size: ${JSON.stringify(line)}`)
    this.#place = 'chunk-size'
    return true
  }

  #readTrailer(): boolean {
    const line = this.#takeLine()
    if (line === undefined) return false
    if (line === '') this.#finish()
    return true
  }

  #finish(): void {
    this.#place = 'head'
    const message = this.#current
    if (message === undefined) return
    message.complete = true
    message.changed()
  }

  #takePiece(atMost: number, atMs: number): number {
    const bytes = this.#take(Math.min(atMost, this.#rest.length))
    this.#current?.pieces.push({ atMs, bytes })
    return bytes.length
  }

  #takeLine(): string | undefined {
    const end = this.#rest.indexOf('\r\n')
    return end < 0 ? undefined : this.#take(end + 2).toString('latin1', 0, end)
  }

  #take(length: number): Buffer {
    const taken = this.#rest.subarray(0, length)
    this.#rest = this.#rest.subarray(length)
    return taken
  }
}
