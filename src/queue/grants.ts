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

  give({ request, ask, flow, decision, waitMs, told, isBulk }: Grant): void {
    const { clock, balancer, events, costs = tokenCosts, flows, decisions, onRelease } = this.#parts
    const { host } = decision.place
    flows.granted(flow, host)
    const bill = new Bill(flow, { host, expected: request.tokens, costs })
    const assignment = balancer.begin(ask, decision.place, bill)
    const lease = new Lease(decision, {
      grantedAtMs: clock.now(),
      bill,
      assignment,
      record: decisions.granted(request, ask, decision, waitMs),
      asked: ask.model,
      class: ask.class,
      told,
      giveBack: isBulk ? request.giveBack?.bind(request) : undefined,
      onRelease,
    })
    if (waitMs > 0) host.heldBack()
    events.waitEnded({ model: ask.model, class: ask.class }, 'granted', waitMs)
    request.granted(lease, waitMs)
  }
}
