/** What a client is sent: beats while it waits, then headers and an answer, or an error in whichever form is still open to it. */
import type { GatewayError } from '../base/errors.ts'
import { dialects } from '../wire/dialect.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { errorBody } from '../wire/error-answer.ts'
import type { PlaceInLine } from '../wire/heartbeat.ts'
import type { RequestBody } from '../wire/request-body.ts'
import type { Caller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import type { Failover } from './failover.ts'
import { Heartbeat } from './heartbeat.ts'
import type { RelayParts } from './relay-parts.ts'
import type { RequestRecord } from './request-record.ts'

export interface ClientAnswerSettings {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
  readonly record: RequestRecord
  readonly failover: Failover
}

export class ClientAnswer {
  readonly #parts: Pick<RelayParts, 'clock' | 'options'>
  readonly #request: ClientAnswerSettings
  #heartbeat: Heartbeat | null = null
  #begun = false
  /** What was sent is a stream, so that an error can be told inside it. */
  #sendsFrames = false

  constructor(parts: Pick<RelayParts, 'clock' | 'options'>, request: ClientAnswerSettings) {
    this.#parts = parts
    this.#request = request
  }

  /** Content of an answer is there, whether or not its client still is. */
  get begun(): boolean {
    return this.#begun
  }

  beat(body: RequestBody, place: () => PlaceInLine | null): void {
    const { clock, options } = this.#parts
    const { endpoint, exchange, record } = this.#request
    const onHeaders = (): void => {
      record.status = 200
      this.#sendsFrames = true
    }
    this.#heartbeat = Heartbeat.begin(body, { clock, options, endpoint, exchange, place, onHeaders })
  }

  stopBeats(): void {
    this.#heartbeat?.stop()
  }

  /** An answer is on its way: beats would make a stream of one that is none. */
  comes(asFrames: boolean): void {
    this.#sendsFrames = asFrames
    if (this.#heartbeat !== null) this.#heartbeat.held = !asFrames
  }

  /** Its attempt is over and there may be another. */
  waitsAgain(): void {
    if (this.#heartbeat !== null) this.#heartbeat.held = false
  }

  begin(): void {
    this.#heartbeat?.stop()
    this.#begun = true
  }

  head(status: number, headers: Readonly<Record<string, string>>): void {
    const { exchange, record, failover } = this.#request
    record.status = status
    if (!exchange.committed) exchange.head(status, headers, record.routeHeaders(failover.phase))
  }

  /** As an answer of its own, or as the last frame of a stream that had begun. */
  fail(error: GatewayError): void {
    const { endpoint, exchange, caller, record, failover } = this.#request
    const { anthropic, dialect } = endpoint
    if (exchange.committed) {
      exchange.cut(this.#sendsFrames ? dialects[dialect].errorFrame(errorBody(error, anthropic)) : '')
      return
    }
    record.status = error.kind.status
    exchange.setHeaders(caller.limitHeaders())
    exchange.setHeaders(record.routeHeaders(failover.phase))
    exchange.fail(error, anthropic)
  }
}
