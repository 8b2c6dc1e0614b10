/** Relays an answer that is not a stream: held until whole where it is JSON of a bearable size, else passed on as it comes. */
import { GatewayError } from '../base/errors.ts'
import type { Meter } from '../metering/meter.ts'
import { headersToClient } from '../wire/headers.ts'
import { JsonEnd } from '../wire/json-end.ts'
import { parseJson, property } from '../wire/json-value.ts'
import { usageInTail } from '../wire/usage.ts'
import type { AnswerHead, AnswerReader, AnswerSink } from './answer-reader.ts'
import { Failure, truncated } from './failure.ts'
import { failureFromHostObject } from './host-error.ts'
import type { Receipt } from './receipt.ts'

/** Usage stands at the end of every dialect's answer, behind it at most timings and a few flags. */
const tailBytesMax = 16_384

export interface WholeAnswerParts {
  readonly head: AnswerHead
  readonly sink: AnswerSink
  readonly holdBytesMax: number
  readonly meter: Pick<Meter, 'report' | 'passed'>
  /** It is text that was generated, so that what goes on before it is whole counts by its bytes. */
  readonly isGenerated: boolean
  /** For dialects whose answers can be referred to later. */
  readonly onResponseId: ((id: string) => void) | null
  /** Null where none is asked for. */
  readonly receipt: Receipt | null
}

export class WholeAnswer implements AnswerReader {
  readonly #parts: WholeAnswerParts
  readonly isStream = false
  readonly #isJson: boolean
  /** Where only the end of the connection ends it, or a host says that half of it is all, the brackets tell. */
  readonly #jsonEnd = new JsonEnd()
  #held: Buffer[] = none
  #heldBytes = 0
  #tail = noBytes
  #committed = false
  /** What is still to come of the announced length. */
  #leftBytes = Infinity

  constructor(parts: WholeAnswerParts) {
    this.#parts = parts
    this.#isJson = parts.head.mediaType === 'application/json'
  }

  data(chunk: Buffer): void {
    if (this.#committed) {
      this.#pass(chunk)
      return
    }
    // One piece is what most answers come in.
    if (this.#held === none) this.#held = [chunk]
    else this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (!this.#isJson || this.#heldBytes > this.#parts.holdBytesMax) {
      this.#tellId(idAtStart(Buffer.concat(this.#held)))
      this.#commit(this.#parts.head.headers['content-length'], false)
      for (const piece of this.#held) this.#pass(piece)
      this.#held = none
    }
  }

  end(): void {
    const { sink } = this.#parts
    if (this.#committed) {
      this.#readUsage(this.#tail)
      if (this.#isJson && !this.#jsonEnd.reached) sink.fail(truncated())
      else sink.complete()
      return
    }
    const body = this.#held.length === 1 && this.#held[0] ? this.#held[0] : Buffer.concat(this.#held)
    const failure = this.#isJson ? this.#failureIn(body) : null
    if (failure !== null) {
      sink.fail(failure)
      return
    }
    this.#readUsage(body)
    if (this.#parts.onResponseId !== null) this.#tellId(property(parseJson(body.toString('utf8')), 'id'))
    this.#commit(String(body.length), true)
    sink.complete(body)
  }

  broke(failure: Failure): void {
    this.#parts.sink.fail(failure)
  }

  #commit(contentLength: string | string[] | undefined, whole: boolean): void {
    this.#committed = true
    const { head, receipt } = this.#parts
    const headers = headersToClient(head.headers)
    if (receipt !== null) Object.assign(headers, receipt.headers(whole))
    // With the length announced, an answer that breaks off is visibly short.
    if (typeof contentLength === 'string') {
      headers['content-length'] = contentLength
      this.#leftBytes = Number(contentLength)
    }
    this.#parts.sink.commit(head.status, headers)
  }

  #pass(chunk: Buffer): void {
    this.#leftBytes -= chunk.length
    if (this.#isJson) this.#watch(chunk)
    // The last announced bytes make it look whole: those of half an answer do not go out.
    if (this.#isJson && this.#leftBytes <= 0 && !this.#jsonEnd.reached) return
    this.#parts.sink.write(chunk)
    if (this.#isJson && this.#parts.isGenerated) this.#parts.meter.passed(chunk.length)
  }

  #watch(chunk: Buffer): void {
    this.#jsonEnd.feed(chunk)
    const joined = chunk.length >= tailBytesMax ? chunk : Buffer.concat([this.#tail, chunk])
    this.#tail = joined.subarray(Math.max(0, joined.length - tailBytesMax))
  }

  #readUsage(bytes: Buffer): void {
    if (!this.#isJson) return
    const usage = usageInTail(bytes)
    if (usage !== null) this.#parts.meter.report(usage)
  }

  #tellId(id: unknown): void {
    if (typeof id === 'string') this.#parts.onResponseId?.(id)
  }

  /** An error told under status 200, as some servers do; or half an answer that ends as if it were all. */
  #failureIn(body: Buffer): Failure | null {
    this.#jsonEnd.feed(body)
    if (body.length === 0 && bodyless.has(this.#parts.head.status)) return null
    if (!this.#jsonEnd.reached || body.length === 0) return this.#isFramed ? brokenJson() : truncated()
    if (!beginsWithError.test(body.toString('latin1', 0, 64))) return null
    const answer = parseJson(body.toString('utf8'))
    return answer === undefined ? brokenJson() : failureFromHostObject(property(answer, 'error'))
  }

  /** HTTP itself tells where it ends. */
  get #isFramed(): boolean {
    const { headers } = this.#parts.head
    return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  }
}

const noBytes: Buffer = Buffer.alloc(0)
const none: Buffer[] = []
const beginsWithError = /^\s*\{\s*"error"\s*:\s*[{"]/
/** No Content, Reset Content. */
const bodyless: ReadonlySet<number> = new Set([204, 205])

function brokenJson(): Failure {
  return new Failure('bad_answer', new GatewayError('upstream_bad_response', 'The host answered with broken JSON.'))
}

/** The id stands in front of everything nested in every server's answers; further behind it is not looked for. */
function idAtStart(body: Buffer): string | undefined {
  return /^\s*\{[^{}[\]]*?"id"\s*:\s*"([^"\\]+)"/.exec(body.toString('latin1', 0, 4_096))?.[1]
}
