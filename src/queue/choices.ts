/** Whether one that comes may wait, and which host it is given: one that is free, or one that is worth waiting for. */
import type { Balancer } from '../balancing/balancer.ts'
import type { Decision } from '../balancing/decision.ts'
import type { Ask } from '../balancing/policy.ts'
import type { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate } from '../hosts/route.ts'
import type { Flow } from './flow.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { ModelWaits } from './model-waits.ts'
import { hasRoom, notLetIn, obstacleTo, type Refusal, type Waiting, waitTooLong } from './refusals.ts'
import type { QueueRules } from './rules.ts'
import type { SlotRequest } from './slot-request.ts'
import type { WaitEstimate, WaitEstimator } from './wait-estimate.ts'
import type { Waiter } from './waiter.ts'

interface ChoicesParts {
  readonly balancer: Balancer
  readonly line: Line
  readonly hosts: LaneHosts
  readonly models: ModelWaits
  readonly estimator: WaitEstimator
  readonly rules: () => QueueRules
  /** Why nobody may begin to wait just now, or null. */
  readonly noWaiting?: (() => GatewayError | null) | undefined
  /** What waits for something else than a slot. */
  readonly waitingElsewhere?: (() => Waiting) | undefined
}

export class Choices {
  readonly #parts: ChoicesParts
  readonly #waitingFor: (host: Host) => number

  constructor(parts: ChoicesParts) {
    const { line, hosts } = parts
    this.#parts = parts
    this.#waitingFor = (host) => line.waitingFor(host, (lane) => hosts.takes(lane, host))
  }

  /** Of one that has just come. Where it could not wait it is given a slot that is free, and not refused. */
  ofNew(request: SlotRequest, ask: Ask, candidates: readonly Candidate[], flow: Flow): Decision | null {
    const decision = this.of(request, ask, candidates, request.place === 'newcomer')
    if (decision === null || decision.place.isFree) return decision
    return this.#obstacleTo(request, flow) === null ? decision : this.of(request, ask, candidates, false)
  }

  of({ holder }: SlotRequest, ask: Ask, candidates: readonly Candidate[], mayWait: boolean): Decision | null {
    const { balancer, models } = this.#parts
    return balancer.choose(ask, models.openTo(holder, candidates), { mayWait, waitingFor: this.#waitingFor })
  }

  /** Why a newcomer may not begin to wait, or null. */
  keptOut({ request, flow }: Waiter, estimate: WaitEstimate, patienceMs: number): Refusal | null {
    const obstacle = this.#obstacleTo(request, flow)
    if (obstacle !== null) return notLetIn(obstacle, estimate)
    // Whoever would be the next keeps nobody waiting, and somebody must wait for the estimate to be put right.
    if (estimate.position === 0 || !this.#parts.estimator.isSure(request)) return null
    return waitTooLong(estimate, patienceMs)
  }

  /** Whether one more with so many tokens may wait. */
  hasRoom(tokens: number): boolean {
    return hasRoom(tokens, this.#inAll())
  }

  #obstacleTo(request: SlotRequest, flow: Flow) {
    return obstacleTo(request, { flow, stopped: this.#parts.noWaiting?.() ?? null, ...this.#inAll() })
  }

  #inAll() {
    const { line, waitingElsewhere, rules } = this.#parts
    return { line, elsewhere: waitingElsewhere?.(), rules: rules() }
  }
}
