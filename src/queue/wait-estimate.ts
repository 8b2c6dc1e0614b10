/**
 * How long a request will wait, as a range: who is likely to go before it, how long they and those that run will hold
 * their slots, and how much longer waits of its kind have really been.
 */
import type { Clock } from '../base/clock.ts'
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import { Demands } from './demands.ts'
import type { Flow } from './flow.ts'
import type { FlowQueue } from './flow-queue.ts'
import { HoldTimes } from './hold-times.ts'
import type { Lane } from './lane.ts'
import { Lease } from './lease.ts'
import type { Line } from './line.ts'
import type { SlotRequest } from './slot-request.ts'
import { WaitRatios } from './wait-ratios.ts'
import type { Waiter } from './waiter.ts'

export interface WaitEstimate {
  /** Requests that are likely to be granted a slot before it. */
  readonly position: number
  /** Of these those of its own key. */
  readonly aheadInKey: number
  /** Keys that have requests waiting. */
  readonly keysWaiting: number
  /** Half of all such waits are shorter; null where nothing is known yet. */
  readonly p50Ms: number | null
  readonly p90Ms: number | null
}

/** What a request was told when it came. */
export interface Announced extends WaitEstimate {
  /** Before calibration; 0 where nothing was known. */
  readonly baseMs: number
}

/** Of so many queues in a lane and class all are looked at; of more a sample. */
const queuesMax = 256
/** What has run longer than expected is expected to run on for this part of that. */
const overdueShare = 0.5
/** A flow is left this part of the slots at least, or a wait would have no end. */
const shareLeast = 0.1

export class WaitEstimator {
  readonly #clock: Clock
  readonly #holds = new HoldTimes()
  readonly #demands = new Demands()
  readonly #ratios = new WaitRatios()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A slot was given back. */
  held({ asked, bill, together }: Lease, heldMs: number): void {
    this.#holds.learn(asked, { ...bill.served, together }, heldMs)
  }

  /** It came for a slot: what its flow asks for is known from such. */
  came(flow: Flow, { route, tokens }: SlotRequest): void {
    const holdMs = this.#holds.expectedMs(route.model, { ...tokens, together: 1 })
    if (holdMs !== null) this.#demands.add(flow, holdMs, this.#clock.now())
  }

  /** How long a wait really was, or that it was given up after so long. */
  became(waiter: Waiter, { baseMs, position }: Announced, waitMs: number): void {
    if (baseMs > 0) this.#ratios.add(kindOf(waiter, position), waitMs / baseMs)
  }

  /** Of one that waits, or is about to: then it would come last. `hostsOf`: those that could take what waits in a lane. */
  estimate(waiter: Waiter, line: Line, hostsOf: (lane: Lane) => readonly Host[]): Announced {
    const hosts = hostsOf(waiter.lane)
    const running = this.#running(hosts)
    const ahead = this.#ahead(waiter, running, sharing(line.lanes(), hosts, hostsOf))
    const { position, aheadInKey } = ahead
    const place = { position, aheadInKey, keysWaiting: line.flowsWaiting }
    const startMs = startsInMs(running.restsMs, position, ahead.holdMsMean)
    if (startMs === null) return { ...place, p50Ms: null, p90Ms: null, baseMs: 0 }
    const baseMs = startMs * this.#stretch(waiter.flow, aheadInKey, running.restsMs.length)
    const { p50, p90 } = this.#ratios.of(kindOf(waiter, position))
    return { ...place, p50Ms: baseMs * p50, p90Ms: baseMs * p90, baseMs }
  }

  /** Newcomers of other flows pass those that wait behind requests of their own flow; one that is its first is not passed. */
  #stretch(flow: Flow, aheadInKey: number, slots: number): number {
    if (aheadInKey === 0) return 1
    const share = Math.max(shareLeast, this.#demands.shareLeft(flow, slots, this.#clock.now()))
    const passed = aheadInKey / (aheadInKey + 1)
    return 1 + passed * (1 / share - 1)
  }

