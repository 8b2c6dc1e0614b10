/** One connection of the generator, and what is asked on it: a request at a time, its answer held to what was asked. */
import { connect, type Socket } from 'node:net'
import { AnswerReader } from './answer-reader.ts'
import { nowNs } from './token-event.ts'
import { TokenStream } from './token-stream.ts'

/** What is heard of an answer. */
export interface Listener {
  /** `atNs`: when the read began that brought it. */
  token(stampNs: number, atNs: number): void
  /** A read that had tokens in it. */
  read(): void
  /** `problem`: null where it came as it should. */
  ended(problem: string | null): void
}

export interface Asked {
  readonly request: Buffer
  /** Tokens of the stream; null for an answer that is none. */
  readonly tokens: number | null
}

/** All connections read into it, each to the end before the next. */
const readBuffer = Buffer.allocUnsafe(65_536)

export class Client {
  readonly #socket: Socket
  readonly #reader: AnswerReader
  readonly #onIdle: (client: Client) => void
  #asked: Asked | null = null
  #listener: Listener | null = null
  #stream: TokenStream | null = null
  #status = 0
  #atNs = 0

  /** `onIdle` is called whenever it may be asked again; never once it is closed. */
  constructor(port: number, onIdle: (client: Client) => void) {
    this.#onIdle = onIdle
    this.#reader = new AnswerReader({
      head: (status) => (this.#status = status),
      body: (bytes, from, to) => this.#stream?.read(bytes, from, to),
      end: () => this.#whole(),
    })
    const onread = { buffer: readBuffer, callback: (length: number) => this.#read(length) }
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread })
    this.#socket.on('error', (error) => this.#fail(error.message))
    this.#socket.on('close', () => this.#fail('the connection was closed before the answer was whole'))
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  ask(asked: Asked, listener: Listener): void {
    this.#asked = asked
    this.#listener = listener
    this.#stream =
      asked.tokens === null ? null : new TokenStream((stampNs) => this.#listener?.token(stampNs, this.#atNs))
    this.#socket.write(asked.request)
  }

  /** Leaves without a word, and hears nothing more. */
  leave(): void {
    this.#listener = null
    this.#socket.destroy()
  }

  #read(length: number): boolean {
    this.#atNs = nowNs()
    const before = this.#stream?.tokens ?? 0
    const listener = this.#listener
    try {
      this.#reader.read(readBuffer.subarray(0, length))
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error))
      this.#socket.destroy()
    }
    if ((this.#stream?.tokens ?? 0) > before) listener?.read()
    return true
  }

  #whole(): void {
    const { tokens } = this.#asked ?? { tokens: null }
    const stream = this.#stream
    const end = this.#listener
    this.#listener = null
    if (this.#status !== 200) end?.ended(`status ${this.#status}`)
    else if (stream === null) end?.ended(null)
    else if (stream.tokens !== tokens) end?.ended(`${stream.tokens} tokens instead of ${tokens}`)
    else end?.ended(stream.isDone ? null : 'no [DONE]')
    if (!this.isClosed) this.#onIdle(this)
  }

  #fail(problem: string): void {
    const listener = this.#listener
    this.#listener = null
    listener?.ended(problem)
  }
}
