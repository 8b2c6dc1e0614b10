/**
 * Whose requests are ordered against those of others, and how much of each host each has had: the Virtual Token Counter
 * (Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024), one for each host.
 */
import type { Host } from '../hosts/host.ts'
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
  /** By the number of a host: what was served there, and what of that is only expected of attempts that run. */
  readonly #counters: number[] = []
  readonly #expected: number[] = []
  /** Of what was expected that which lifts have made good. */
  readonly #lifted: number[] = []

  constructor({ id, name, weight }: Holder) {
    this.id = id
    this.name = name
    this.weight = weight
  }

  get idle(): boolean {
    return this.waiting === 0 && this.running === 0
  }

  /** What it was served there, in cost divided by its weight; lifted when it returns, so that nobody saves up by staying away. */
  counterAt({ number }: Host): number {
    return this.#counters[number] ?? 0
  }

  /** Of that what cannot be taken back any more: others are lifted to this, or a wrong guess would cost them. */
  servedAt({ number }: Host): number {
    return (this.#counters[number] ?? 0) - (this.#expected[number] ?? 0)
  }

  /** `share`: cost divided by the weight; less than nothing for what is given back. */
  charge({ number }: Host, share: number): void {
    this.#counters[number] = (this.#counters[number] ?? 0) + share
  }

  /** The same, of what is only expected so far. */
  expect(host: Host, share: number): void {
    this.#expected[host.number] = (this.#expected[host.number] ?? 0) + share
    this.charge(host, share)
  }

  /** It turned out what was expected. What a lift has taken in meanwhile is not given back: it would be a lift undone. */
  turnedOut(host: Host, expected: number, actual: number): void {
    const { number } = host
    const lifted = Math.min(this.#lifted[number] ?? 0, expected)
    this.#lifted[number] = (this.#lifted[number] ?? 0) - lifted
    this.#expected[number] = (this.#expected[number] ?? 0) - (expected - lifted)
    // Less than nothing where more was counted than there was: that is given back in any case.
    this.charge(host, Math.max(actual, lifted) - expected + Math.min(actual, 0))
  }

  /** The host has gone, and another one may have its number. */
  forget({ number }: Host): void {
    for (const list of [this.#counters, this.#expected, this.#lifted]) if (number < list.length) list[number] = 0
  }

  /** Up to the least of what others have: first by what is expected anyway, which is then no more to come. */
  lift(host: Host, least: number): void {
    const { number } = host
    const missing = least - this.servedAt(host)
    if (missing <= 0) return
    const lifted = Math.min(missing, this.#expected[number] ?? 0)
    this.#expected[number] = (this.#expected[number] ?? 0) - lifted
    this.#lifted[number] = (this.#lifted[number] ?? 0) + lifted
    this.charge(host, missing - lifted)
  }
}

/** Idle flows are remembered, so that who leaves and returns at once is no better off; the longest idle is forgotten first. */
export class Flows {
  readonly #idleMax: number
  readonly #flows = new Map<string, Flow>()
  /** The longest idle first. */
  readonly #idle = new Set<Flow>()
  /** By the number of a host: of the flow that was granted a slot there last, at that moment. */
  readonly #countersOfLast: number[] = []

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
   * It asks for a slot of the host, for which it has nothing waiting. It has no claim on what others were served there
   * meanwhile, nor owes what it had while nobody waited. `leastWaiting`: the least counter of those who wait for the host,
   * null where nobody does.
   */
  returns(flow: Flow, host: Host, leastWaiting: number | null): void {
    flow.lift(host, leastWaiting ?? this.#countersOfLast[host.number] ?? 0)
  }

  /** The host has gone, and another one may have its number. */
  forget(host: Host): void {
    for (const flow of this.#flows.values()) flow.forget(host)
    this.#countersOfLast[host.number] = 0
  }

  granted(flow: Flow, host: Host): void {
    flow.running++
    this.#idle.delete(flow)
    this.#countersOfLast[host.number] = flow.servedAt(host)
  }

  released(flow: Flow): void {
    flow.running--
    this.rests(flow)
  }

  /** To be told whenever it may have become idle, or is no more. */
  rests(flow: Flow): void {
    this.#idle.delete(flow)
    if (!flow.idle) return
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
