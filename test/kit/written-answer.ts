/** What a host wrote for one request, read as the answer that it is, as far as it is HTTP. */
import { type HttpMessage, MessageReader } from './http-message.ts'

/** Hosts that pour for ever are not kept. */
const bytesMax = 1_048_576

export class WrittenAnswer {
  /** Not all of what was written is in `text`. */
  cut = false
  readonly #reader = new MessageReader('response')
  #bytes = 0

  /** An answer as its head and its framing have it. */
  get whole(): boolean {
    return !this.cut && this.#answer?.complete === true
  }

  /** Undefined while there is no head. */
  get isStream(): boolean | undefined {
    return this.#answer?.header('content-type')?.startsWith('text/event-stream')
  }

  /** The body without its framing. */
  get text(): string {
    return this.#answer?.text ?? ''
  }

  take(bytes: string | Uint8Array): void {
    if (this.cut) return
    const taken =
      typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.#bytes += taken.length
    if (this.#bytes > bytesMax) this.cut = true
    else this.#read(taken)
  }

  end(): void {
    this.#reader.end('the host ended the connection')
  }

  /** What came before it, 100 to 199, is no answer. */
  get #answer(): HttpMessage | undefined {
    return this.#reader.messages.find(({ status }) => status >= 200)
  }

  #read(bytes: Buffer): void {
    try {
      this.#reader.feed(bytes, 0)
    } catch {
      // Hosts of chaos write what is not HTTP; what came before it was.
      this.cut = true
    }
  }
}
