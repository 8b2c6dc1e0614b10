/**
 * Grants slots: at once where a host is free, else in the order of the line, at the moment one becomes free.
 *
 * 1. A host is chosen when a slot is there, never earlier, so a slower host helps only when that really is sooner.
 * 2. While a slot is free, nobody waits who could use it: every event that frees or adds one serves the line first.
 * 3. A slot is a lease and is free again only when its attempt has ended.
 */
import type { Policy } from '../balancing/policy.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Host } from '../hosts/host.ts'
import { type Candidate, type Route, unavailable } from '../hosts/model-catalog.ts'
import type { QueueEvents, Rejection, WaitOutcome } from './events.ts'
import { Lease } from './lease.ts'
import type { QueueOptions } from './options.ts'
import { FirstCome, type Order } from './order.ts'

export interface SlotRequest {
  readonly route: Route
  /** Hosts that must not be chosen (any more). */
  readonly excluded: ReadonlySet<Host>
  /** It had a slot before and keeps its place in front of newcomers. */
  readonly returning: boolean
  /** It had one and was told "busy" again and again: it stays, behind those who wait. */
  readonly goesLast?: boolean
  /** What is left of its patience; `queue.waitMsMax` where absent. */
  readonly patienceMs?: number
  /** A slot is there; the receiver must release the lease. May be called before `ask` returns. */
  granted(lease: Lease, waitMs: number): void
  /**
   * There will be no slot, and why. `busyForMs`: at patience's end, the smallest time until one of its hosts takes work
   * again, where all of them are pausing; else 0. May be called before `ask` returns.
   */
  refused(error: GatewayError, busyForMs: number): void
}

/** Leaves the line; nothing is called afterwards. Without effect once granted or refused. */
export type Leave = () => void

export interface DispatcherParts {
  readonly clock: Clock
  readonly policy: Policy
  readonly events: QueueEvents
  /** Why nobody may begin to wait just now, or null. */
  readonly noWaiting?: () => GatewayError | null
}

interface Waiter {
  readonly request: SlotRequest
  readonly sinceMs: number
  timer: Timer | null
}

/** The hint on a refusal is a mean of recent service times; it stays within what clients obey. */
const retryAfterMsMin = 1_000
const retryAfterMsMax = 60_000
/** Weight of the newest answer in the mean. */
const newestWeight = 0.1

export class Dispatcher {
  readonly #options: Omit<QueueOptions, 'bytesMax'>
  readonly #parts: DispatcherParts
  readonly #line: Order<Waiter> = new FirstCome()
  #leases = 0
  /** Mean time a slot is held; null until the first was given back. */
  #holdMsMean: number | null = null
  #closedBy: GatewayError | null = null

  constructor(options: Omit<QueueOptions, 'bytesMax'>, parts: DispatcherParts) {
    this.#options = options
    this.#parts = parts
  }

