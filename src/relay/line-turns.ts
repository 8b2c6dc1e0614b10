/** A request's turns in the line, at first and after each slot it lost: its patience is one over all of them. */
import type { Prompt } from '../balancing/prompt.ts'
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Route } from '../hosts/route.ts'
import type { Holder } from '../queue/flow.ts'
import type { Lease } from '../queue/lease.ts'
import type { Place, RequestLabel, SlotRequest, Turn } from '../queue/slot-request.ts'
import type { PlaceInLine } from '../wire/heartbeat.ts'
import type { Failover } from './failover.ts'
import { isBusy } from './failure.ts'
import { type LastFailure, lineRefusal } from './line-refusal.ts'
import type { RelayParts } from './relay-parts.ts'

/** Whose turns they are. */
export interface LineOwner {
  granted(lease: Lease, waitMs: number): void
  fail(error: GatewayError): void
  /** As `SlotRequest.giveBack`. */
  giveBack(lease: Lease): boolean
}

/** What is the same in all its turns. */
export interface Queued {
  readonly label: RequestLabel
  readonly route: Route
  readonly holder: Holder
  readonly class: RequestClass
  /** As estimated. */
  readonly tokens: { readonly input: number; readonly output: number }
  readonly prompt: Prompt
  /** As `SlotRequest.storeWaitMs`, of its first turn. */
  readonly storeWaitMs: number
}

type LineParts = Pick<RelayParts, 'clock' | 'dispatcher'>

export class LineTurns {
  readonly #parts: LineParts
  readonly #owner: LineOwner
  #askedAtMs: number | null = null
  #turn: Turn | null = null
  #asked = 0

  constructor(parts: LineParts, owner: LineOwner) {
    this.#parts = parts
    this.#owner = owner
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

  ask(queued: Queued, place: Place, failover: Failover, lastFailure: LastFailure | null): void {
    const patienceMs = this.patienceMs(queued.class)
    // Whoever was told "busy" until the end of patience does not take one more slot to hear it again.
    if (patienceMs === 0 && lastFailure !== null && isBusy(lastFailure.cause)) {
      this.#owner.fail(lineRefusal(lastFailure.error, lastFailure, 0))
      return
    }
    const number = ++this.#asked
    const now = place === 'sent_back' && !failover.keepsPlace ? 'last' : place
    const of = { owner: this.#owner, excluded: failover.excluded, place: now, patienceMs, lastFailure }
    const turn = this.#parts.dispatcher.ask(new AskedSlot(queued, of))
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

interface TurnParts {
  readonly owner: LineOwner
  readonly excluded: ReadonlySet<Host>
  readonly place: Place
  readonly patienceMs: number
  readonly lastFailure: LastFailure | null
}

/** One turn, as the line has it. */
class AskedSlot implements SlotRequest {
  readonly label: RequestLabel
  readonly route: Route
  readonly holder: Holder
  readonly class: RequestClass
  readonly tokens: Queued['tokens']
  readonly prompt: Prompt
  readonly excluded: ReadonlySet<Host>
  readonly place: Place
  readonly patienceMs: number
  readonly storeWaitMs: number
  readonly #owner: LineOwner
  readonly #lastFailure: LastFailure | null

  constructor(queued: Queued, { owner, excluded, place, patienceMs, lastFailure }: TurnParts) {
    this.excluded = excluded
    this.place = place
    this.patienceMs = patienceMs
    this.label = queued.label
    this.route = queued.route
    this.holder = queued.holder
    this.class = queued.class
    this.tokens = queued.tokens
    this.prompt = queued.prompt
    this.storeWaitMs = place === 'newcomer' ? queued.storeWaitMs : 0
    this.#owner = owner
    this.#lastFailure = lastFailure
  }

  granted(lease: Lease, waitMs: number): void {
    this.#owner.granted(lease, waitMs)
  }

  refused(error: GatewayError, busyForMs: number): void {
    this.#owner.fail(lineRefusal(error, this.#lastFailure, busyForMs))
  }

  giveBack(lease: Lease): boolean {
    return this.class === 'bulk' && this.#owner.giveBack(lease)
  }
}
