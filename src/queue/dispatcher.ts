/**
 * Grants slots: at once where a host is free, else in the order of the line, at the moment one becomes free.
 *
 * 1. A host is chosen when a slot is there, never earlier, so a slower host helps only when that really is sooner.
 * 2. While a slot is free, nobody waits who could use it: every event that frees or adds one serves the line first.
 * 3. A slot is a lease and is free again only when its attempt has ended.
 */
import type { Balancer } from '../balancing/balancer.ts'
import type { Decision } from '../balancing/decision.ts'
import type { BalancingEvents, HoldResult } from '../balancing/events.ts'
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import { allAtOnce, type Steps } from '../base/steps.ts'
import type { Host } from '../hosts/host.ts'
import { type Candidate, unavailable } from '../hosts/model-catalog.ts'
import { Bill, type Costs, costOf, tokenCosts } from './bill.ts'
import type { QueueEvents, Rejection, WaitOutcome } from './events.ts'
import { type Flow, Flows } from './flow.ts'
import { askForSlotBack, leavingOf } from './give-back.ts'
import type { Lane } from './lane.ts'
import { LaneHosts } from './lane-hosts.ts'
import { leadsInSteps } from './leads.ts'
import { Lease, type ToldWait } from './lease.ts'
import { Line, ranks } from './line.ts'
import { type QueueOptions, type QueueRules, queueRules } from './options.ts'
import { boundMet, hasRoom, noRoom, patienceOver, type Waiting, waitTooLong } from './refusals.ts'
import { Shares } from './shares.ts'
import type { SlotRequest } from './slot-request.ts'
import { askOf, ToldDecisions } from './told-decisions.ts'
import { ToldWaits, toldOf } from './told-waits.ts'
import type { Accuracy } from './wait-accuracy.ts'
import { type WaitEstimate, WaitEstimator } from './wait-estimate.ts'
import { Waiter } from './waiter.ts'

export interface DispatcherParts {
  readonly clock: Clock
  readonly balancer: Balancer
  readonly events: QueueEvents
  /** Is told of each choice of a host; absent where nobody looks. */
  readonly decisions?: BalancingEvents
  /** Why nobody may begin to wait just now, or null. */
  readonly noWaiting?: () => GatewayError | null
  readonly costs?: Costs
  /** What waits for something else than a slot, within the same bounds. */
  readonly waitingElsewhere?: () => Waiting
}

interface Refusal {
  /** Null where it is nothing of the line. */
  readonly reason: Rejection | null
  readonly error: GatewayError
}

/** A request's place in the line. */
export interface Turn {
  /** Leaves the line; nothing is called afterwards. Without effect once granted or refused. */
  leave(): void
  /** How long it is likely to wait from now on; null once it waits no more. */
  estimate(): WaitEstimate | null
}

const noTurn: Turn = { leave: () => {}, estimate: () => null }

/** Flows that neither wait nor run are remembered up to so many. */
const idleFlowsMax = 10_000

export class Dispatcher {
  readonly #rules: QueueRules
  readonly #parts: DispatcherParts
  readonly #line: Line
  readonly #flows = new Flows(idleFlowsMax)
  readonly #shares: Shares
  readonly #estimator: WaitEstimator
  readonly #told: ToldWaits
  readonly #decisions: ToldDecisions
  readonly #hosts: LaneHosts
  readonly #inAll = () => ({ line: this.#line, elsewhere: this.#parts.waitingElsewhere?.(), rules: this.#rules })
  /** Hosts whose slots are being given out, further up the stack. */
  readonly #serving = new Set<Host>()
  #paused = false
  #closedBy: GatewayError | null = null

  constructor(options: Omit<QueueOptions, 'bytesMax'>, parts: DispatcherParts) {
    this.#rules = queueRules(options)
    this.#parts = parts
    this.#line = new Line(ranks[options.order])
    this.#shares = new Shares(parts.clock, this.#rules.classes)
    this.#estimator = new WaitEstimator(parts.clock, options.order === 'token-fair')
    this.#hosts = new LaneHosts(parts.clock)
    this.#decisions = new ToldDecisions(parts.clock, parts.decisions)
    const { events } = parts
    const paused = (): boolean => this.#paused
    this.#told = new ToldWaits({ estimator: this.#estimator, line: this.#line, hosts: this.#hosts, events, paused })
  }

