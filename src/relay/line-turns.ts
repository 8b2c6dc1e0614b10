/** A request's turns in the line, at first and after each slot it lost: its patience is one over all of them. */
import type { Prompt } from '../balancing/prompt.ts'
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Route } from '../hosts/route.ts'
import type { Holder } from '../queue/flow.ts'
import type { Lease } from '../queue/lease.ts'
import type { Place, RequestLabel, Turn } from '../queue/slot-request.ts'
import type { PlaceInLine } from '../wire/heartbeat.ts'
import type { Failover } from './failover.ts'
import { isBusy } from './failure.ts'
import { type LastFailure, lineRefusal } from './line-refusal.ts'
import type { RelayParts } from './relay-parts.ts'

/** What is the same in all its turns. */
export interface Queued {
  readonly label: RequestLabel
  readonly route: Route
  readonly holder: Holder
  readonly class: RequestClass
  /** As estimated. */
  readonly tokens: { readonly input: number; readonly output: number }
  readonly prompt: Prompt
  readonly granted: (lease: Lease, waitMs: number) => void
  readonly refused: (error: GatewayError) => void
  /** As `SlotRequest.giveBack`. */
  readonly giveBack?: (lease: Lease) => boolean
}

type LineParts = Pick<RelayParts, 'clock' | 'dispatcher'>

export class LineTurns {
  readonly #parts: LineParts
  #askedAtMs: number | null = null
  #turn: Turn | null = null
  #asked = 0

  constructor(parts: LineParts) {
    this.#parts = parts
  }

  /** What is left of the patience of its class; it begins with the first call. */
  patienceMs(ofClass: RequestClass): number {
    const { clock, dispatcher } = this.#parts
    this.#askedAtMs ??= clock.now()
    return Math.max(0, this.#askedAtMs + dispatcher.waitMsMax(ofClass) - clock.now())
  }

  /** Most of its patience is left, so that it can well wait once more. */
  isPatient(ofClass: RequestClass): boolean {
    return this.patienceMs(ofClass) * 2 > this.#parts.dispatcher.waitMsMax(ofClass)
  }

  ask(
    queued: Queued,
    place: Place,
    { failover, lastFailure }: { failover: Failover; lastFailure: LastFailure | null },
  ) {
    const patienceMs = this.patienceMs(queued.class)
    // Whoever was told "busy" until the end of patience does not take one more slot to hear it again.
    if (patienceMs === 0 && lastFailure !== null && isBusy(lastFailure.cause)) {
      queued.refused(lineRefusal(lastFailure.error, lastFailure, 0))
      return
    }
    const number = ++this.#asked
    const turn = this.#parts.dispatcher.ask({
      ...queued,
      excluded: new Set(failover.excluded),
      place: place === 'sent_back' && !failover.keepsPlace ? 'last' : place,
      patienceMs,
      refused: (error, busyForMs) => queued.refused(lineRefusal(error, lastFailure, busyForMs)),
    })
    // A grant that fails at once has led to the next turn already.
    if (number === this.#asked) this.#turn = turn
  }

  /** Null while it does not wait. */
  place(ofClass: RequestClass): PlaceInLine | null {
    const estimate = this.#turn?.estimate() ?? null
    return estimate && { ...estimate, class: ofClass, waitsFor: estimate.load === null ? 'slot' : 'load' }
  }

  leave(): void {
    this.#turn?.leave()
  }
}
