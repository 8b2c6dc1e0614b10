/**
 * Who goes next. Those who were sent back by a host go first. Then a class that has less than its share of the host's
 * slots; then interactive and default requests together; then bulk. Among those the flow with the least rank, inside a
 * flow the class, then the order of arrival.
 */
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Flow } from './flow.ts'
import type { FlowQueue } from './flow-queue.ts'
import { Lane, laneId } from './lane.ts'
import type { Place, SlotRequest } from './slot-request.ts'
import type { Waiter } from './waiter.ts'

/** What goes by the order of the line: the first request of a queue, or one that waits for a host alone. */
type Claim = Pick<FlowQueue, 'flow' | 'class' | 'cameAs' | 'headOrder' | 'head'>

/** What orders flows against each other at a host: the less, the sooner. */
type Rank = (claim: Claim, host: Host) => number

/** What decides between flows. */
export const ranks = {
  /** The least served there goes first. */
  'token-fair': ({ flow }, host) => flow.counterAt(host),
  /** Whoever came first goes first, whosever it is. */
  'first-come': ({ headOrder }) => headOrder,
} as const satisfies Readonly<Record<string, Rank>>

/** A slot of a host, and whom it is for. */
export interface Offer {
  readonly host: Host
  /** Whether what waits in the lane may take it. */
  readonly fits: (lane: Lane) => boolean
  /** The class has less than its share there. */
  readonly isShort: (ofClass: RequestClass) => boolean
}

export class Line {
  readonly #rankOf: Rank
  readonly #lanes = new Map<string, Lane>()
  readonly #sentBack = new Set<Waiter>()
  /** Those who had their turn, and wait for a slot of this host and of no other. */
  readonly #held = new Map<Host, Set<Waiter>>()
  readonly #byClass: Record<RequestClass, number> = { interactive: 0, default: 0, bulk: 0 }
  /** Of the search under way; kept, so that none makes a list of its own. */
  readonly #fitting: Lane[] = []
  #size = 0
  #tokens = 0
  #flowsWaiting = 0
  #orderLast = 0

  constructor(rankOf: Rank) {
    this.#rankOf = rankOf
  }

  get size(): number {
    return this.#size
  }

  /** Those of all who wait, as estimated. */
  get tokens(): number {
    return this.#tokens
  }

  /** Flows of which at least one request waits. */
  get flowsWaiting(): number {
    return this.#flowsWaiting
  }

  /** By the class they came with. */
  waitingOf(ofClass: RequestClass): number {
    return this.#byClass[ofClass]
  }

  /** The lane of a request; made when it is asked for, and kept while somebody waits in it. */
  laneOf({ route, excluded }: Pick<SlotRequest, 'route' | 'excluded'>): Lane {
    const id = laneId(route, excluded)
    return this.#lanes.get(id) ?? new Lane(id, route, excluded)
  }

  get laneCount(): number {
    return this.#lanes.size
  }

  lanes(): Iterable<Lane> {
    return this.#lanes.values()
  }

  add(waiter: Waiter, place: Place): void {
    const { lane, flow } = waiter
    this.number(waiter)
    this.#count(waiter)
    if (place === 'sent_back') {
      this.#sentBack.add(waiter)
      return
    }
    const queue = lane.queueOf(flow, waiter.class)
    // It came before whoever waits now.
    if (place === 'given_back') waiter.order = Math.min(0, queue.headOrder) - 1
    queue.add(waiter)
  }

  /** Its place by arrival is the one of now, also where it begins to wait later. */
  number(waiter: Waiter): void {
    if (waiter.order === Number.POSITIVE_INFINITY) waiter.order = ++this.#orderLast
  }

  /** It was in line before and goes back to where it would be, had it never left. */
  putBack(waiter: Waiter): void {
    this.#count(waiter)
    if (waiter.request.place === 'sent_back') this.#sentBack.add(waiter)
    else waiter.lane.queueOf(waiter.flow, waiter.class).add(waiter)
  }

