/**
 * Grants slots: at once where a host is free, else in the order of the line, at the moment one becomes free.
 *
 * 1. A host is chosen when a slot is there, never earlier, so a slower host helps only when that really is sooner.
 * 2. While a slot is free, nobody waits who could use it: every event that frees or adds one serves the line first. But for
 *    those for whom another host is worth waiting for: they had their turn, and took none.
 * 3. A slot is a lease and is free again only when its attempt has ended.
 */
import type { Balancer } from '../balancing/balancer.ts'
import type { Decision } from '../balancing/decision.ts'
import type { BalancingEvents } from '../balancing/events.ts'
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import { allAtOnce, type Steps } from '../base/steps.ts'
import type { Host } from '../hosts/host.ts'
import type { ResidencyPlanner } from '../hosts/residency.ts'
import type { Candidate } from '../hosts/route.ts'
import { type Costs, costOf, tokenCosts } from './bill.ts'
import { Choices } from './choices.ts'
import { Deadlines } from './deadlines.ts'
import type { QueueEvents, Rejection, SharedSlotsState, WaitOutcome } from './events.ts'
import { type Flow, Flows } from './flow.ts'
import { GiveBack } from './give-back.ts'
import { Grants } from './grants.ts'
import { Holds } from './holds.ts'
import { LaneHosts } from './lane-hosts.ts'
import { leadsInSteps } from './leads.ts'
import type { Lease } from './lease.ts'
import { liftOnReturn } from './lift-on-return.ts'
import { Line, ranks } from './line.ts'
import { ModelWaits } from './model-waits.ts'
import type { QueueOptions } from './options.ts'
import { Patience } from './patience.ts'
import type { Waiting } from './refusals.ts'
import { type QueueRules, queueRules } from './rules.ts'
import { Serving } from './serving.ts'
import { SharedGrants, type Sharing } from './shared-grants.ts'
import { LineOfShared } from './shared-line.ts'
import { Shares } from './shares.ts'
import { noTurn, type SlotRequest, type Turn } from './slot-request.ts'
import { Stranded } from './stranded.ts'
import { askOf, ToldDecisions } from './told-decisions.ts'
import { type ToldEstimate, ToldWaits, toldOf } from './told-waits.ts'
import type { Accuracy } from './wait-accuracy.ts'
import { WaitEstimator } from './wait-estimate.ts'
import { Waiter } from './waiter.ts'
import { WaitingTurn } from './waiting-turn.ts'

export interface DispatcherParts {
  readonly clock: Clock
  readonly balancer: Balancer
  readonly events: QueueEvents
  /** Is told of each choice of a host; absent where nobody looks. */
  readonly decisions?: BalancingEvents
  /** Why nobody may begin to wait just now, or null. */
  readonly noWaiting?: () => GatewayError | null
  readonly costs?: Costs
  /** Plans which models hosts hold that cannot hold all at once; absent where there are no such hosts. */
  readonly planner?: ResidencyPlanner
  /** A host has come that was not asked yet what it has. */
  readonly isOneUnknown?: () => boolean
  /** What waits for something else than a slot, within the same bounds. */
  readonly waitingElsewhere?: () => Waiting
  /** Absent where no other gateway stands before the same hosts. */
  readonly sharing?: Sharing
}

/** Flows that neither wait nor run are remembered up to so many. */
const idleFlowsMax = 10_000

export class Dispatcher {
  #rules: QueueRules
  readonly #parts: DispatcherParts
  readonly #line: Line
  readonly #flows = new Flows(idleFlowsMax)
  readonly #shares: Shares
  readonly #estimator: WaitEstimator
  readonly #told: ToldWaits
  readonly #decisions: ToldDecisions
  readonly #grants: Grants
  /** Null where it stands alone. */
  readonly #shared: SharedGrants | null
  readonly #holds: Holds
  readonly #deadlines: Deadlines
  readonly #giveBack: GiveBack
  readonly #hosts: LaneHosts
  readonly models: ModelWaits
  readonly #stranded: Stranded
  readonly #choices: Choices
  readonly #serving: Serving
  #paused = false
  #closedBy: GatewayError | null = null

