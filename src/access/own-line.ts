/**
 * Requests of one key, or of one address, that its limits will admit inside their patience. By class, then in order of
 * arrival; the first blocks the others, so that a large one is not starved by small ones. Only the first asks, at the time
 * it was told, like a client that comes back then: nobody else's requests wait longer for it.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { type RequestClass, requestClasses } from '../base/request-class.ts'
import type { Obstacle } from './account.ts'
import { type Cost, noCost } from './held.ts'
import type { Limiter, Places, Subject } from './limiter.ts'
import type { LimitName } from './limits.ts'
import { longest } from './refusal.ts'
import { Reservation } from './reservation.ts'

export interface Asking {
  /** Whose line it is. */
  readonly holder: string
  /** With the limits of now, whenever it is asked. */
  subject(): Subject
  readonly cost: Cost
  readonly class: RequestClass
  readonly patienceMs: number
  /** At once, or later; it must not throw then. */
  admitted(reservation: Reservation, delay: Delay): void
  /** Of 429, or of 503. At once, or later; it must not throw then. */
  refused(error: GatewayError, delay: Delay): void
  /** It waited, and went away by itself. */
  left(waitedMs: number): void
}

/** What stood before the answer of the limits. */
export interface Delay {
  /** The limit that wanted it to wait for the longest, or that refuses it; null where none stood in its way. */
  readonly limit: LimitName | null
  /** Null where it was answered at once. */
  readonly waitedMs: number | null
}

/** A request's place in the line of its holder. */
export interface OwnTurn {
  /** Without effect once it was admitted or refused. */
  leave(): void
  /** From now on; null once it waits no more. */
  estimate(): OwnWait | null
}

interface OwnWait {
  /** Requests that go first. */
  readonly ahead: number
  /** As its limits are now. */
  readonly waitMs: number
}

interface Waiter {
  readonly asking: Asking
  /** It counts among the requests at once of its key. */
  readonly places: Places
  readonly sinceMs: number
  /** What wanted it to wait for the longest so far. */
  worst: Obstacle | undefined
  readonly endsAtMs: number
  readonly patience: Timer
}

/** Of requests that come and go. */
export type CostSum = { -readonly [Part in keyof Cost]: Cost[Part] }

interface OfClass {
  /** In order of arrival; a Set forgets an entry in constant time. */
  readonly waiters: Set<Waiter>
  /** Of all of them. */
  readonly cost: CostSum
}

/** What the first was told. */
interface Told {
  readonly waiter: Waiter
  readonly obstacle: Obstacle
  readonly atMs: number
}

interface OwnLineParts {
  readonly clock: Clock
  readonly limiter: Limiter
  /** Of what waits in all such lines, this one counted in. */
  readonly inAll: CostSum
  readonly onEmpty: () => void
}

