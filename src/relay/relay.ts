/** The hot path's front door: takes an exchange and sees it to its one outcome. */
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Host } from '../hosts/host.ts'
import type { ModelCatalog } from '../hosts/model-catalog.ts'
import type { PhaseTimes } from '../metering/phase-times.ts'
import type { TokenTallies } from '../metering/token-tallies.ts'
import type { ByteBudget } from '../queue/byte-budget.ts'
import type { Dispatcher } from '../queue/dispatcher.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { RelayEvents } from './events.ts'
import type { Exchange } from './exchange.ts'
import type { RelayOptions } from './options.ts'
import { RelayedRequest } from './relayed-request.ts'
import type { StoredResponses } from './stored-responses.ts'

export interface RelayParts {
  readonly options: RelayOptions
  readonly clock: Clock
  readonly log: Log
  readonly userAgent: string
  readonly catalog: ModelCatalog
  readonly dispatcher: Dispatcher
  readonly budget: ByteBudget
  readonly tallies: TokenTallies
  readonly phases: PhaseTimes
  readonly stored: StoredResponses
  readonly events: RelayEvents
  /** A host refused the connection of a request. */
  readonly onConnectFailed: (host: Host) => void
  readonly onSettled: (request: RelayedRequest) => void
}

export class Relay {
  readonly #parts: RelayParts
  readonly #live = new Set<RelayedRequest>()
  #refusal: GatewayError | null = null
  #onIdle: (() => void) | null = null

  constructor(parts: Omit<RelayParts, 'onSettled'>) {
    this.#parts = {
      ...parts,
      onSettled: (request) => {
        this.#live.delete(request)
        if (this.#live.size === 0) this.#onIdle?.()
      },
    }
  }

  /** Returns at once; the answer goes into the exchange. `key` is the name of the caller's key. */
  handle(endpoint: Endpoint, exchange: Exchange, key: string): void {
    const request = new RelayedRequest(this.#parts, endpoint, exchange, key)
    this.#live.add(request)
    if (this.#refusal === null) void request.run()
    else request.fail(this.#refusal)
  }

  get openStreams(): number {
    let streams = 0
    for (const request of this.#live) if (request.streaming) streams++
    return streams
  }

  /** Requests that have no outcome yet. */
  get liveRequests(): number {
    return this.#live.size
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

  /** Ends every request that is left, honestly. */
  endAll(error: GatewayError): void {
    for (const request of this.#live) request.fail(error)
  }
}
