/** A request's turns in the line, at first and after each busy host: its patience is one over all of them. */
import type { GatewayError } from '../base/errors.ts'
import type { Route } from '../hosts/model-catalog.ts'
import type { Leave } from '../queue/dispatcher.ts'
import type { Lease } from '../queue/lease.ts'
import type { Failover } from './failover.ts'
import { isBusy } from './failure.ts'
import { type LastFailure, lineRefusal } from './line-refusal.ts'
import type { RelayParts } from './relay-parts.ts'

export interface Turn {
  readonly route: Route
  readonly failover: Failover
  readonly lastFailure: LastFailure | null
  /** It had a slot before. */
  readonly returning: boolean
  readonly granted: (lease: Lease, waitMs: number) => void
  readonly refused: (error: GatewayError) => void
}

export class LineTurns {
  readonly #parts: Pick<RelayParts, 'clock' | 'dispatcher' | 'queueWaitMsMax'>
  #askedAtMs: number | null = null
  #leave: Leave | null = null

  constructor(parts: Pick<RelayParts, 'clock' | 'dispatcher' | 'queueWaitMsMax'>) {
    this.#parts = parts
  }

  ask({ route, failover, lastFailure, returning, granted, refused }: Turn): void {
    const { clock, dispatcher, queueWaitMsMax } = this.#parts
    this.#askedAtMs ??= clock.now()
    const patienceMs = Math.max(0, this.#askedAtMs + queueWaitMsMax - clock.now())
    // Whoever was told "busy" until the end of patience does not take one more slot to hear it again.
    if (patienceMs === 0 && lastFailure !== null && isBusy(lastFailure.cause)) {
      refused(lineRefusal(lastFailure.error, lastFailure, 0))
      return
    }
    this.#leave = dispatcher.ask({
      route,
      excluded: failover.excluded,
      returning,
      goesLast: !failover.keepsPlace,
      patienceMs,
      granted,
      refused: (error, busyForMs) => refused(lineRefusal(error, lastFailure, busyForMs)),
    })
  }

  leave(): void {
    this.#leave?.()
  }
}
