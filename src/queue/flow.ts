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

/** Of a flow at one host, in cost divided by the weight. */
export interface FlowAccount {
  /** By this gateway for good, since it knows the flow. */
  readonly served: number
  /** Of what runs here, beside that. */
  readonly expected: number
  /** With what this gateway served, it counts for no less: where lifts have brought it to. */
  readonly floor: number
}

/** What other gateways before the same hosts have to say about that. */
export interface FlowsElsewhere {
  /** It was given a slot here. */
  granted(flow: Flow, host: Host): void
  /** The host has gone. */
  forget(host: Host): void
  /** Of those who wait for the host at other gateways the least that was served; null where nobody is known to. */
  leastWaiting(host: Host): number | null
  /** Of those that others granted a slot there last, the most that one was served. */
  lastGranted(host: Host): number
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
  /** Of the counter what this gateway did not serve: what lifts added, and what others served. Of what is expected its own. */
  readonly #notServedHere: number[] = []
  readonly #expectedHere: number[] = []
  /** Where the last lift brought it to, less what this gateway had served by then. */
  readonly #floors: number[] = []

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
    add(this.#expectedHere, host, share)
    add(this.#expected, host, share)
    this.charge(host, share)
  }

  /** It turned out what was expected. */
  turnedOut(host: Host, expected: number, actual: number): void {
    const charged = this.#settle(host, expected, actual)
    add(this.#expectedHere, host, -expected)
    add(this.#notServedHere, host, charged - actual)
  }

  /** So much more was served by another gateway for good, and is expected of what runs there: both may be less than nothing. */
  servedElsewhere(host: Host, served: number, expected: number): void {
    const before = this.counterAt(host)
    if (expected < 0) this.#settle(host, -expected, served)
    else {
      add(this.#expected, host, expected)
      this.charge(host, expected + served)
    }
    add(this.#notServedHere, host, this.counterAt(host) - before)
  }

  accountAt(host: Host): FlowAccount {
    const { number } = host
    const expected = this.#expectedHere[number] ?? 0
    const served = this.counterAt(host) - (this.#notServedHere[number] ?? 0) - expected
    return { served, expected, floor: (this.#floors[number] ?? 0) + served }
  }

  /** The host has gone, and another one may have its number. */
  forget({ number }: Host): void {
    const here = [this.#notServedHere, this.#expectedHere, this.#floors]
    for (const list of [this.#counters, this.#expected, this.#lifted, ...here])
      if (number < list.length) list[number] = 0
  }

  /** Up to the least of what others have: first by what is expected anyway, which is then no more to come. */
  lift(host: Host, least: number): void {
    const { number } = host
    const missing = least - this.servedAt(host)
    if (missing <= 0) return
    const lifted = Math.min(missing, this.#expected[number] ?? 0)
    add(this.#expected, host, -lifted)
    add(this.#lifted, host, lifted)
    add(this.#notServedHere, host, missing - lifted)
    this.charge(host, missing - lifted)
    this.#floors[number] = least - this.accountAt(host).served
  }

  /** As others count that were here before. */
  raise(host: Host, by: number): void {
    add(this.#notServedHere, host, by)
    add(this.#floors, host, by)
    this.charge(host, by)
  }

  /** What is charged instead of what was expected: what a lift has taken in meanwhile is not given back, it would be a lift undone. */
  #settle(host: Host, expected: number, actual: number): number {
    const { number } = host
    const lifted = Math.min(this.#lifted[number] ?? 0, expected)
    add(this.#lifted, host, -lifted)
    add(this.#floors, host, -Math.min(lifted, Math.max(0, actual)))
    add(this.#expected, host, lifted - expected)
    // Less than nothing where more was counted than there was: that is given back in any case.
    const charged = Math.max(actual, lifted) + Math.min(actual, 0)
    this.charge(host, charged - expected)
    return charged
  }
}

function add(list: number[], { number }: Host, more: number): void {
  list[number] = (list[number] ?? 0) + more
}

/** Idle flows are remembered, so that who leaves and returns at once is no better off; the longest idle is forgotten first. */
export class Flows {
  readonly #idleMax: number
  readonly #flows = new Map<string, Flow>()
  /** The longest idle first. */
  readonly #idle = new Set<Flow>()
  /** By the number of a host: of the flow that was granted a slot there last, at that moment. */
  readonly #countersOfLast: number[] = []
  #elsewhere: FlowsElsewhere | null = null

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

  /** From now on those that wait elsewhere count as those that wait here. */
  shareWith(elsewhere: FlowsElsewhere): void {
    this.#elsewhere = elsewhere
  }

  /** One that was served at another gateway; what is told of one that never comes here is forgotten as of any that rests. */
  heard(id: string): Flow {
    const flow = this.#flows.get(id) ?? this.of({ id, name: id, weight: 1 })
    this.rests(flow)
    return flow
  }

  /** All that wait or run, and whoever comes, are counted from so much higher: as the others count that were here before. */
  raise(host: Host, by: number): void {
    for (const flow of this.#flows.values()) if (!flow.idle) flow.raise(host, by)
    this.#countersOfLast[host.number] = this.lastGranted(host) + by
  }

  /** Of the flow that was granted a slot there last, at that moment. */
  lastGranted({ number }: Host): number {
    return this.#countersOfLast[number] ?? 0
  }

  /**
   * It asks for a slot of the host, for which it has nothing waiting. It has no claim on what others were served there
   * meanwhile, nor owes what it had while nobody waited. `leastWaiting`: the least counter of those who wait for the host,
   * null where nobody does.
   */
  returns(flow: Flow, host: Host, leastWaiting: number | null): void {
    flow.lift(
      host,
      this.#elsewhere === null ? (leastWaiting ?? this.lastGranted(host)) : this.#level(host, leastWaiting),
    )
  }

  /** The host has gone, and another one may have its number. */
  forget(host: Host): void {
    for (const flow of this.#flows.values()) flow.forget(host)
    this.#countersOfLast[host.number] = 0
    this.#elsewhere?.forget(host)
  }

  /** It has a slot at once. */
  granted(flow: Flow, host: Host): void {
    this.reserved(flow)
    this.begins(flow, host)
  }

  /** It is to have a slot. */
  reserved(flow: Flow): void {
    flow.running++
    this.#idle.delete(flow)
  }

  /** It has the slot that was reserved for it. */
  begins(flow: Flow, host: Host): void {
    this.#countersOfLast[host.number] = flow.servedAt(host)
    this.#elsewhere?.granted(flow, host)
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

  /** As of one line: what counts is who waits, wherever that is. */
  #level(host: Host, leastHere: number | null): number {
    const leastElsewhere = this.#elsewhere?.leastWaiting(host) ?? null
    if (leastHere !== null && leastElsewhere !== null) return Math.min(leastHere, leastElsewhere)
    return leastHere ?? leastElsewhere ?? Math.max(this.lastGranted(host), this.#elsewhere?.lastGranted(host) ?? 0)
  }

  [Symbol.iterator](): Iterator<Flow> {
    return this.#flows.values()
  }
}
