/** The hot path's front door: takes an exchange and sees it to its one outcome. */
import { Chain, type Link } from '../base/chain.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import { type Caller, unknownCaller } from './caller.ts'
import type { Exchange } from './exchange.ts'
import { Leavers } from './leavers.ts'
import type { LiveRequest } from './live-request-schema.ts'
import type { RelayParts } from './relay-parts.ts'
import { RelayedRequest, type RequestOwner } from './relayed-request.ts'

export class Relay {
  readonly #parts: RelayParts
  readonly #live = new Chain<Entry>()
  readonly #list: List
  #refusal: GatewayError | null = null
  #onIdle: (() => void) | null = null

  constructor(parts: RelayParts) {
    this.#parts = parts
    this.#list = { all: this.#live, leavers: new Leavers(parts.clock), onEmpty: () => this.#onIdle?.() }
  }

  /** Returns at once; the answer goes into the exchange. */
  handle(endpoint: Endpoint, exchange: Exchange, caller: Caller): void {
    const request = this.#take(endpoint, exchange, caller)
    const refusal = this.#refusal ?? this.#parts.refusal()
    if (refusal === null) request.run()
    else request.fail(refusal)
  }

  /** Answers one that is refused before it is looked at, so that it has its line and its counters like any other. */
  refuse(endpoint: Endpoint, exchange: Exchange, error: GatewayError): void {
    this.#take(endpoint, exchange, unknownCaller).refuse(error)
  }

  /** A key was revoked: what waits under it ends, and what runs too where that is wanted. */
  endOf(keyId: string, { running }: { running: boolean }, error: GatewayError): void {
    for (const { request } of this.#live) {
      if (request.caller.keyId === keyId && (running || request.waiting)) request.fail(error)
    }
  }

  /** An operator takes the host away at once: what it answers now ends, and may be asked for again. */
  endAt(host: Host): void {
    const error = new GatewayError(
      'no_upstream_available',
      'An operator of the gateway took away the host that made this answer; ask again.',
    )
    for (const { request } of this.#live) if (request.live.host === host.name) request.fail(error)
  }

  /** All that wait or run as they are now, the oldest first. */
  *live(): Generator<LiveRequest> {
    for (const { request } of this.#live) yield request.live
  }

  /** Ends one as an operator wants; returns what it was. Throws a GatewayError where there is nothing to end. */
  cancel(id: string): LiveRequest {
    for (const entry of this.#live) {
      const { request } = entry
      if (request.id !== id) continue
      const { live } = request
      request.fail(new GatewayError('request_cancelled', 'An operator of the gateway ended this request.'))
      if (!entry.lives) return live
      throw new GatewayError('conflict', 'Its answer is whole already: only the last bytes are on their way.')
    }
    throw new GatewayError('not_found', 'There is no such request, or it has ended.')
  }

  #take(endpoint: Endpoint, exchange: Exchange, caller: Caller): RelayedRequest {
    const entry = new Entry(this.#list, this.#parts, { endpoint, exchange, caller })
    this.#live.add(entry)
    return entry.request
  }

  get openStreams(): number {
    let streams = 0
    for (const { request } of this.#live) if (request.streaming) streams++
    return streams
  }

  /** Newcomers are refused from now on; those who wait or run go on. */
  refuseNewcomers(error: GatewayError): void {
    this.#refusal = error
  }

  /** Resolves when no request is left. */
  idle(): Promise<void> {
    if (this.#live.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onIdle = resolve
    })
  }

  /** Ends every request that is left, honestly: the line first, or a slot that becomes free would serve the next in it. */
  endAll(error: GatewayError): void {
    this.#parts.dispatcher.close(error)
    for (const { request } of this.#live) request.fail(error)
  }
}

/** What the entries of all requests have in common. */
interface List {
  readonly all: Chain<Entry>
  readonly leavers: Leavers
  readonly onEmpty: () => void
}

interface Arrival {
  readonly endpoint: Endpoint
  readonly exchange: Exchange
  readonly caller: Caller
}

/** The entry of one request in the list of those that wait or run, until it has ended. */
class Entry implements RequestOwner, Link<Entry> {
  before: Entry | null = null
  after: Entry | null = null
  lives = true
  readonly request: RelayedRequest
  readonly #list: List

  constructor(list: List, parts: RelayParts, { endpoint, exchange, caller }: Arrival) {
    this.#list = list
    this.request = new RelayedRequest(parts, endpoint, exchange, caller, this)
  }

  get requestsLive(): number {
    return this.#list.all.size
  }

  left(request: RelayedRequest): void {
    this.#list.leavers.add(request)
  }

  settled(): void {
    const { all, onEmpty } = this.#list
    this.lives = false
    all.remove(this)
    if (all.size === 0) onEmpty()
  }
}
