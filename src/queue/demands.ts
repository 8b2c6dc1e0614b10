/** How much of the slots each flow has lately been asking for, and what is left to one that asks for all it can get. */
import type { Flow } from './flow.ts'

interface Demand {
  /** Time of slots that was asked for, the older the less. */
  slotMs: number
  atMs: number
}

/** What is so old counts for a third. */
const memoryMs = 300_000
/** What was seen for a shorter time tells nothing of how much comes in how long. */
const seenMsMin = 10_000
/** The latest that asked. */
const flowsMax = 64

export class Demands {
  readonly #byFlow = new Map<Flow, Demand>()
  #sinceMs: number | null = null

  add(flow: Flow, slotMs: number, nowMs: number): void {
    this.#sinceMs ??= nowMs
    const demand = this.#byFlow.get(flow) ?? { slotMs: 0, atMs: nowMs }
    demand.slotMs = faded(demand, nowMs) + slotMs
    demand.atMs = nowMs
    this.#byFlow.delete(flow)
    this.#byFlow.set(flow, demand)
    if (this.#byFlow.size <= flowsMax) return
    for (const oldest of this.#byFlow.keys()) {
      this.#byFlow.delete(oldest)
      return
    }
  }

  /**
   * The part of `slots` that is left to the flow, from 0 to 1, where each other goes on asking for as much as it did and
   * none gets more than its fair share.
   */
  shareLeft(own: Flow, slots: number, nowMs: number): number {
    const seenMs = nowMs - (this.#sinceMs ?? nowMs)
    // An exponential memory that began so short a time ago is not full yet.
    const overMs = memoryMs * (1 - Math.exp(-Math.max(seenMs, seenMsMin) / memoryMs))
    const others: { readonly wanted: number; readonly weight: number }[] = []
    let weights = own.weight
    for (const [flow, demand] of this.#byFlow) {
      if (flow === own) continue
      others.push({ wanted: faded(demand, nowMs) / overMs, weight: flow.weight })
      weights += flow.weight
    }
    let left = slots
    // Those that want the least for their weight first: whoever wants less than its share leaves the rest to the others.
    for (const { wanted, weight } of others.toSorted((a, b) => a.wanted / a.weight - b.wanted / b.weight)) {
      left -= Math.min(wanted, (left * weight) / weights)
      weights -= weight
    }
    return left / slots
  }
}

function faded({ slotMs, atMs }: Demand, nowMs: number): number {
  return slotMs * Math.exp(-(nowMs - atMs) / memoryMs)
}