  #count(waiter: Waiter): void {
    const { lane, flow } = waiter
    waiter.isWaiting = true
    if (lane.waiting++ === 0) this.#lanes.set(lane.id, lane)
    lane.waitingOf[waiter.came]++
    if (flow.waiting === 0) this.#flowsWaiting++
    count(flow, waiter, 1)
    this.#size++
    this.#tokens += waiter.tokens
    this.#byClass[waiter.came]++
  }

  /** False when it was not waiting (any more). Costs the same however many wait. */
  remove(waiter: Waiter): boolean {
    if (!this.#takeOut(waiter)) return false
    const { lane, flow } = waiter
    waiter.isWaiting = false
    lane.waitingOf[waiter.came]--
    if (--lane.waiting === 0) this.#lanes.delete(lane.id)
    count(flow, waiter, -1)
    if (flow.waiting === 0) this.#flowsWaiting--
    this.#size--
    this.#tokens -= waiter.tokens
    this.#byClass[waiter.came]--
    return true
  }

  /** To be called when hosts have changed: those whom other hosts could take than their lane's wait in another one. Which these are. */
  regroup(): ReadonlySet<Lane> {
    const outdated = new Set([...this.#lanes.values()].filter((lane) => lane.isOutdated))
    const made = new Set<Lane>()
    if (outdated.size === 0) return made
    const waiters = Array.from(this).filter(({ lane }) => outdated.has(lane))
    for (const { id } of outdated) this.#lanes.delete(id)
    for (const waiter of waiters) made.add(this.#move(waiter))
    return made
  }

  #move(waiter: Waiter): Lane {
    const { lane: from, queue, came } = waiter
    const to = this.laneOf({ route: waiter.request.route, excluded: from.excluded })
    if (queue !== null) this.#takeOut(waiter)
    from.waiting--
    waiter.lane = to
    if (to.waiting++ === 0) this.#lanes.set(to.id, to)
    to.waitingOf[came]++
    if (waiter.heldFor !== null) to.heldOf[came]++
    if (queue !== null) to.queueOf(waiter.flow, waiter.class).add(waiter)
    return to
  }

  /** It had its turn, and waits for this host alone. */
  hold(waiter: Waiter, host: Host): void {
    if (!this.#takeOut(waiter)) return
    waiter.heldFor = host
    waiter.wasHeld = true
    waiter.lane.heldOf[waiter.came]++
    const held = this.#held.get(host)
    if (held === undefined) this.#held.set(host, new Set([waiter]))
    else held.add(waiter)
  }

  /** Any host will do again: it waits where it would, had it never waited for one alone. */
  letGo(waiter: Waiter): void {
    if (this.#takeOut(waiter)) waiter.lane.queueOf(waiter.flow, waiter.class).add(waiter)
  }

  /** Those that wait for one host alone. */
  *held(): Generator<Waiter> {
    for (const waiters of this.#held.values()) yield* waiters
  }

  /** Those that wait for the host alone, in the order in which they began to. */
  heldFor(host: Host): ReadonlySet<Waiter> {
    return this.#held.get(host) ?? nobody
  }

  /** All that could take a slot of the host, as `fits` tells of their lanes; of very many lanes by a sample. */
  waitingFor(host: Host, fits: (lane: Lane) => boolean): number {
    const weight = Math.max(1, this.#lanes.size / lanesMax)
    let waiting = 0
    let next = 0
    let at = 0
    for (const lane of this.#lanes.values()) {
      if (at++ < next) continue
      next += weight
      if (fits(lane)) waiting += weight * (lane.waiting - heldIn(lane))
    }
    return Math.round(waiting) + this.heldFor(host).size
  }

  /** It has waited long: from now on it counts one class higher, behind those of its flow there who came before it. */
  promote(waiter: Waiter): void {
    const higher = requestClasses[requestClasses.indexOf(waiter.class) - 1]
    if (higher === undefined) return
    // Where it waits for one host it stays, and counts as that when the slot is there.
    if (waiter.heldFor !== null) waiter.class = higher
    if (waiter.queue === null) return
    this.#takeOut(waiter)
    waiter.class = higher
    waiter.lane.queueOf(waiter.flow, higher).add(waiter)
  }

  /** Who goes next, still waiting; one that does not fit blocks nobody behind it. */
  next(offer: Offer): Waiter | undefined {
    const { host, fits, isShort } = offer
    for (const waiter of this.#sentBack) if (fits(waiter.lane)) return waiter
    const fitting = this.#fitting
    fitting.length = 0
    for (const lane of this.#lanes.values()) if (fits(lane)) fitting.push(lane)
    const held = this.heldFor(host)
    const bands = bandsOf(fitting, held, isShort)
    let first: Claim | undefined = this.#first(fitting, host, bands)
    // By the same order: who waits for a host alone has no claim on it that others who wait for it do not have.
    const claims = held.size === 0 ? noClaims : [...held].filter(({ lane }) => fits(lane)).map(claimOf)
    for (const claim of claims) if (first === undefined || this.#isSooner(claim, first, host, bands)) first = claim
    return first === undefined ? undefined : (this.#mostUrgent(first, claims, offer, bands).head ?? undefined)
  }

  /** By what it goes at the host before counters are looked at, the least first: as `next` has it. */
  bandOf(waiter: Waiter, { host, fits, isShort }: Offer): number {
    return bandOf(claimOf(waiter), bandsOf([...this.#lanes.values()].filter(fits), this.heldFor(host), isShort))
  }

  /**
   * Of level flows the one goes next that came first, with the most urgent that it has. Both looked for at once would be no
   * order: A before B of its flow, being more urgent, B before C of another, having come first, and C before A.
   */
  #mostUrgent(first: Claim, held: readonly Claim[], { host, fits }: Offer, bands: Bands): Claim {
    const { flow } = first
    let most = first
    for (const queue of flow.queues) if (fits(queue.lane)) most = this.#moreUrgent(queue, most, host, bands)
    for (const claim of held) if (claim.flow === flow) most = this.#moreUrgent(claim, most, host, bands)
    return most
  }

  #isSooner(one: Claim, other: Claim, host: Host, bands: Bands): boolean {
    return (this.#compare(one, other, host, bands) || one.headOrder - other.headOrder) < 0
  }

  /** Of two of one flow that are level. */
  #moreUrgent(one: Claim, other: Claim, host: Host, bands: Bands): Claim {
    const isLevel = this.#compare(one, other, host, bands) === 0
    const difference = requestClasses.indexOf(one.class) - requestClasses.indexOf(other.class)
    return isLevel && (difference || one.headOrder - other.headOrder) < 0 ? one : other
  }

  #compare(one: Claim, other: Claim, host: Host, bands: Bands): number {
    return bandOf(one, bands) - bandOf(other, bands) || this.#rankOf(one, host) - this.#rankOf(other, host)
  }

  /** Of all that wait for the host, at each slot of it: nothing is made on the way. */
  #first(lanes: readonly Lane[], host: Host, bands: Bands): FlowQueue | undefined {
    const rankOf = this.#rankOf
    let best: FlowQueue | undefined
    let bandOfBest = 0
    let rankOfBest = 0
    for (const lane of lanes) {
      for (const queue of lane.queues) {
        const band = bandOf(queue, bands)
        const rank = rankOf(queue, host)
        if (best !== undefined) {
          const difference = band - bandOfBest || rank - rankOfBest
          if (difference > 0 || (difference === 0 && queue.headOrder >= best.headOrder)) continue
        }
        best = queue
        bandOfBest = band
        rankOfBest = rank
      }
    }
    return best
  }

  /** The least that is known to have been served of those who wait for the host, as `fits` tells of their lanes; null where nobody does. */
  leastCounter(host: Host, fits: (lane: Lane) => boolean): number | null {
    let least: number | null = null
    const consider = (flow: Flow): void => {
      const counter = flow.servedAt(host)
      if (least === null || counter < least) least = counter
    }
    for (const { lane, flow } of this.#sentBack) if (fits(lane)) consider(flow)
    if (this.#held.size > 0) for (const { lane, flow } of this.held()) if (fits(lane)) consider(flow)
    for (const lane of this.#lanes.values()) {
      if (!fits(lane)) continue
      for (const { flow } of lane.queues) consider(flow)
    }
    return least
  }

  /** Who of the lane has waited longest, but for its class; undefined where nobody waits there. */
  firstOf(lane: Lane): Waiter | undefined {
    let first: Waiter | undefined
    for (const waiter of this.#sentBack) if (waiter.lane === lane) return waiter
    for (const { head } of lane.queues)
      if (head !== null && (first === undefined || head.order < first.order)) first = head
    if (first !== undefined) return first
    for (const waiter of this.held()) if (waiter.lane === lane) return waiter
    return undefined
  }

  *[Symbol.iterator](): Generator<Waiter> {
    yield* this.#sentBack
    yield* this.held()
    for (const lane of this.#lanes.values()) for (const queue of lane.queues) yield* queue
  }

  #takeOut(waiter: Waiter): boolean {
    const { queue, lane, heldFor } = waiter
    if (heldFor !== null) return this.#takeFrom(heldFor, waiter)
    if (queue === null) return this.#sentBack.delete(waiter)
    queue.remove(waiter)
    if (queue.size === 0) lane.emptied(queue)
    return true
  }

  #takeFrom(host: Host, waiter: Waiter): boolean {
    const held = this.#held.get(host)
    held?.delete(waiter)
    if (held?.size === 0) this.#held.delete(host)
    waiter.heldFor = null
    waiter.lane.heldOf[waiter.came]--
    return true
  }
}

const nobody: ReadonlySet<Waiter> = new Set()
const noClaims: readonly Claim[] = []

/** Of more a sample is looked at. */
const lanesMax = 64

function heldIn({ heldOf }: Lane): number {
  return requestClasses.reduce((sum, ofClass) => sum + heldOf[ofClass], 0)
}

function count(flow: Flow, { tokens, inputTokens, cost }: Waiter, by: 1 | -1): void {
  flow.waiting += by
  flow.waitingTokens += by * tokens
  flow.waitingInput += by * inputTokens
  flow.waitingCost += by * cost
}

/** The lower, the sooner: a class short of its share before all others, the more urgent one first; bulk last. */
type Bands = Readonly<Record<RequestClass, number>>

function bandsOf(lanes: readonly Lane[], held: ReadonlySet<Waiter>, isShort: Offer['isShort']): Bands {
  const waits = (ofClass: RequestClass): boolean =>
    lanes.some(({ waitingOf, heldOf }) => waitingOf[ofClass] > heldOf[ofClass]) ||
    (held.size > 0 && [...held].some(({ came }) => came === ofClass))
  const [interactive, ordinary, bulk] = [waits('interactive'), waits('default'), waits('bulk')]
  // Where all who wait are of one class none is before another by it, and what each has had of the host need not be looked at.
  const decides = bulk || (interactive && ordinary)
  // Those who were promoted go along with those of the class and never instead: a share is no way past the counters.
  return {
    interactive: decides && interactive && isShort('interactive') ? 0 : 3,
    default: decides && ordinary && isShort('default') ? 1 : 3,
    bulk: bulk && isShort('bulk') ? 2 : 4,
  }
}

/** Whoever was promoted keeps what the class it came with has a claim on. */
function bandOf({ class: ofClass, cameAs }: Claim, bands: Bands): number {
  return cameAs === ofClass ? bands[ofClass] : Math.min(bands[ofClass], bands[cameAs])
}

/** Of one that waits for a host alone. */
function claimOf(waiter: Waiter): Claim {
  const { flow, class: ofClass, came, order } = waiter
  return { flow, class: ofClass, cameAs: came, headOrder: order, head: waiter }
}