  /** When each slot of the hosts is likely to be given back, and what each flow will still be charged for what runs. */
  #running(hosts: readonly Host[]): Running {
    const now = this.#clock.now()
    const restsMs: number[] = []
    const costToCome = new Map<Flow, number>()
    let together = 1
    for (const host of hosts) {
      together = Math.max(together, host.leases.size)
      for (const lease of host.leases) {
        if (!(lease instanceof Lease)) continue
        const { bill, grantedAtMs, asked } = lease
        const holdMs = this.#holds.expectedMs(asked, { ...bill.expected, together: host.leases.size })
        if (holdMs === null) continue
        restsMs.push(Math.max(holdMs - (now - grantedAtMs), overdueShare * holdMs))
        costToCome.set(bill.flow, (costToCome.get(bill.flow) ?? 0) + bill.toCome)
      }
    }
    return { restsMs: restsMs.toSorted((a, b) => a - b), costToCome, together }
  }

  /** Of each other flow that what would be served until its counter has caught up; of its own what came before it. */
  #ahead(waiter: Waiter, { costToCome, together }: Running, lanes: readonly Lane[]) {
    const { flow } = waiter
    const levelOf = (other: Flow): number => other.counter + (costToCome.get(other) ?? 0) / other.weight
    const own = queuesOf(lanes, (queue) => queue.flow === flow && !isAfter(queue.class, waiter.class))
    let aheadInKey = 0
    for (const { queue } of own) aheadInKey += before(queue, waiter)
    const level = levelOf(flow) + aheadInKey * meanCost(flow)
    let position = aheadInKey
    let holdMs = aheadInKey * this.#meanHoldMs(waiter.lane.route.model, flow, together)
    for (const { queue, weight } of queuesOf(lanes, (one) => one.flow !== flow && competes(one.class, waiter.class))) {
      const count = weight * countUntil(queue, level - levelOf(queue.flow), waiter.class)
      position += count
      holdMs += count * this.#meanHoldMs(queue.head?.request.route.model ?? '', queue.flow, together)
    }
    return { position: Math.round(position), aheadInKey, holdMsMean: position === 0 ? 0 : holdMs / position }
  }

  /** Of what waits of the flow. */
  #meanHoldMs(model: string, { waiting, waitingInput, waitingTokens }: Flow, together: number): number {
    if (waiting === 0) return 0
    const mean = { input: waitingInput / waiting, output: (waitingTokens - waitingInput) / waiting, together }
    return this.#holds.expectedMs(model, mean) ?? 0
  }
}

function kindOf({ flow, request }: Waiter, position: number) {
  return { flow: flow.id, model: request.route.model, class: request.class, position }
}

interface Running {
  /** The soonest first. */
  readonly restsMs: readonly number[]
  readonly costToCome: ReadonlyMap<Flow, number>
  /** Leases of the fullest of the hosts. */
  readonly together: number
}

/** When so many were granted a slot before: each slot in turn, as it becomes free. Null where nothing is known. */
function startsInMs(restsMs: readonly number[], position: number, holdMsMean: number): number | null {
  const slots = restsMs.length
  const first = restsMs[position % Math.max(1, slots)]
  return first === undefined ? null : first + Math.floor(position / slots) * holdMsMean
}

/** Lanes whose requests could take a slot of these hosts. */
function sharing(
  lanes: Iterable<Lane>,
  hosts: readonly Host[],
  hostsOf: (lane: Lane) => readonly Host[],
): readonly Lane[] {
  return [...lanes].filter((lane) => hostsOf(lane).some((host) => hosts.includes(host)))
}

/** Those of the lanes that are wanted, each with how many it stands for. */
function* queuesOf(
  lanes: readonly Lane[],
  wanted: (queue: FlowQueue) => boolean,
): Generator<{ readonly queue: FlowQueue; readonly weight: number }> {
  for (const lane of lanes) {
    for (const { queue, weight } of lane.sample(queuesMax)) if (wanted(queue)) yield { queue, weight }
  }
}

function before(queue: FlowQueue, { order }: Waiter): number {
  if (order === Number.POSITIVE_INFINITY) return queue.size
  let count = 0
  for (const waiter of queue) {
    if (waiter.order >= order) break
    count++
  }
  return count
}

/** How many of the queue go first, where its flow is so far behind; before bulk, all of what is more urgent. */
function countUntil(queue: FlowQueue, behind: number, ofClass: RequestClass): number {
  if (ofClass === 'bulk' && queue.class !== 'bulk') return queue.size
  const cost = meanCost(queue.flow)
  if (behind <= 0) return 0
  return cost === 0 ? queue.size : Math.min(queue.size, Math.ceil(behind / cost))
}

/** Bulk is never before what is more urgent, and the other two classes compete. */
function competes(other: RequestClass, own: RequestClass): boolean {
  return own === 'bulk' || other !== 'bulk'
}

function isAfter(a: RequestClass, b: RequestClass): boolean {
  return requestClasses.indexOf(a) > requestClasses.indexOf(b)
}

/** Of one request of the flow that waits, as its counter will see it. */
function meanCost({ waiting, waitingCost, weight }: Flow): number {
  return waiting === 0 ? 0 : waitingCost / waiting / weight
}