  constructor(options: Omit<QueueOptions, 'bytesMax'>, parts: DispatcherParts) {
    this.#rules = queueRules(options)
    this.#parts = parts
    this.#line = new Line(ranks[options.order])
    this.#shares = new Shares(parts.clock, this.#rules.classes)
    const isFair = options.order === 'token-fair'
    this.#estimator = new WaitEstimator(parts.clock, isFair)
    this.#hosts = new LaneHosts(parts.clock)
    this.#decisions = new ToldDecisions(parts.clock, parts.decisions)
    const { clock, events, isOneUnknown = () => false, sharing } = parts
    const onRelease = (lease: Lease): void => this.#released(lease)
    this.#grants = new Grants({ ...parts, flows: this.#flows, decisions: this.#decisions, onRelease })
    const paused = (): boolean => this.#paused
    const common = { line: this.#line, hosts: this.#hosts }
    const grantNext = (waiter: Waiter): boolean => this.#grantNext(waiter)
    const refuse = (waiter: Waiter, error: GatewayError): void => this.#strand(waiter, error)
    const estimateMs = (waiter: Waiter): number | null => this.#told.reckon(waiter).p50Ms
    const serve = (host: Host): void => this.#serving.serve(host)
    this.models = new ModelWaits({ ...common, ...parts, refuse, estimateMs, paused, serve })
    const rules = (): QueueRules => this.#rules
    this.#choices = new Choices({ ...parts, ...common, models: this.models, estimator: this.#estimator, rules })
    const { loadOf, admits } = this.models
    this.#serving = new Serving({ ...common, shares: this.#shares, admits, paused, grantNext })
    this.#told = new ToldWaits({ ...common, estimator: this.#estimator, events, paused, loadOf })
    const gaveBack = (asked: string): void => events.gaveBack(asked)
    this.#giveBack = new GiveBack({ ...common, shares: this.#shares, admits, gaveBack })
    this.#stranded = new Stranded({ line: this.#line, isOneUnknown, refuse })
    const offer = (waiter: Waiter): void => this.#offer(waiter)
    this.#deadlines = new Deadlines(clock, (waiter) => patience.due(waiter))
    const timed = { ...common, clock, deadlines: this.#deadlines }
    this.#holds = new Holds({ ...timed, decisions: this.#decisions, offer })
    const wait = { ...timed, events, holds: this.#holds, models: this.models, told: this.#told }
    const timesOut = (waiter: Waiter): boolean => this.#remove(waiter, 'timeout')
    const patience = new Patience({ ...wait, rules, timesOut })
    const strand = (): void => this.#stranded.look()
    const enter = (waiter: Waiter): void => this.#enterAgain(waiter)
    const ofShared = { ...wait, flows: this.#flows, serving: this.#serving, isFair, paused, enter, offer, strand }
    const shared = { clock, grants: this.#grants, serve, line: new LineOfShared(ofShared), onRelease }
    this.#shared = sharing === undefined ? null : new SharedGrants({ ...sharing, ...shared })
  }

  ask(request: SlotRequest): Turn {
    if (this.#closedBy !== null) return this.#refuse(request, null, this.#closedBy)
    const candidates = this.#candidatesOf(request)
    const nobody = candidates.length === 0 ? this.#stranded.refusal(request) : null
    if (nobody !== null) return this.#refuse(request, 'no_host', nobody)
    const flow = this.#flows.of(request.holder)
    liftOnReturn(flow, candidates, { line: this.#line, hosts: this.#hosts, flows: this.#flows })
    if (request.place === 'newcomer') this.#estimator.came(flow, request)
    const ask = askOf(request)
    const decision = this.#paused ? null : this.#choices.ofNew(request, ask, candidates, flow)
    if (decision?.place.isFree === true && this.#shared === null) {
      this.#grants.give({ request, ask, flow, decision, waitMs: 0, told: null, isBulk: request.class === 'bulk' })
      return noTurn
    }
    const lane = this.#line.laneOf(request)
    const cost = costOf(request.tokens, this.#parts.costs ?? tokenCosts)
    const waiter = new Waiter(request, { flow, lane, sinceMs: this.#parts.clock.now(), cost })
    return this.#enter(waiter, candidates, decision)
  }

  /** It has just come, and was given nothing. */
  #enter(waiter: Waiter, candidates: readonly Candidate[], decision: Decision | null): Turn {
    const { request, flow, lane } = waiter
    if (decision?.place.isFree === true && this.#shared !== null) {
      this.#shared.ask(waiter, askOf(request), decision)
      return new WaitingTurn(waiter, this)
    }
    const failed = decision === null ? this.models.failure(lane) : null
    if (failed !== null) return this.#refuse(request, 'no_host', failed)
    if (candidates.length === 0) this.#stranded.comesEarly(waiter)
    const turn = this.#wait(waiter, decision)
    this.#flows.rests(flow)
    this.models.waitsChanged(lane)
    return turn
  }

  /** Others were before it, where a slot had been free. */
  #enterAgain(waiter: Waiter): void {
    const { request, flow } = waiter
    const candidates = this.#candidatesOf(request)
    const nobody = candidates.length === 0 ? this.#stranded.refusal(request) : null
    if (nobody !== null) {
      this.#refuse(request, 'no_host', nobody)
      return
    }
    const decision = this.#paused ? null : this.#choices.ofNew(request, askOf(request), candidates, flow)
    this.#enter(waiter, candidates, decision)
  }

  /** A host came up, went away, or has other models or slots: those who wait may be served now. */
  hostsChanged(): void {
    this.#hosts.changed()
    this.#stranded.regrouped(this.#line.regroup())
    this.#holds.recheck()
    this.models.plan()
    for (const host of this.#hosts.ofAll(this.#line.lanes())) this.#serving.serve(host)
    this.#makeRoom()
    this.#stranded.lookAgain()
    this.models.refuseFailed()
  }

  /** Whoever waits already keeps its patience. The order of the line stays: what each key has had is counted by it. */
  adopt(options: Omit<QueueOptions, 'bytesMax'>): void {
    this.#rules = queueRules(options)
    this.#shares.adopt(this.#rules.classes)
  }

  /** Hosts have left for good, or names lead elsewhere: whoever waits for what none has any more hears so now. */
  hostsLeft(): void {
    this.#stranded.look()
  }

  /** Nothing of a host that has gone is kept. */
  forget(host: Host): void {
    this.#flows.forget(host)
    this.#shared?.forget(host)
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
    for (const waiter of [...this.#line, ...(this.#shared?.waiting() ?? [])]) {
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
  flows(): Flows {
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
    return this.#choices.hasRoom(tokens)
  }

  /** Nothing is called afterwards; without effect on one that waits no more. */
  leave(waiter: Waiter): void {
    this.#remove(waiter, 'left')
  }

  estimateOf(waiter: Waiter): ToldEstimate {
    return this.#told.estimate(waiter)
  }

  /** What is known of the slots that others hold; null where this gateway stands alone. */
  sharedSlots(): Iterable<SharedSlotsState> | null {
    return this.#shared?.states() ?? null
  }

  /** How good the estimates were that requests were told when they came. */
  accuracy(): Accuracy {
    return this.#told.accuracy()
  }

  /** `decision`: the host that it waits for, where that is one alone. */
  #wait(waiter: Waiter, decision: Decision | null): Turn {
    const { request } = waiter
    const patienceMs = request.patienceMs ?? this.waitMsMax(request.class)
    const announced = this.#told.reckon(waiter)
    if (request.place === 'newcomer' && decision === null) {
      const refusal = this.#choices.keptOut(waiter, this.#told.shown(announced), patienceMs)
      if (refusal !== null) return this.#refuse(request, refusal.reason, refusal.error)
      if (!this.#paused) waiter.announced = announced
    }
    this.#line.add(waiter, request.place)
    waiter.begin(waiter.sinceMs, patienceMs, this.#rules.classes[waiter.class].promoteAfterMs)
    this.#deadlines.set(waiter, waiter.nextDueAtMs)
    if (decision !== null) {
      this.#holds.begin(waiter, decision)
      waiter.announced = this.#told.reckon(waiter)
    } else if (request.class === 'interactive' && !this.#paused) this.#giveBack.ask(waiter.lane)
    this.#shared?.came(waiter, this.#hosts.granting(waiter.lane))
    return new WaitingTurn(waiter, this)
  }

  #makeRoom(): void {
    if (!this.#paused) this.#giveBack.makeRoom()
  }

  /** False, and it waits on, when its slot was gone by time alone since it was found, or the model is not there for it. */
  #grantNext(waiter: Waiter): boolean {
    const { request } = waiter
    const mayWait = request.place === 'newcomer' && !waiter.wasHeld
    const ask = askOf(request)
    const decision = this.#choices.of(request, ask, this.#hosts.candidates(waiter.lane), mayWait)
    if (decision === null) return false
    if (!decision.place.isFree) {
      this.#holds.begin(waiter, decision)
      return true
    }
    if (this.#shared !== null) {
      this.#shared.ask(waiter, ask, decision)
      return true
    }
    const waitMs = this.#parts.clock.now() - waiter.sinceMs
    this.#holds.granted(waiter, decision.place.host)
    this.#takeOut(waiter)
    this.#told.over(waiter, waitMs)
    const told = toldOf(waiter)
    this.#grants.give({ request, ask, flow: waiter.flow, decision, waitMs, told, isBulk: waiter.class === 'bulk' })
    return true
  }

  /** Of a request that does not wait yet; with nobody in the line there is no lane, and none need be made. */
  #candidatesOf(request: SlotRequest): readonly Candidate[] {
    if (this.#line.size === 0) return request.route.candidates(request.excluded)
    return this.#hosts.candidates(this.#line.laneOf(request))
  }

  /** It takes any slot again. */
  #offer({ lane }: Waiter): void {
    for (const host of this.#hosts.granting(lane)) this.#serving.serve(host)
    this.#makeRoom()
  }

  #released(lease: Lease): void {
    const { bill, host } = lease
    // How long the model was loaded for it tells nothing of how long others will hold a slot.
    const heldMs = this.#parts.clock.now() - lease.grantedAtMs - lease.loadedForMs
    this.#told.released(lease, heldMs)
    lease.assignment.end()
    bill.close()
    this.#shares.released(lease)
    this.#flows.released(bill.flow)
    this.models.released(host)
    this.#serving.serve(host)
    this.#makeRoom()
  }

  #strand(waiter: Waiter, error: GatewayError): void {
    if (!this.#remove(waiter, 'refused')) return
    this.#parts.events.rejected(waiter.request.route.model, 'no_host')
    waiter.request.refused(error, 0)
  }

  #remove(waiter: Waiter, outcome: WaitOutcome): boolean {
    this.#holds.left(waiter)
    if (!this.#takeOut(waiter)) return false
    const { request, sinceMs, flow } = waiter
    const waitMs = this.#parts.clock.now() - sinceMs
    this.#parts.events.waitEnded({ model: request.route.model, class: request.class }, outcome, waitMs)
    if (outcome === 'timeout' || outcome === 'left') this.#told.givenUp(waiter, waitMs)
    this.#flows.rests(flow)
    this.models.waitsChanged(waiter.lane)
    return true
  }

  #takeOut(waiter: Waiter): boolean {
    this.#deadlines.clear(waiter)
    return this.#line.remove(waiter) || this.#shared?.giveUp(waiter) === true
  }

  #refuse(request: SlotRequest, reason: Rejection | null, error: GatewayError): Turn {
    const { model } = request.route
    if (reason !== null) this.#parts.events.rejected(model, reason)
    this.#parts.events.waitEnded({ model, class: request.class }, 'refused', 0)
    request.refused(error, 0)
    return noTurn
  }
}