export class OwnLine {
  readonly #parts: OwnLineParts
  readonly #waiting: Readonly<Record<RequestClass, OfClass>> = {
    interactive: { waiters: new Set(), cost: { ...noCost } },
    default: { waiters: new Set(), cost: { ...noCost } },
    bulk: { waiters: new Set(), cost: { ...noCost } },
  }
  /** Null between one first and the next, until that is looked at. */
  #told: Told | null = null
  /** Until the first is looked at again. */
  #timer: Timer | null = null
  #looksSoon = false
  /** For whom all gateways are being asked. */
  #asked: Waiter | null = null
  #looksAgain = false

  constructor(parts: OwnLineParts) {
    this.#parts = parts
  }

  get length(): number {
    return this.#lengthOf(requestClasses)
  }

  /** Those that go before a newcomer of this class. */
  lengthBefore(newcomer: RequestClass): number {
    return this.#lengthOf(requestClasses.slice(0, requestClasses.indexOf(newcomer) + 1))
  }

  #lengthOf(classes: readonly RequestClass[]): number {
    return classes.reduce((sum, one) => sum + this.#waiting[one].waiters.size, 0)
  }

  /** What keeps a newcomer away for the longest behind those that go first: their wait, and the refill of what they take. */
  obstacleBehind(newcomer: Asking): Obstacle | undefined {
    return this.#obstacleBehind(newcomer, this.#ahead(newcomer.class))
  }

  /** `obstacle`: what keeps it away now, behind those that go first. */
  add(asking: Asking, patienceMs: number, obstacle: Obstacle | undefined): OwnTurn {
    const { clock, limiter } = this.#parts
    const places = limiter.placesOf(asking.subject())
    places.takePlace()
    const sinceMs = clock.now()
    const waiter: Waiter = {
      asking,
      places,
      sinceMs,
      worst: obstacle,
      endsAtMs: sinceMs + patienceMs,
      patience: clock.after(patienceMs, () => this.#timeOut(waiter)),
    }
    this.#waiting[asking.class].waiters.add(waiter)
    this.#count(asking, 1)
    if (obstacle !== undefined && this.#first() === waiter) this.#wait(waiter, obstacle)
    return { leave: () => this.#leave(waiter), estimate: () => this.#estimate(waiter) }
  }

  /** In the next turn, so that many that leave at once cost one look, and nobody follows one that is being ended before it is ended too. */
  lookSoon(): void {
    if (this.#looksSoon) return
    this.#looksSoon = true
    this.#timer?.cancel()
    this.#timer = this.#parts.clock.afterTurn(() => this.#look())
  }

  /** One at a time: who came back at this very time in another line of the team is heard before the next of this one. */
  #look(): void {
    this.#looksSoon = false
    this.#looksAgain = false
    const first = this.#first()
    if (first === undefined) return
    const told = this.#told?.waiter === first ? this.#told : null
    const early = told !== null && this.#parts.clock.now() < told.atMs ? told : null
    if (!this.#parts.limiter.isShared) this.#looked(first, early, this.#ask(first))
    else if (this.#asked !== null) this.#looksAgain = true
    else {
      this.#asked = first
      this.#askTogether(first, early !== null, (answer) => this.#looked(first, early, answer))
    }
  }

  /** `early`: what it was told, where it has looked before that time. */
  #looked(first: Waiter, early: Told | null, answer: Reservation | Obstacle): void {
    const nowMs = this.#parts.clock.now()
    if (answer instanceof Reservation) this.#admit(first, answer)
    else if (early !== null) this.#lookIn(Math.min(answer.waitMs, early.atMs - nowMs), first, answer)
    else if (nowMs + answer.waitMs > first.endsAtMs) this.#refuse(first, answer)
    else this.#wait(first, answer)
  }

  #askTogether(waiter: Waiter, looks: boolean, answered: (answer: Reservation | Obstacle) => void): void {
    const { limiter, clock } = this.#parts
    const { asking } = waiter
    const how = {
      patience: Math.max(0, waiter.endsAtMs - clock.now()),
      class: requestClasses.indexOf(asking.class),
      placed: 1 as const,
      ...(looks ? { looks } : {}),
      isStill: () => this.#waits(waiter),
      alone: (gateways: number) => this.#ask(waiter, gateways),
    }
    limiter.askTogether(asking.subject(), asking.cost, how, (answer) => {
      if (this.#asked === waiter) this.#asked = null
      if (this.#waits(waiter) && answer !== null) answered(answer)
      else if (answer instanceof Reservation) answer.settle(null, true)
      if (this.#looksAgain) this.lookSoon()
    })
  }

  #waits(waiter: Waiter): boolean {
    return this.#waiting[waiter.asking.class].waiters.has(waiter)
  }

  #wait(waiter: Waiter, obstacle: Obstacle): void {
    const { asking } = waiter
    this.#parts.limiter.waits(asking.subject(), asking.cost, obstacle)
    this.#lookIn(obstacle.waitMs, waiter, obstacle)
  }

  #lookIn(waitMs: number, waiter: Waiter, obstacle: Obstacle): void {
    const { clock } = this.#parts
    // A timer may be early by a part of a millisecond; then what is left is waited for.
    const delayMs = Math.max(1, Math.ceil(waitMs))
    this.#told = { waiter, obstacle, atMs: clock.now() + waitMs }
    if (waiter.worst === undefined || obstacle.waitMs > waiter.worst.waitMs) waiter.worst = obstacle
    this.#looksSoon = false
    this.#timer?.cancel()
    this.#timer = clock.after(delayMs, () => this.#look())
  }

  #timeOut(waiter: Waiter): void {
    const { asking } = waiter
    const ahead = this.#ahead(asking.class, waiter)
    // Where nothing keeps it away behind the others, all of them fit now.
    const behind = ahead.requests > 0 ? this.#obstacleBehind(asking, ahead) : undefined
    const answered = (answer: Reservation | Obstacle) => {
      if (answer instanceof Reservation) this.#admit(waiter, answer)
      else this.#refuse(waiter, answer, behind === undefined ? 0 : ahead.requests)
    }
    if (behind === undefined && this.#parts.limiter.isShared) this.#askTogether(waiter, false, answered)
    else answered(behind ?? this.#ask(waiter))
  }

  #admit(waiter: Waiter, reservation: Reservation): void {
    const limit = waiter.worst?.limit ?? null
    this.#end(waiter, (waitedMs) => waiter.asking.admitted(reservation, { limit, waitedMs }))
  }

  /** `ahead`: so many go first. */
  #refuse(waiter: Waiter, obstacle: Obstacle, ahead = 0): void {
    const { limiter } = this.#parts
    const { asking } = waiter
    this.#end(waiter, (waitedMs) => {
      const error =
        ahead > 0 ? limiter.refuseBehind(ahead, obstacle) : limiter.refuse(asking.subject(), asking.cost, obstacle)
      asking.refused(error, { limit: obstacle.limit, waitedMs })
    })
  }

  #leave(waiter: Waiter): void {
    this.#end(waiter, (waitedMs) => waiter.asking.left(waitedMs))
  }

  /** The place that it holds does not keep it away itself. */
  #ask({ asking, places }: Waiter, gateways?: number): Reservation | Obstacle {
    places.leavePlace()
    const answer = this.#parts.limiter.ask(asking.subject(), asking.cost, gateways)
    places.takePlace()
    return answer
  }

  /** Nothing happens where it does not wait any more. */
  #end(waiter: Waiter, then: (waitedMs: number) => void): void {
    if (!this.#waiting[waiter.asking.class].waiters.delete(waiter)) return
    this.#count(waiter.asking, -1)
    if (this.#asked === waiter) this.#asked = null
    waiter.patience.cancel()
    waiter.places.leavePlace()
    if (this.#told === null || this.#told.waiter === waiter) {
      this.#told = null
      this.lookSoon()
    }
    if (this.length === 0) {
      this.#timer?.cancel()
      this.#parts.onEmpty()
    }
    then(this.#parts.clock.now() - waiter.sinceMs)
  }

  #count({ class: ofClass, cost }: Asking, sign: 1 | -1): void {
    addTo(this.#waiting[ofClass].cost, cost, sign)
    addTo(this.#parts.inAll, cost, sign)
  }

  #estimate(waiter: Waiter): OwnWait | null {
    const { asking } = waiter
    if (!this.#waits(waiter)) return null
    const ahead = this.#ahead(asking.class, waiter)
    return { ahead: ahead.requests, waitMs: this.#obstacleBehind(asking, ahead)?.waitMs ?? 0 }
  }

  #obstacleBehind(asking: Asking, ahead: Cost): Obstacle | undefined {
    // Not before the first, whatever keeps that one away.
    const obstacles = [this.#parts.limiter.behind(asking.subject(), asking.cost, ahead), this.#toldNow()]
    return longest(obstacles.filter((obstacle) => obstacle !== undefined))
  }

  /** What the first was told, less the time that is over since then. */
  #toldNow(): Obstacle | undefined {
    if (this.#told === null) return undefined
    const { obstacle, atMs } = this.#told
    return { ...obstacle, waitMs: Math.max(0, Math.ceil(atMs - this.#parts.clock.now())) }
  }

  #first(): Waiter | undefined {
    for (const one of requestClasses) for (const waiter of this.#waiting[one].waiters) return waiter
    return undefined
  }

  /** What those take together that go before one of a class: before all that come later, or before `waiter`. */
  #ahead(ofClass: RequestClass, waiter?: Waiter): Cost {
    const ahead = { ...noCost }
    for (const one of requestClasses) {
      const { waiters, cost } = this.#waiting[one]
      if (one !== ofClass || waiter === undefined) addTo(ahead, cost, 1)
      else for (const other of waitersBefore(waiter, waiters)) addTo(ahead, other.asking.cost, 1)
      if (one === ofClass) break
    }
    return ahead
  }
}

function* waitersBefore(waiter: Waiter, waiters: Iterable<Waiter>): Iterable<Waiter> {
  for (const other of waiters) {
    if (other === waiter) return
    yield other
  }
}

function addTo(sum: CostSum, { requests, input, output }: Cost, sign: 1 | -1): void {
  sum.requests += sign * requests
  sum.input += sign * input
  sum.output += sign * output
}