  ask(request: SlotRequest): Leave {
    const now = this.#parts.clock.now()
    if (this.#closedBy !== null) return this.#refuse(request, null, this.#closedBy)
    const candidates = this.#candidates(request)
    if (candidates.length === 0) return this.#refuse(request, 'no_host', unavailable(request.route.model))
    if (this.#grant(request, this.#free(candidates), 0)) return () => {}
    if (this.#line.size >= this.#options.lengthMax && !request.returning) {
      return this.#refuse(request, 'full', this.#busy('queue_full', 'Every slot is busy and the line is full.'))
    }
    const noWaiting = request.returning ? null : (this.#parts.noWaiting?.() ?? null)
    if (noWaiting !== null) return this.#refuse(request, null, noWaiting)
    const waiter: Waiter = { request, sinceMs: now, timer: null }
    waiter.timer = this.#parts.clock.after(request.patienceMs ?? this.#options.waitMsMax, () => this.#timeOut(waiter))
    this.#line.add(waiter, request.returning && request.goesLast !== true)
    return () => {
      if (this.#remove(waiter, 'left')) waiter.timer?.cancel()
    }
  }

  /** A host came up, went away, or has other models or slots: those who wait may be served now. */
  hostsChanged(): void {
    for (;;) {
      const served = this.#line.first(({ request }) => this.#free(this.#candidates(request)).length > 0)
      if (served === undefined || !this.#serve(served)) return
    }
  }

  /** From now on everybody is refused, those in the line included. */
  close(error: GatewayError): void {
    this.#closedBy = error
    for (const waiter of this.#line) {
      if (this.#remove(waiter, 'refused')) waiter.request.refused(error, 0)
    }
  }

  /** Waiting requests by the name they asked for. */
  depthByModel(): ReadonlyMap<string, number> {
    const depths = new Map<string, number>()
    for (const { request } of this.#line) {
      depths.set(request.route.model, (depths.get(request.route.model) ?? 0) + 1)
    }
    return depths
  }

  get length(): number {
    return this.#line.size
  }

  #grant(request: SlotRequest, free: readonly Candidate[], waitMs: number): boolean {
    const [first, ...others] = free
    if (first === undefined) return false
    const choice = this.#parts.policy([first, ...others])
    const lease = new Lease(choice, this.#parts.clock.now(), (released) => this.#released(released))
    this.#leases++
    this.#parts.events.waitEnded(request.route.model, 'granted', waitMs)
    request.granted(lease, waitMs)
    return true
  }

  #released(lease: Lease): void {
    const heldMs = this.#parts.clock.now() - lease.grantedAtMs
    this.#leases--
    this.#holdMsMean =
      this.#holdMsMean === null ? heldMs : this.#holdMsMean + newestWeight * (heldMs - this.#holdMsMean)
    if (this.#line.size === 0 || !lease.host.hasFreeSlot || !lease.host.available) return
    const next = this.#line.first(({ request }) => this.#candidates(request).some(({ host }) => host === lease.host))
    if (next !== undefined) this.#serve(next)
  }

  /** False, and it waits on, when its slot was gone by time alone since it was found. */
  #serve(waiter: Waiter): boolean {
    const free = this.#free(this.#candidates(waiter.request))
    if (free.length === 0) return false
    this.#line.remove(waiter)
    waiter.timer?.cancel()
    return this.#grant(waiter.request, free, this.#parts.clock.now() - waiter.sinceMs)
  }

  #timeOut(waiter: Waiter): void {
    if (!this.#remove(waiter, 'timeout')) return
    this.#parts.events.rejected(waiter.request.route.model, 'timeout')
    const seconds = Math.round(this.#options.waitMsMax / 1000)
    const busyForMs = this.#busyForMs(waiter.request)
    const error = this.#busy('queue_timeout', `No slot became free within ${seconds} s.`, busyForMs)
    waiter.request.refused(error, busyForMs)
  }

  #remove(waiter: Waiter, outcome: WaitOutcome): boolean {
    if (!this.#line.remove(waiter)) return false
    waiter.timer?.cancel()
    this.#parts.events.waitEnded(waiter.request.route.model, outcome, this.#parts.clock.now() - waiter.sinceMs)
    return true
  }

  #refuse(request: SlotRequest, reason: Rejection | null, error: GatewayError): Leave {
    if (reason !== null) this.#parts.events.rejected(request.route.model, reason)
    this.#parts.events.waitEnded(request.route.model, 'refused', 0)
    request.refused(error, 0)
    return () => {}
  }

  #candidates(request: SlotRequest): readonly Candidate[] {
    return request.route.candidates(request.excluded)
  }

  #free(candidates: readonly Candidate[]): Candidate[] {
    return candidates.filter(({ host }) => host.hasFreeSlot)
  }

  /** 0 when one of its hosts would take work, or when it has none. */
  #busyForMs(request: SlotRequest): number {
    const candidates = this.#candidates(request)
    return candidates.length === 0 ? 0 : Math.min(...candidates.map(({ host }) => host.health.busyForMs))
  }

  #busy(code: 'queue_full' | 'queue_timeout', message: string, busyForMs = 0): GatewayError {
    const slots = Math.max(1, this.#leases)
    const estimateMs = ((this.#line.size + 1) * (this.#holdMsMean ?? retryAfterMsMin)) / slots
    // ± 20 %, so that those refused together do not come back together.
    const retryAfterMs = Math.min(Math.max(estimateMs, retryAfterMsMin), retryAfterMsMax) * (0.8 + 0.4 * Math.random())
    return new GatewayError(code, message, {
      retryAfterMs: Math.max(Math.min(retryAfterMs, retryAfterMsMax), busyForMs),
    })
  }
}
