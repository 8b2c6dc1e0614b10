/** Gives a slot of the host that was chosen: what begins there is charged, counted as work of the host, and told of. */
import type { Balancer } from '../balancing/balancer.ts'
import type { Decision } from '../balancing/decision.ts'
import type { Ask } from '../balancing/policy.ts'
import type { Clock } from '../base/clock.ts'
import { Bill, type Costs, tokenCosts } from './bill.ts'
import type { QueueEvents } from './events.ts'
import type { Flow, Flows } from './flow.ts'
import { Lease, type ToldWait } from './lease.ts'
import type { SlotRequest } from './slot-request.ts'
import type { ToldDecisions } from './told-decisions.ts'

interface GrantsParts {
  readonly clock: Clock
  readonly balancer: Balancer
  readonly events: QueueEvents
  readonly costs?: Costs
  readonly flows: Flows
  readonly decisions: ToldDecisions
  readonly onRelease: (lease: Lease) => void
}

export interface Grant {
  readonly request: SlotRequest
  /** What its host was chosen by. */
  readonly ask: Ask
  readonly flow: Flow
  readonly decision: Decision
  /** In this turn in the line. */
  readonly waitMs: number
  /** No slot was there for it when it came. Where absent: it waited for more than no time. */
  readonly hadToWait?: boolean
  /** Of its wait, when it came. */
  readonly told: ToldWait | null
  /** It still counts as that; what has waited so long that it does not keeps its slot. */
  readonly isBulk: boolean
}

export class Grants {
  readonly #parts: GrantsParts

  constructor(parts: GrantsParts) {
    this.#parts = parts
  }

  give(grant: Grant): void {
    this.#begin(this.#leaseOf(grant, this.#parts.onRelease, false), grant)
  }

  /** Its slot is taken and its cost is charged, as expected; `begin` follows, or its release, after which nothing is left of it. */
  reserve(grant: Grant, onRelease: (lease: Lease) => void): Lease {
    return this.#leaseOf(grant, onRelease, true)
  }

  /** It has its slot for good. `waitMs`: in the line and beyond. */
  begin(lease: Lease, grant: Grant): void {
    const { clock, balancer, flows, decisions } = this.#parts
    const { request, ask, decision, waitMs, flow } = grant
    flows.begins(flow, decision.place.host)
    balancer.sent(ask, decision.place)
    lease.begin(clock.now(), decisions.granted(request, ask, decision, waitMs))
    this.#begin(lease, grant)
  }

  /** It was reserved and is not granted: nothing is left of it. */
  undo({ bill, assignment }: Lease): void {
    assignment.end()
    bill.refund()
    this.#parts.flows.released(bill.flow)
  }

  #leaseOf(
    { request, ask, flow, decision, waitMs, told, isBulk }: Grant,
    onRelease: (lease: Lease) => void,
    isReserved: boolean,
  ): Lease {
    const { clock, balancer, costs = tokenCosts, flows, decisions } = this.#parts
    const { host } = decision.place
    if (isReserved) flows.reserved(flow)
    else flows.granted(flow, host)
    const bill = new Bill(flow, { host, expected: request.tokens, costs })
    const assignment = balancer[isReserved ? 'reserve' : 'begin'](ask, decision.place, bill)
    return new Lease(decision, {
      grantedAtMs: clock.now(),
      bill,
      assignment,
      record: isReserved ? null : decisions.granted(request, ask, decision, waitMs),
      isReserved,
      asked: ask.model,
      class: ask.class,
      told,
      giveBack: isBulk ? request.giveBack?.bind(request) : undefined,
      onRelease,
    })
  }

  #begin(lease: Lease, { request, ask, waitMs, hadToWait = waitMs > 0 }: Grant): void {
    if (hadToWait) lease.host.heldBack()
    this.#parts.events.waitEnded({ model: ask.model, class: ask.class }, 'granted', waitMs)
    request.granted(lease, waitMs)
  }
}
