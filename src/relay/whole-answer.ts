/** Relays an answer that is not a stream: held until whole where it is JSON of a bearable size, else passed on as it comes. */
import { GatewayError } from '../base/errors.ts'
import { headersToClient } from '../wire/headers.ts'
import { parseJson, property } from '../wire/json-value.ts'
import { type ReportedUsage, usageInTail } from '../wire/usage.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { errorFromHostObject } from './host-error.ts'

/** Usage stands at the end of every dialect's answer, behind it at most timings and a few flags. */
const tailBytesMax = 16_384

export interface WholeAnswerParts {
  readonly head: AnswerHead
  readonly sink: AnswerSink
  readonly holdBytesMax: number
  readonly onUsage: (usage: ReportedUsage) => void
  /** For dialects whose answers can be referred to later. */
  readonly onResponseId: ((id: string) => void) | null
}

export class WholeAnswer implements AnswerReader {
  readonly #parts: WholeAnswerParts
  readonly #isJson: boolean
  #held: Buffer[] = []
  #heldBytes = 0
  #tail: Buffer = Buffer.alloc(0)
  #committed = false

  constructor(parts: WholeAnswerParts) {
    this.#parts = parts
    this.#isJson = parts.head.mediaType === 'application/json'
  }

  data(chunk: Buffer): void {
    if (this.#committed) {
      this.#pass(chunk)
      return
    }
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (!this.#isJson || this.#heldBytes > this.#parts.holdBytesMax) {
      this.#commit(this.#parts.head.headers['content-length'])
      for (const piece of this.#held.splice(0)) this.#pass(piece)
    }
  }

  end(): void {
    const { sink } = this.#parts
    if (this.#committed) {
      this.#readUsage(this.#tail)
      sink.complete()
      return
    }
    const body = this.#held.length === 1 && this.#held[0] ? this.#held[0] : Buffer.concat(this.#held)
    const error = this.#isJson ? this.#disguisedError(body) : null
    if (error !== null) {
      sink.fail(error)
      return
    }
    this.#readUsage(body)
    this.#commit(String(body.length))
    sink.complete(body)
  }

  broke(error: GatewayError): void {
    this.#parts.sink.fail(error)
  }

  #commit(contentLength: string | string[] | undefined): void {
    this.#committed = true
    const headers = headersToClient(this.#parts.head.headers)
    // With the length announced, an answer that breaks off is visibly short.
    if (typeof contentLength === 'string') headers['content-length'] = contentLength
    this.#parts.sink.commit(this.#parts.head.status, headers)
  }

  #pass(chunk: Buffer): void {
    this.#parts.sink.write(chunk)
    if (!this.#isJson) return
    const joined = chunk.length >= tailBytesMax ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = joined.subarray(Math.max(0, joined.length - tailBytesMax))
  }

  #readUsage(bytes: Buffer): void {
    if (!this.#isJson) return
    const usage = usageInTail(bytes)
    if (usage !== null) this.#parts.onUsage(usage)
    if (this.#parts.onResponseId === null) return
    const id = property(parseJson(bytes.toString('utf8')), 'id')
    if (typeof id === 'string') this.#parts.onResponseId(id)
  }

  /** Some servers tell an error under status 200. */
  #disguisedError(body: Buffer): GatewayError | null {
    if (!/^\s*\{\s*"error"\s*:\s*[{"]/.test(body.toString('latin1', 0, 64))) return null
    const answer = parseJson(body.toString('utf8'))
    if (answer === undefined) return new GatewayError('upstream_bad_response', 'The host answered with broken JSON.')
    return errorFromHostObject(property(answer, 'error'))
  }
}
