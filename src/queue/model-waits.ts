/** Those who wait for a model that no host has in memory: what is planned for them, what they are told, and when they wait no more. */
import type { Balancer } from '../balancing/balancer.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { Candidate } from '../hosts/model-catalog.ts'
import type { LoadWait, ResidencyPlanner } from '../hosts/residency.ts'
import type { Demand } from '../hosts/wanted-models.ts'
import { type Costs, costOfLoad, tokenCosts } from './bill.ts'
import type { Flow, Holder } from './flow.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { Waiter } from './waiter.ts'

export interface ModelWaitsParts {
  readonly line: Line
  readonly hosts: LaneHosts
  /** Absent where hosts have all their models in memory. */
  readonly planner?: ResidencyPlanner | undefined
  readonly estimateMs: (waiter: Waiter) => number | null
  readonly balancer: Pick<Balancer, 'speedOf'>
  readonly costs?: Costs
  readonly refuse: (waiter: Waiter, error: GatewayError) => void
}

const retryAfterMsMin = 1_000

export class ModelWaits {
  readonly #parts: ModelWaitsParts

  constructor(parts: ModelWaitsParts) {
    this.#parts = parts
  }

  /** To be called when others wait than before, or when hosts have changed. */
  plan(): void {
    const { planner, line } = this.#parts
    if (planner === undefined) return
    const demands: Demand[] = []
    for (const lane of line.lanes()) {
      const candidates = this.#parts.hosts.candidates(lane)
      if (candidates.some(loads)) demands.push(this.#demandOf(lane, candidates))
    }
    planner.plan(demands)
  }

  /** The same where it makes a difference to a lane. */
  planFor(lane: Lane): void {
    if (this.#parts.hosts.candidates(lane).some(loads)) this.plan()
  }

  /** Whoever waits for what could not be loaded anywhere hears so, instead of waiting for the next time that it is tried. */
  refuseFailed(): void {
    const { line, refuse } = this.#parts
    const failed = new Map<Lane, GatewayError>()
    for (const lane of line.lanes()) {
      const error = this.failure(lane)
      if (error !== null) failed.set(lane, error)
    }
    if (failed.size === 0) return
    for (const waiter of Array.from(line)) {
      const error = failed.get(waiter.lane)
      if (error !== undefined) refuse(waiter, error)
    }
  }

  /** Null unless no host could load it, a short while ago. */
  failure(lane: Lane): GatewayError | null {
    const { planner, hosts } = this.#parts
    const failed = planner?.failureOf(hosts.candidates(lane)) ?? null
    if (failed === null) return null
    const message = `The model "${lane.route.model}" could not be loaded: ${failed.problem}.`
    return new GatewayError('model_load_failed', message, { retryAfterMs: Math.max(retryAfterMsMin, failed.inMs) })
  }

  /** Null unless it is a load that those in the lane wait for. */
  readonly loadOf = (lane: Lane): LoadWait | null => {
    const { planner, hosts } = this.#parts
    const candidates = hosts.candidates(lane)
    return planner !== undefined && candidates.some(loads) ? planner.waitOf(candidates) : null
  }

  /** A slot of the host would be of use to those in the lane. */
  readonly admits = (lane: Lane, host: Host): boolean => {
    const { planner, hosts } = this.#parts
    if (planner === undefined || host.memory.loadsBy === null) return true
    const there = hosts.candidates(lane).find((candidate) => candidate.host === host)
    return there !== undefined && planner.access(host, there.model).admits
  }

  /** Less those where the model would have to be loaded, and what may be loaded in this hour is left for others. */
  openTo({ id }: Holder, candidates: readonly Candidate[]): readonly Candidate[] {
    const { planner } = this.#parts
    if (planner === undefined || !candidates.some(loads)) return candidates
    return candidates.filter((candidate) => planner.mayLoadFor(id, candidate))
  }

  #demandOf(lane: Lane, candidates: readonly Candidate[]): Demand {
    const { line, estimateMs } = this.#parts
    const first = line.firstOf(lane)
    return {
      candidates,
      waiting: lane.waiting,
      holder: first?.flow.id ?? null,
      holders: () => holdersOf(lane, first),
      waitMs: () => (first === undefined ? null : estimateMs(first)),
      // Whose request it was to have the model loaded for; those who join have it for nothing.
      charge: (host, model, ms) => this.#charge(first?.flow, host, model, ms),
    }
  }

  #charge(flow: Flow | undefined, host: Host, model: string, ms: number): void {
    const { balancer, costs = tokenCosts } = this.#parts
    const { decodeTokensPerSecond } = balancer.speedOf(host, model)
    flow?.charge(host, costOfLoad(ms, decodeTokensPerSecond, costs) / flow.weight)
  }
}

function loads({ host }: Candidate): boolean {
  return host.memory.loadsBy !== null
}

/** Of whom requests wait there; the first may be in front of all, where it is in no queue. */
function* holdersOf({ queues }: Lane, first: Waiter | undefined): Iterable<string> {
  if (first !== undefined) yield first.flow.id
  for (const { flow } of queues) yield flow.id
}
