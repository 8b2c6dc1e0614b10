/** What requests are told of their wait, and how true that was. */
import type { LoadWait } from '../hosts/residency.ts'
import type { QueueEvents } from './events.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Lease, ToldWait } from './lease.ts'
import type { Line } from './line.ts'
import { type Accuracy, WaitAccuracy } from './wait-accuracy.ts'
import type { Announced, WaitEstimate, WaitEstimator } from './wait-estimate.ts'
import type { Waiter } from './waiter.ts'

interface ToldWaitsParts {
  readonly estimator: WaitEstimator
  readonly line: Line
  readonly hosts: LaneHosts
  readonly events: QueueEvents
  readonly paused: () => boolean
  /** The load that those of the lane wait for; null where they wait for none. */
  readonly loadOf: (lane: Lane) => LoadWait | null
}

export interface ToldEstimate extends WaitEstimate {
  /** The load of a model that it waits for, before all else; null where it waits for none. */
  readonly load: LoadWait | null
}

export class ToldWaits {
  readonly #parts: ToldWaitsParts
  readonly #accuracy = new WaitAccuracy()

  constructor(parts: ToldWaitsParts) {
    this.#parts = parts
  }

  /** As it may be told: how long a pause lasts nobody knows. */
  estimate(waiter: Waiter): ToldEstimate {
    const shown = this.shown(this.reckon(waiter))
    const load = this.#parts.loadOf(waiter.lane)
    return { ...shown, load }
  }

  reckon(waiter: Waiter): Announced {
    const { estimator, line, hosts } = this.#parts
    const { heldFor } = waiter
    if (heldFor !== null) return estimator.estimateHeld(waiter, line, hosts, heldFor)
    return estimator.estimate(waiter, line, hosts)
  }

  shown(estimate: WaitEstimate): WaitEstimate {
    return this.#parts.paused() ? { ...estimate, p50Ms: null, p90Ms: null } : estimate
  }

  /** A wait that was told of is over. */
  over(waiter: Waiter, waitMs: number): void {
    const { announced } = waiter
    if (announced === null) return
    this.#parts.estimator.became(waiter, announced, waitMs)
    this.#compare(waiter, announced, waitMs)
  }

  /**
   * The same of one that was given up after so long, and would have been longer. Beyond its median it is one of the longer
   * half, however long; that it was longer than nine of ten is certain beyond that alone, and before it nobody knows.
   */
  givenUp(waiter: Waiter, waitMs: number): void {
    const { announced } = waiter
    if (announced === null) return
    const { p50Ms, p90Ms } = announced
    if (p50Ms !== null && waitMs > p50Ms) this.#parts.estimator.became(waiter, announced, waitMs)
    if (p90Ms !== null && waitMs > p90Ms) this.#compare(waiter, announced, waitMs)
  }

  #compare({ request }: Waiter, { p50Ms, p90Ms }: Announced, waitMs: number): void {
    if (p50Ms === null || p90Ms === null) return
    this.#accuracy.add({ p50Ms, p90Ms, waitMs })
    this.#parts.events.estimateTold({ model: request.route.model, p50Ms, p90Ms, waitMs })
  }

  /** A slot was given back. */
  released(lease: Lease, heldMs: number): void {
    const { estimator } = this.#parts
    const { bill } = lease
    if (lease.whole) estimator.held(lease, heldMs)
    if (lease.left && bill.served.output === 0) bill.unseen(estimator.unseenTokens(lease, heldMs))
  }

  accuracy(): Accuracy {
    return this.#accuracy.get()
  }
}

/** What it was told when it came; null where that was nothing. */
export function toldOf({ announced }: Waiter): ToldWait | null {
  const { p50Ms, p90Ms } = announced ?? { p50Ms: null, p90Ms: null }
  return p50Ms === null || p90Ms === null ? null : { p50Ms, p90Ms }
}
