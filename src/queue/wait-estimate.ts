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
import { type HoldTime, HoldTimes } from './hold-times.ts'
import type { Lane } from './lane.ts'
import type { LaneHosts } from './lane-hosts.ts'
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

/** So many lanes, and queues of all of them together, are looked at; of more a sample. */
const lanesMax = 64
const queuesMax = 64
/** However long it has run, one is expected to run on for this part of what was expected: nobody knows its end. */
const overdueShare = 0.5
/** A flow is left this part of the slots at least, or a wait would have no end. */
const shareLeast = 0.1

export class WaitEstimator {
  readonly #clock: Clock
  readonly #isFair: boolean
  readonly #holds = new HoldTimes()
  readonly #demands = new Demands()
  readonly #ratios = new WaitRatios()

  /** `isFair`: the least served goes first, and not whoever came first. */
  constructor(clock: Clock, isFair: boolean) {
    this.#clock = clock
    this.#isFair = isFair
  }

  /** The slot of a whole answer was given back: how long a host takes to fail, or a client to leave, tells nothing of how long it works. */
  held({ asked, bill, together }: Lease, heldMs: number): void {
    this.#holds.learn(asked, { ...bill.served, together }, heldMs)
  }

  /** What was generated about, where nothing of an answer was to be seen until its client left. */
  unseenTokens({ asked, bill, together }: Lease, heldMs: number): number {
    const { input, output } = bill.expected
    const most = this.#holds.of(asked)?.tokensIn(heldMs, { input, together }) ?? output
    return Math.min(output, most)
  }

  /** Whether enough is known to refuse a request for what its wait is likely to be. */
  isSure({ route }: SlotRequest): boolean {
    return this.#holds.of(route.model)?.isSure === true
  }

  /** It came for a slot: what its flow asks for is known from such. */
  came(flow: Flow, { route, tokens }: SlotRequest): void {
    const holdMs = this.#holds.of(route.model)?.expectedMs({ ...tokens, together: 1 })
    if (holdMs !== undefined) this.#demands.add(flow, holdMs, this.#clock.now())
  }

  /** How long a wait really was, or at the least, where it was given up beyond its median. */
  became(waiter: Waiter, { baseMs, position }: Announced, waitMs: number): void {
    if (baseMs > 0) this.#ratios.add(kindOf(waiter, position), waitMs / baseMs, this.#clock.now())
  }

  /** Of one that waits, or is about to: then it would come last. */
  estimate(waiter: Waiter, line: Line, laneHosts: LaneHosts): Announced {
    return this.#estimate(waiter, line, laneHosts, laneHosts.granting(waiter.lane))
  }

  /** Of one that waits for this host alone, for a while: there is a slot elsewhere by then, as far as can be known now. */
  estimateHeld(waiter: Waiter, line: Line, laneHosts: LaneHosts, host: Host): Announced {
    const estimate = this.#estimate(waiter, line, laneHosts, [host])
    const first = [...line.heldFor(host)].filter(({ order }) => order < waiter.order)
    const ofKey = first.filter(({ flow }) => flow === waiter.flow).length
    const now = this.#clock.now()
    const leftMs = Math.max(0, waiter.heldUntilMs - now)
    const expectedMs = estimate.p50Ms ?? Math.max(0, waiter.slotExpectedAtMs - now)
    return {
      ...estimate,
      position: estimate.position + first.length,
      aheadInKey: estimate.aheadInKey + ofKey,
      p50Ms: Math.min(leftMs, expectedMs),
      p90Ms: leftMs,
      // It tells nothing of how long those wait who take any slot.
      baseMs: 0,
    }
  }

