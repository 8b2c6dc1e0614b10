/** Those who wait for a model that no host has in memory: what is planned for them, what they are told, and when they wait no more. */
import type { Balancer } from '../balancing/balancer.ts'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { LoadWait, ResidencyPlanner } from '../hosts/residency.ts'
import type { Candidate } from '../hosts/route.ts'
import type { Demand } from '../hosts/wanted-models.ts'
import { type Costs, costOfLoad, tokenCosts } from './bill.ts'
import type { Flow, Holder } from './flow.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { Waiter } from './waiter.ts'

export interface ModelWaitsParts {
  readonly clock: Clock
  readonly line: Line
  readonly hosts: LaneHosts
  /** Absent where hosts have all their models in memory. */
  readonly planner?: ResidencyPlanner | undefined
  readonly estimateMs: (waiter: Waiter) => number | null
  readonly balancer: Pick<Balancer, 'speedOf'>
  readonly costs?: Costs
  readonly refuse: (waiter: Waiter, error: GatewayError) => void
  /** Nobody is given anything. */
  readonly paused: () => boolean
  /** Gives what is free at a host to those who go next. */
  readonly serve: (host: Host) => void
}

const retryAfterMsMin = 1_000
/** What comes with the end of a load is served first. */
const marginMs = 1_000

export class ModelWaits {
  readonly #parts: ModelWaitsParts
  /** Something has changed since the last plan, and the next one comes at the end of this turn of events. */
  #isDue = false

  constructor(parts: ModelWaitsParts) {
    this.#parts = parts
  }

  /** To be called when hosts have changed. */
  plan(): void {
    const { planner, line, hosts, paused } = this.#parts
    if (planner === undefined || paused()) return
    this.#isDue = false
    // Requests of many lengths, and for several endpoints, wait for the same models at the same hosts.
    const alike = new Map<string, { readonly candidates: readonly Candidate[]; readonly lanes: Lane[] }>()
    for (const lane of line.lanes()) {
      const candidates = hosts.candidates(lane)
      if (!candidates.some(loads)) continue
      const id = candidates.map(({ host, model }) => `${host.number} ${model}`).join('\n')
      const known = alike.get(id)
      if (known === undefined) alike.set(id, { candidates, lanes: [lane] })
      else known.lanes.push(lane)
    }
    planner.plan(Array.from(alike.values(), ({ candidates, lanes }) => this.#demandOf(lanes, candidates)))
  }

  /** Requests that wait and could be served with each model of the host. */
  waitingAt(host: Host): ReadonlyMap<string, number> {
    const { line, hosts } = this.#parts
    const waiting = new Map<string, number>()
    for (const lane of line.lanes()) {
      const model = hosts.candidates(lane).find((candidate) => candidate.host === host)?.model
      if (model !== undefined) waiting.set(model, (waiting.get(model) ?? 0) + lane.waiting)
    }
    return waiting
  }

  /** To be called when others wait in a lane than before: once for all that happens in a turn of events. */
  waitsChanged(lane: Lane): void {
    if (this.#parts.hosts.candidates(lane).some(loads)) this.#planSoon()
  }

  /** To be called when a slot of a host is free: another model may have its turn there, or those that could not be loaded go elsewhere. */
  released(host: Host): void {
    if (host.memory.loadsBy !== null && this.#parts.line.size > 0) this.#planSoon()
  }

  #planSoon(): void {
    const { planner, clock } = this.#parts
    if (planner === undefined || this.#isDue) return
    this.#isDue = true
    clock.afterTurn(() => {
      if (this.#isDue) this.#planAndServe()
    })
  }

  #planAndServe(): void {
    const { line, hosts, serve } = this.#parts
    this.#isDue = false
    if (line.size === 0) return
    this.plan()
    for (const host of hosts.ofAll(line.lanes())) if (host.memory.loadsBy !== null) serve(host)
    this.refuseFailed()
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

  /**
   * How much longer it is worth waiting beyond patience, for a load or a turn whose end is known, so that nobody is refused
   * moments before the model is there. 0 where it would be in vain, or longer than a load may take.
   */
  beyondMs({ lane, sinceMs }: Waiter, patienceMs: number): number {
    const { planner, hosts, clock, paused } = this.#parts
    const beyond = paused() ? null : (planner?.beyondOf(hosts.candidates(lane)) ?? null)
    if (beyond === null) return 0
    const goneMs = clock.now() - sinceMs - patienceMs
    return goneMs + beyond.ms <= beyond.inAllMsMax ? beyond.ms + marginMs : 0
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

  /** Of lanes with the same candidates. */
  #demandOf(lanes: readonly Lane[], candidates: readonly Candidate[]): Demand {
    const { line, estimateMs } = this.#parts
    const firsts = lanes.flatMap((lane) => line.firstOf(lane) ?? [])
    const first = firsts.reduce<Waiter | undefined>((a, b) => (a === undefined || b.order < a.order ? b : a), undefined)
    return {
      candidates,
      waiting: lanes.reduce((sum, { waiting }) => sum + waiting, 0),
      holder: first?.flow.id ?? null,
      holders: () => holdersOf(lanes, firsts),
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

/** Of whom requests wait there; the first of a lane may be in front of all, where it is in no queue. */
function* holdersOf(lanes: readonly Lane[], firsts: readonly Waiter[]): Iterable<string> {
  for (const { flow } of firsts) yield flow.id
  for (const { queues } of lanes) for (const { flow } of queues) yield flow.id
}
