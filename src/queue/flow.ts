/**
 * Whose requests are ordered against those of others, and how much of the fleet each has had: the Virtual Token Counter
 * (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024).
 */
import type { FlowQueue } from './flow-queue.ts'

/** Whose a request is: a key, or the network of a client without one. */
export interface Holder {
  readonly id: string
  /** Of the key, as log and metrics show it. */
  readonly name: string
  /** Its share against others, 1 unless changed. */
  readonly weight: number
}

export class Flow {
  readonly id: string
  name: string
  weight: number
  /** What it was served, in cost divided by its weight; lifted when it returns, so that nobody saves up by staying away. */
  counter = 0
  /** Its waiting requests: how many, and their tokens as estimated. */
  waiting = 0
  waitingTokens = 0
  /** Those of the prompts among them, and what all will be charged. */
  waitingInput = 0
  waitingCost = 0
  /** Slots it has. */
  running = 0
  /** Where they wait: one for each lane and class. */
  readonly queues: FlowQueue[] = []

  constructor({ id, name, weight }: Holder) {
    this.id = id
    this.name = name
    this.weight = weight
  }

  get idle(): boolean {
    return this.waiting === 0 && this.running === 0
  }

  /** `cost` divided by the weight; less than nothing for what is given back. */
  charge(share: number): void {
    this.counter += share
    // A rank that grew is put right when it is looked at (rank-heap.ts); one that fell must be now.
    if (share < 0) for (const queue of this.queues) queue.rankFell()
  }
}

/** Idle flows are remembered, so that who leaves and returns at once is no better off; the longest idle is forgotten first. */
export class Flows {
  readonly #idleMax: number
  readonly #flows = new Map<string, Flow>()
  /** The longest idle first. */
  readonly #idle = new Set<Flow>()
  /** Of the flow that was granted a slot last, at that moment. */
  #counterOfLast = 0

  constructor(idleMax: number) {
    this.#idleMax = idleMax
  }

  /** That of a holder, with the weight of now. */
  of(holder: Holder): Flow {
    const known = this.#flows.get(holder.id)
    if (known !== undefined) {
      known.weight = holder.weight
      known.name = holder.name
      return known
    }
    const flow = new Flow(holder)
    this.#flows.set(holder.id, flow)
    return flow
  }

  /**
   * It asks for a slot. With nothing waiting before it has no claim on what others were served meanwhile, nor owes what
   * it had while nobody waited. `leastWaiting`: the least counter of those who wait, null where nobody does.
   */
  returns(flow: Flow, leastWaiting: () => number | null): void {
    this.#idle.delete(flow)
    if (flow.waiting === 0) flow.counter = Math.max(flow.counter, leastWaiting() ?? this.#counterOfLast)
  }

  granted(flow: Flow): void {
    flow.running++
    this.#counterOfLast = flow.counter
  }

  released(flow: Flow): void {
    flow.running--
    this.rests(flow)
  }

  /** To be told whenever it may have become idle. */
  rests(flow: Flow): void {
    if (!flow.idle) return
    this.#idle.delete(flow)
    this.#idle.add(flow)
    if (this.#idle.size <= this.#idleMax) return
    for (const longest of this.#idle) {
      this.#idle.delete(longest)
      this.#flows.delete(longest.id)
      return
    }
  }

  [Symbol.iterator](): Iterator<Flow> {
    return this.#flows.values()
  }
}