  ask(request: SlotRequest): Turn {
    if (this.#closedBy !== null) return this.#refuse(request, null, this.#closedBy)
    const lane = this.#line.laneOf(request)
    const candidates = this.#hosts.candidates(lane)
    if (candidates.length === 0) {
      const { route } = request
      return this.#refuse(request, 'no_host', route.gone() ?? unavailable(route.model))
    }
    const flow = this.#flows.of(request.holder)
    this.#return(flow, candidates)
    if (request.place === 'newcomer') this.#estimator.came(flow, request)
    const decision = this.#paused ? null : this.#choose(request, candidates, request.place === 'newcomer')
    if (decision?.place.isFree === true) {
      this.#grant(request, flow, decision, { waitMs: 0, told: null, isBulk: request.class === 'bulk' })
      return noTurn
    }
    const { clock, costs = tokenCosts } = this.#parts
    const cost = costOf(request.tokens, costs)
    const waiter = new Waiter(request, { flow, lane, sinceMs: clock.now(), cost })
    const turn = this.#wait(waiter)
    if (decision !== null && waiter.isWaiting) this.#hold(waiter, decision)
    this.#flows.rests(flow)
    return turn
  }

  /** A host came up, went away, or has other models or slots: those who wait may be served now. */
  hostsChanged(): void {
    this.#hosts.changed()
    for (const waiter of this.#line.held()) {
      if (!this.#hosts.granting(waiter.lane).some((host) => host === waiter.heldFor)) this.#letGo(waiter, 'host_gone')
    }
    for (const host of this.#hosts.ofAll(this.#line.lanes())) this.#serve(host)
    this.#makeRoom()
  }

  /** Hosts have left for good, or names lead elsewhere: whoever waits for what none has any more hears so now. */
  hostsLeft(): void {
    const lanes = new Map(Array.from(this.#line.lanes(), (lane) => [lane, lane.route.gone(lane.excluded)]))
    for (const waiter of Array.from(this.#line)) {
      const error = lanes.get(waiter.lane) ?? null
      if (error === null || !this.#remove(waiter, 'refused')) continue
      this.#parts.events.rejected(waiter.request.route.model, 'no_host')
      waiter.request.refused(error, 0)
    }
  }

  /** Nothing of a host that has gone is kept. */
  forget(host: Host): void {
    this.#flows.forget(host)
  }

  /** Nobody is granted a slot until `resume`; whoever comes waits, for as long as its patience lasts. */
  pause(): void {
    this.#paused = true
    // What those were told who wait already holds no more, and nothing is to be learned from it.
    for (const waiter of this.#line) waiter.announced = null
  }

  resume(): void {
    this.#paused = false
    this.hostsChanged()
  }

  get paused(): boolean {
    return this.#paused
  }

  get rules(): QueueRules {
    return this.#rules
  }

  /** From now on everybody is refused, those in the line included. */
  close(error: GatewayError): void {
    this.#closedBy = error
    for (const waiter of Array.from(this.#line)) {
      if (this.#remove(waiter, 'refused')) waiter.request.refused(error, 0)
    }
  }

  /** Patience of a class. */
  waitMsMax(ofClass: RequestClass): number {
    return this.#rules.classes[ofClass].waitMsMax
  }

  /** All who wait, in no order. */
  waiting(): Iterable<Waiter> {
    return this.#line
  }

  /** Those that wait or run, and some that did. */
  flows(): Iterable<Flow> {
    return this.#flows
  }

  /** How much more each flow was served than the least served of those that wait for the same host; the largest of several. */
  leads(): ReadonlyMap<Flow, number> {
    return allAtOnce(this.leadsInSteps())
  }

  /** The same for a line that may be long; of those who wait when it begins. */
  leadsInSteps(): Steps<ReadonlyMap<Flow, number>> {
    return leadsInSteps(this.#line, this.#hosts)
  }

  get length(): number {
    return this.#line.size
  }

  /** Whether one more with so many tokens may wait, for its limits or for a slot. */
  hasRoom(tokens: number): boolean {
    return hasRoom(tokens, this.#inAll())
  }

  estimateOf(waiter: Waiter): WaitEstimate {
    return this.#told.estimate(waiter)
  }

  /** How good the estimates were that requests were told when they came. */
  accuracy(): Accuracy {
    return this.#told.accuracy()
  }

  #wait(waiter: Waiter): Turn {
    const { request } = waiter
    const patienceMs = request.patienceMs ?? this.waitMsMax(request.class)
    const announced = this.#told.reckon(waiter)
    if (request.place === 'newcomer') {
      const refusal = this.#keptOut(waiter, this.#told.shown(announced), patienceMs)
      if (refusal !== null) return this.#refuse(request, refusal.reason, refusal.error)
      if (!this.#paused) waiter.announced = announced
    }
    this.#line.add(waiter, request.place)
    waiter.patience = this.#parts.clock.after(patienceMs, () => this.#timeOut(waiter))
    this.#promoteLater(waiter)
    if (request.class === 'interactive' && !this.#paused) this.#askForSlotBack(waiter.lane)
    return {
      leave: () => void this.#remove(waiter, 'left'),
      estimate: () => (waiter.isWaiting ? this.estimateOf(waiter) : null),
    }
  }

  /** Why a newcomer may not begin to wait, or null. */
  #keptOut({ request, flow }: Waiter, estimate: WaitEstimate, patienceMs: number): Refusal | null {
    const bound = boundMet(request, { flow, ...this.#inAll() })
    if (bound !== null) return { reason: bound === 'all' ? 'full' : 'key_full', error: noRoom(bound, estimate) }
    const stopped = this.#parts.noWaiting?.() ?? null
    if (stopped !== null) return { reason: null, error: stopped }
    // Whoever would be the next keeps nobody waiting, and somebody must wait for the estimate to be put right.
    if (estimate.position === 0 || !this.#estimator.isSure(request)) return null
    if ((estimate.p50Ms ?? 0) <= patienceMs) return null
    return { reason: 'wait_too_long', error: waitTooLong(estimate, patienceMs) }
  }

  /** True where bulk gives a slot back that the interactive requests of the lane could take. */
  #askForSlotBack(lane: Lane): boolean {
    const given = askForSlotBack(this.#hosts.granting(lane), this.#shares)
    if (given !== null) this.#parts.events.gaveBack(given.asked)
    return given !== null
  }

  /** Also for those that came while nobody was given anything, or whose slot another class had a claim on. */
  #makeRoom(): void {
    if (this.#paused || this.#line.waitingOf('interactive') === 0) return
    for (const lane of Array.from(this.#line.lanes())) {
      if (lane.waitingOf.interactive === 0) continue
      // One that is given back at once leads here again, so that each time is counted anew.
      while (lane.waitingOf.interactive > this.#leaving(lane)) if (!this.#askForSlotBack(lane)) break
    }
  }

  /** Slots that will be given back soon, of hosts that take the lane. */
  #leaving(lane: Lane): number {
    return this.#hosts.granting(lane).reduce((sum, host) => sum + leavingOf(host).length, 0)
  }

  #promoteLater(waiter: Waiter): void {
    const { promoteAfterMs } = this.#rules.classes[waiter.class]
    if (promoteAfterMs === null) return
    waiter.promotion = this.#parts.clock.after(promoteAfterMs, () => this.#line.promote(waiter))
  }

  /** A flow has no claim on what others had while it did not wait. */
  #return(flow: Flow, candidates: readonly Candidate[]): void {
    for (const { host } of candidates) {
      const takes = (lane: Lane): boolean => this.#hosts.takes(lane, host)
      if (flow.queues.some(({ lane }) => takes(lane))) continue
      this.#flows.returns(flow, host, this.#line.leastCounter(host, takes))
    }
  }

  /** Gives the free slots of the host to those who go next. */
  #serve(host: Host): void {
    // Whoever is granted one may give it back at once, which leads here again.
    if (this.#serving.has(host)) return
    this.#serving.add(host)
    try {
      while (!this.#paused && this.#line.size > 0 && host.available && host.hasFreeSlot) {
        const next = this.#next(host)
        if (next === undefined || !this.#grantNext(next)) return
      }
    } finally {
      this.#serving.delete(host)
    }
  }

  #next(host: Host): Waiter | undefined {
    return this.#line.next({ host, fits: (lane) => this.#hosts.takes(lane, host), isShort: this.#shares.at(host) })
  }

  /** False, and it waits on, when its slot was gone by time alone since it was found. */
  #grantNext(waiter: Waiter): boolean {
    const decision = this.#choose(waiter.request, this.#hosts.candidates(waiter.lane), !waiter.wasHeld)
    if (decision === null) return false
    if (!decision.place.isFree) {
      this.#hold(waiter, decision)
      return true
    }
    const waitMs = this.#parts.clock.now() - waiter.sinceMs
    this.#decisions.holdEnded(waiter, 'granted')
    this.#takeOut(waiter)
    this.#told.over(waiter, waitMs)
    const told = toldOf(waiter)
    this.#grant(waiter.request, waiter.flow, decision, { waitMs, told, isBulk: waiter.class === 'bulk' })
    return true
  }

  #choose(request: SlotRequest, candidates: readonly Candidate[], mayWait: boolean): Decision | null {
    const waitingFor = (host: Host): number => this.#line.heldFor(host)
    return this.#parts.balancer.choose(askOf(request), candidates, { mayWait, waitingFor })
  }

  /** It had its turn, and waits for a host that is full: the next slot there is its own, for as long as that is better. */
  #hold(waiter: Waiter, decision: Decision): void {
    this.#line.hold(waiter, decision.place.host)
    this.#decisions.held(waiter, decision)
    waiter.patienceForHost = this.#parts.clock.after(decision.waitMsMax, () => {
      this.#letGo(waiter, 'let_go')
      for (const host of this.#hosts.granting(waiter.lane)) this.#serve(host)
    })
  }

  #letGo(waiter: Waiter, result: HoldResult): void {
    this.#decisions.holdEnded(waiter, result)
    this.#line.letGo(waiter)
  }

  /** `isBulk`: it still counts as that; what has waited so long that it does not keeps its slot. */
  #grant(
    request: SlotRequest,
    flow: Flow,
    decision: Decision,
    { waitMs, told, isBulk }: { waitMs: number; told: ToldWait | null; isBulk: boolean },
  ): void {
    const { clock, balancer, events, costs = tokenCosts } = this.#parts
    const { host } = decision.place
    this.#flows.granted(flow, host)
    const bill = new Bill(flow, { host, expected: request.tokens, costs })
    const { route, class: ofClass } = request
    const assignment = balancer.begin(askOf(request), decision.place, bill)
    const lease = new Lease(decision, {
      grantedAtMs: clock.now(),
      bill,
      assignment,
      record: this.#decisions.granted(request, decision, waitMs),
      asked: route.model,
      class: ofClass,
      told,
      giveBack: isBulk ? request.giveBack?.bind(request) : undefined,
      onRelease: (released) => this.#released(released),
    })
    if (waitMs > 0) lease.host.heldBack()
    events.waitEnded({ model: request.route.model, class: request.class }, 'granted', waitMs)
    request.granted(lease, waitMs)
  }

  #released(lease: Lease): void {
    const { bill, host } = lease
    const heldMs = this.#parts.clock.now() - lease.grantedAtMs
    this.#told.released(lease, heldMs)
    lease.assignment.end()
    bill.close()
    this.#shares.released(lease)
    this.#flows.released(bill.flow)
    this.#serve(host)
    this.#makeRoom()
  }

  #timeOut(waiter: Waiter): void {
    const { request } = waiter
    const estimate = this.estimateOf(waiter)
    if (!this.#remove(waiter, 'timeout')) return
    this.#parts.events.rejected(request.route.model, 'timeout')
    const busyForMs = this.#hosts.busyForMs(waiter.lane)
    const patienceMs = this.waitMsMax(request.class)
    request.refused(patienceOver(estimate, { patienceMs, busyForMs }), busyForMs)
  }

  #remove(waiter: Waiter, outcome: WaitOutcome): boolean {
    if (waiter.isWaiting) this.#decisions.holdEnded(waiter, 'left')
    if (!this.#takeOut(waiter)) return false
    const { request, sinceMs, flow } = waiter
    const waitMs = this.#parts.clock.now() - sinceMs
    this.#parts.events.waitEnded({ model: request.route.model, class: request.class }, outcome, waitMs)
    if (outcome === 'timeout' || outcome === 'left') this.#told.givenUp(waiter, waitMs)
    this.#flows.rests(flow)
    return true
  }

  #takeOut(waiter: Waiter): boolean {
    waiter.patience?.cancel()
    waiter.promotion?.cancel()
    waiter.patienceForHost?.cancel()
    return this.#line.remove(waiter)
  }

  #refuse(request: SlotRequest, reason: Rejection | null, error: GatewayError): Turn {
    const { model } = request.route
    if (reason !== null) this.#parts.events.rejected(model, reason)
    this.#parts.events.waitEnded({ model, class: request.class }, 'refused', 0)
    request.refused(error, 0)
    return noTurn
  }
}