  #estimate(waiter: Waiter, line: Line, laneHosts: LaneHosts, hosts: readonly Host[]): Announced {
    const running = this.#running(hosts)
    const { position, aheadInKey, holdMsMean } = this.#ahead(
      waiter,
      running,
      sharing(waiter.lane, line, laneHosts, hosts),
    )
    const place = { position, aheadInKey, keysWaiting: line.flowsWaiting }
    const startMs = startsInMs(running.restsMs, position, holdMsMean)
    if (startMs === null) return { ...place, p50Ms: null, p90Ms: null, baseMs: 0 }
    const baseMs = startMs * this.#stretch(waiter.flow, aheadInKey, running.restsMs.length)
    const { p50, p90 } = this.#ratios.of(kindOf(waiter, position), this.#clock.now())
    return { ...place, p50Ms: baseMs * p50, p90Ms: baseMs * p90, baseMs }
  }

  /** Newcomers of other flows pass those that wait behind requests of their own flow; one that is its first is not passed. */
  #stretch(flow: Flow, aheadInKey: number, slots: number): number {
    if (aheadInKey === 0 || !this.#isFair) return 1
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
    // Most slots are those of one model.
    let ofModel: HoldTime | undefined
    let model: string | null = null
    for (const host of hosts) {
      together = Math.max(together, host.leases.size)
      for (const lease of host.leases) {
        if (!(lease instanceof Lease)) continue
        const { bill, grantedAtMs, asked } = lease
        const { input, output } = bill.expected
        if (asked !== model) ofModel = this.#holds.of(asked)
        model = asked
        const holdMs = ofModel?.expectedMs({ input, output, together: host.leases.size })
        if (holdMs === undefined) continue
        restsMs.push(Math.max(holdMs - (now - grantedAtMs), overdueShare * holdMs))
        costToCome.set(bill.flow, (costToCome.get(bill.flow) ?? 0) + bill.toCome)
      }
    }
    const levelOf = (flow: Flow): number => {
      // What all of them charge together comes to each in parts.
      const counters = hosts.reduce((sum, host) => sum + flow.counterAt(host), 0)
      return counters + (costToCome.get(flow) ?? 0) / flow.weight
    }
    return { restsMs: restsMs.toSorted((a, b) => a - b), levelOf, together }
  }

  /** Of each other flow that what would be served until its counter has caught up; of its own what came before it. */
  #ahead(waiter: Waiter, { levelOf, together }: Running, { lanes, weight: laneWeight }: Sharing) {
    const { flow } = waiter
    let aheadInKey = 0
    for (const queue of flow.queues) {
      if (lanes.has(queue.lane) && !isAfter(queue.class, waiter.class)) aheadInKey += before(queue, waiter)
    }
    const level = levelOf(flow) + aheadInKey * meanCost(flow)
    let position = aheadInKey
    let holdMs = aheadInKey * meanHoldMs(flow, this.#holds.of(waiter.lane.route.model), together)
    for (const lane of lanes) {
      const hold = this.#holds.of(lane.route.model)
      lane.sample(queuesMax / lanes.size, (queue, weight) => {
        if (queue.flow === flow || !competes(queue.class, waiter.class)) return
        const isFair = this.#isFair
        const count = isFair ? countUntil(queue, level - levelOf(queue.flow), waiter.class) : before(queue, waiter)
        if (count === 0) return
        position += count * weight * laneWeight
        holdMs += count * weight * laneWeight * meanHoldMs(queue.flow, hold, together)
      })
    }
    return { position: Math.round(position), aheadInKey, holdMsMean: position === 0 ? 0 : holdMs / position }
  }
}

/** Of what waits of the flow. */
function meanHoldMs(
  { waiting, waitingInput, waitingTokens }: Flow,
  hold: HoldTime | undefined,
  together: number,
): number {
  if (waiting === 0 || hold === undefined) return 0
  return hold.expectedMs({ input: waitingInput / waiting, output: (waitingTokens - waitingInput) / waiting, together })
}

function kindOf({ flow, request }: Waiter, position: number) {
  return { flow: flow.id, model: request.route.model, class: request.class, position }
}

interface Running {
  /** The soonest first. */
  readonly restsMs: readonly number[]
  /** What a flow was served at the hosts, and will have been once what runs is over. */
  readonly levelOf: (flow: Flow) => number
  /** Leases of the fullest of the hosts. */
  readonly together: number
}

/** When so many were granted a slot before: each slot in turn, as it becomes free. Null where nothing is known. */
function startsInMs(restsMs: readonly number[], position: number, holdMsMean: number): number | null {
  const slots = restsMs.length
  const first = restsMs[position % Math.max(1, slots)]
  return first === undefined ? null : first + Math.floor(position / slots) * holdMsMean
}

interface Sharing {
  readonly lanes: ReadonlySet<Lane>
  /** For how many each of them stands. */
  readonly weight: number
}

/** Lanes whose requests could take a slot of these hosts: all, or so many evenly taken and its own. */
function sharing(own: Lane, line: Line, laneHosts: LaneHosts, hosts: readonly Host[]): Sharing {
  const lanes = new Set([own])
  const weight = Math.max(1, line.laneCount / lanesMax)
  let next = 0
  let at = 0
  for (const lane of line.lanes()) {
    if (at++ < next) continue
    next += weight
    if (hosts.some((host) => laneHosts.takes(lane, host))) lanes.add(lane)
  }
  return { lanes, weight }
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
