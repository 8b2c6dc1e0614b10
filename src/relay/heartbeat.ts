/** Beats while a stream waits, in the line or for its first content: the first beat commits status and headers. */
import type { Clock, Timer } from '../base/clock.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { heartbeat, heartbeatForm, heartbeatInLine, type PlaceInLine, wantsQueueEvents } from '../wire/heartbeat.ts'
import type { RequestBody } from '../wire/request-body.ts'
import { eventStream } from './answer-reader.ts'
import type { Exchange } from './exchange.ts'
import type { RelayOptions } from './options.ts'
import { streamHeaders } from './stream-answer.ts'

export interface HeartbeatParts {
  readonly clock: Clock
  readonly options: RelayOptions
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  /** Null while it waits neither for limits nor for a slot. */
  readonly place: () => PlaceInLine | null
  /** Called once, when status 200 is about to go out. */
  readonly onHeaders: () => void
}

export class Heartbeat {
  readonly #parts: HeartbeatParts
  readonly #plain: string
  readonly #tellsPlace: boolean
  /** An answer that is no stream is on its way: a beat would make it one. */
  held = false
  #timer: Timer | null

  /** Null for a request that gets none. */
  static begin(body: RequestBody, parts: HeartbeatParts): Heartbeat | null {
    const { clock, options, endpoint, exchange } = parts
    const tellsPlace = wantsQueueEvents(exchange.headers)
    const wished = heartbeatForm(exchange.headers, options.heartbeat)
    const form = wished === 'off' && tellsPlace ? 'comment' : wished
    if (form === 'off' || !body.stream || endpoint.dialect === 'none') return null
    const chunk = { model: body.model, createdSeconds: Math.floor(clock.wallMs() / 1000) }
    return new Heartbeat(heartbeat(form, endpoint.dialect, chunk), tellsPlace, parts)
  }

  private constructor(plain: string, tellsPlace: boolean, parts: HeartbeatParts) {
    this.#plain = plain
    this.#tellsPlace = tellsPlace
    this.#parts = parts
    const { clock, options, exchange } = parts
    const firstMs = Math.max(0, exchange.acceptedAtMs + options.headerHoldMs - clock.now())
    this.#timer = clock.after(firstMs, () => this.#beat())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #beat(): void {
    const { clock, options, exchange, place, onHeaders } = this.#parts
    this.#timer = clock.after(options.heartbeatMs, () => this.#beat())
    if (this.held) return
    if (!exchange.committed) {
      onHeaders()
      exchange.head(200, { 'content-type': `${eventStream}; charset=utf-8`, ...streamHeaders })
    }
    const inLine = this.#tellsPlace ? place() : null
    exchange.write(Buffer.from(inLine === null ? this.#plain : heartbeatInLine(this.#plain, inLine)))
  }
}
