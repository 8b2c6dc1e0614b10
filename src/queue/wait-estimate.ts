/** How long a request will wait, as a range that is calibrated by what waits really were. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Flow } from './flow.ts'
import type { FlowQueue } from './flow-queue.ts'
import type { Lane } from './lane.ts'
import { Lease } from './lease.ts'
import { WaitRatios } from './wait-ratios.ts'

export interface WaitEstimate {
  /** Requests that are likely to be granted a slot before it. */
  readonly position: number
  /** Of these those of its own key. */
  readonly aheadInKey: number
  /** Keys that have requests waiting, its own included. */
  readonly keysWaiting: number
  /** Half of all such waits are shorter; null where nothing is known yet. */
  readonly p50Ms: number | null
  readonly p90Ms: number | null
}

/** A request that waits, or is about to: then it would come last. */
export interface Waiting {
  readonly lane: Lane
  readonly flow: Flow
  readonly class: RequestClass
  /** Its place by arrival; infinite for one that is about to wait. */
  readonly order: number
}

/** What a request was told when it came. */
export interface Announced extends WaitEstimate {
  /** Before calibration. */
  readonly baseMs: number
}

const modelsMax = 1_000
const newestShare = 0.1

export class WaitEstimator {
  readonly #clock: Clock
  /** Mean time that a slot is held, by model. */
  readonly #holdMs = new BoundedMap<string, number>(modelsMax)
  readonly #ratios = new BoundedMap<string, WaitRatios>(modelsMax)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A slot was given back. */
  held(lease: Lease, heldMs: number): void {
    const mean = this.#holdMs.get(lease.model)
    this.#holdMs.set(lease.model, mean === undefined ? heldMs : mean + newestShare * (heldMs - mean))
  }

  /** What such waits became; a wait that was given up was at least as long. */
  became(
    announced: Announced,
    { model, class: ofClass }: { model: string; class: RequestClass },
    waitMs: number,
  ): void {
    if (announced.baseMs > 0) this.#ratiosOf(model, ofClass).add(waitMs / announced.baseMs)
  }

  estimate(waiting: Waiting, hosts: readonly Host[], lanes: Iterable<Lane>): Announced {
    const { position, aheadInKey, keysWaiting } = placeOf(waiting, hosts, lanes)
    const baseMs = this.#baseMs(hosts, position)
    if (baseMs === null) return { position, aheadInKey, keysWaiting, p50Ms: null, p90Ms: null, baseMs: 0 }
    const { p50, p90 } = this.#ratiosOf(waiting.lane.route.model, waiting.class)
    return { position, aheadInKey, keysWaiting, p50Ms: baseMs * p50, p90Ms: baseMs * p90, baseMs }
  }

  /** When so many others were granted one, the next slot is free; null where nothing is known of how long one is held. */
  #baseMs(hosts: readonly Host[], position: number): number | null {
    const now = this.#clock.now()
    const restsMs: number[] = []
    let sumMs = 0
    for (const host of hosts) {
      for (const lease of host.leases) {
        if (!(lease instanceof Lease)) continue
        const holdMs = this.#holdMs.get(lease.model)
        if (holdMs === undefined) continue
        restsMs.push(Math.max(holdMs - (now - lease.grantedAtMs), holdMs / 4))
        sumMs += holdMs
      }
    }
    if (restsMs.length === 0) return null
    restsMs.sort((a, b) => a - b)
    const rounds = Math.floor(position / restsMs.length)
    return (restsMs[position % restsMs.length] ?? 0) + (rounds * sumMs) / restsMs.length
  }

  #ratiosOf(model: string, ofClass: RequestClass): WaitRatios {
    const id = `${ofClass} ${model}`
    let ratios = this.#ratios.get(id)
    if (ratios === undefined) {
      ratios = new WaitRatios()
      this.#ratios.set(id, ratios)
    }
    return ratios
  }
}

/** Who is likely to be granted a slot before it: of each other flow what that would be served until its counter is the same. */
function placeOf(waiting: Waiting, hosts: readonly Host[], lanes: Iterable<Lane>) {
  const flows = new Set<Flow>([waiting.flow])
  let aheadInKey = 0
  const others: FlowQueue[] = []
  for (const lane of lanes) {
    if (lane !== waiting.lane && !hosts.some((host) => lane.excluded.size === 0 || !lane.excluded.has(host))) continue
    for (const queue of lane.queues()) {
      flows.add(queue.flow)
      if (queue.flow !== waiting.flow) others.push(queue)
      else if (!isLower(queue.class, waiting.class)) aheadInKey += sooner(queue, waiting)
    }
  }
  const level = waiting.flow.counter + aheadInKey * meanCostShare(waiting.flow)
  let ahead = 0
  for (const queue of others) {
    if (isLower(queue.class, waiting.class) && queue.class === 'bulk') continue
    const share = meanCostShare(queue.flow)
    const before = share === 0 ? queue.size : Math.ceil((level - queue.flow.counter) / share)
    ahead += Math.min(queue.size, Math.max(0, before))
  }
  return { position: aheadInKey + ahead, aheadInKey, keysWaiting: flows.size }
}

function sooner(queue: FlowQueue, { order }: Waiting): number {
  if (order === Number.POSITIVE_INFINITY) return queue.size
  let count = 0
  for (const waiter of queue) if (waiter.order < order) count++
  return count
}

function isLower(a: RequestClass, b: RequestClass): boolean {
  return requestClasses.indexOf(a) > requestClasses.indexOf(b)
}

/** Of one waiting request of the flow, as its counter will see it. */
function meanCostShare(flow: Flow): number {
  return flow.waiting === 0 ? 0 : flow.waitingTokens / flow.waiting / flow.weight
}
