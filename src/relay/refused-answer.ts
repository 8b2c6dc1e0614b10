/** Reads a host's refusal, up to a bound, and turns it into the gateway's error. */
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import type { Failure } from './failure.ts'
import { failureFromHost } from './host-error.ts'

/** An error page longer than this says nothing more. */
const bodyBytesMax = 65_536

export class RefusedAnswer implements AnswerReader {
  readonly isStream = false
  readonly #head: AnswerHead
  readonly #sink: AnswerSink
  readonly #chunks: Buffer[] = []
  #size = 0
  #over = false

  constructor(head: AnswerHead, sink: AnswerSink) {
    this.#head = head
    this.#sink = sink
  }

  data(chunk: Buffer): void {
    if (this.#over) return
    this.#size += chunk.length
    if (this.#size > bodyBytesMax) this.#finish('')
    else this.#chunks.push(chunk)
  }

  end(): void {
    this.#finish(Buffer.concat(this.#chunks).toString('utf8'))
  }

  broke(_failure: Failure): void {
    // The status alone says more than that its explanation broke off.
    this.#finish('')
  }

  #finish(body: string): void {
    if (this.#over) return
    this.#over = true
    const { status, mediaType, headers } = this.#head
    const retryAfter = headers['retry-after']
    this.#sink.fail(
      failureFromHost({ status, mediaType, body, retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter }),
    )
  }
}
