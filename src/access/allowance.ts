/** One limit per minute of one account: a bucket that refills steadily, and a guard over what any minute was charged. */
import { type Claim, Claims, claimShare } from './claim.ts'
import type { AllowanceRecord } from './limit-records.ts'
import { MinuteCharges, roundingMs, windowMs } from './minute-charges.ts'
import { type Drawn, Wastes } from './wastes.ts'

/** What may be used at once, in windows: 15 s. */
const burstShare = 0.25
/** Where 15 s are few requests, so many at once, or all that a minute has: whoever may ask 3 a minute asks them together. */
const burstRequests = 10
/**
 * What admissions may charge in any window, in windows. The bucket alone would let large requests take twice the
 * limit; the rest up to 1.25 is for what turns out larger than was reserved.
 */
const guardShare = 1.2
/** Below this limit one more would be more than 1.25 of it. */
const guardOneMoreFrom = 4
/**
 * In windows: up to here all requests need the same level, whatever they take of it. Else small ones, which fit sooner,
 * would in a flood be nearly all that is ever admitted. The bucket holds it beyond what may be used at once.
 */
const evenShare = 0.125

const noSlots: readonly number[] = []

/** A large reservation of which less was needed stood in the way of others for nothing. */
const usedShareMin = 0.25

export interface Traits {
  /** Requests differ in what they take. */
  readonly evens: boolean
  /** By several keys. */
  readonly shared: boolean
}

/** What one request has drawn from an allowance. */
export interface Draw {
  /** How far beyond one window it may go: what was there for it at its beginning. */
  readonly room: number
  /** Of what it was charged, what has not been refilled since. */
  owed: number
  owedAtMs: number
}

export interface AllowanceState {
  /** What may be taken now, by one request or by many. */
  readonly remaining: number
  /** The same when it is full. */
  readonly capacity: number
  /** Until it is full again, if nothing is charged. */
  readonly resetMs: number
}

/**
 * Times are monotonic milliseconds, amounts whole numbers. What is larger than the bucket is admitted on a full one and
 * leaves a debt, of one window at most for each request. A refused ask changes nothing, but that of the refill a quarter
 * is put aside for a large one from then on.
 */
export class Allowance {
  #limit: number
  #level: number
  #atMs: number
  readonly #charges: MinuteCharges
  readonly #traits: Traits
  #claims: Claims | null = null
  #wastes: Wastes | null = null

  /** Full since `nowMs`. */
  constructor(limit: number, traits: Traits, nowMs: number) {
    this.#limit = limit
    this.#traits = traits
    this.#level = this.#capacity
    this.#atMs = nowMs
    // Requests are few where the limit is small.
    this.#charges = new MinuteCharges({ exact: !traits.evens }, nowMs)
  }

  get limit(): number {
    return this.#limit
  }

  /** By several keys. */
  get isShared(): boolean {
    return this.#traits.shared
  }

  /** Holds from now on; what is used keeps its share. */
  setLimit(limit: number, nowMs: number): void {
    this.#advance(nowMs)
    const before = this.#capacity
    const scale = limit / this.#limit
    this.#limit = limit
    // Not by `scale`: the smallest bucket holds one whole request.
    this.#level = this.#level > 0 ? (this.#level / before) * this.#capacity : this.#level * scale
    this.#charges.scale(scale)
    this.#claims?.clear()
  }

  /**
   * Whole milliseconds until this cost is admitted if nobody else is charged; 0 when it is now. `elsewhereMs`: so long
   * something else keeps it away, and what is there now may be put aside for others by then.
   */
  fitsInMs(cost: number, who: string, nowMs: number, elsewhereMs = 0): number {
    if (cost <= 0) return 0
    this.#advance(nowMs)
    const level = this.#msUntilOwnLevel(this.#need(cost), who, nowMs)
    const own = Math.max(level, this.#msUntilCharged(cost, nowMs), elsewhereMs)
    const claim = this.#claims?.against(who, cost, nowMs) ?? null
    if (claim === null) return own
    const lapsesInMs = Math.ceil(claim.lapsesMs - nowMs)
    return Math.max(own, Math.min(lapsesInMs, this.#msUntilBeyond(claim, cost, nowMs, own)))
  }

  /**
   * Whole milliseconds until this cost is admitted behind others that take `ahead` first, if nobody else is charged; what
   * is put aside for a claim is not looked at.
   */
  fitsBehindInMs(ahead: number, cost: number, nowMs: number): number {
    if (cost <= 0) return 0
    this.#advance(nowMs)
    return Math.max(this.#msUntilLevel(ahead + this.#need(cost)), this.#msUntilCharged(ahead + cost, nowMs))
  }

  /** What to tell a refused ask: the time until it fits; on its return in vain, until it does whatever others do. */
  comeBackInMs(cost: number, who: string, nowMs: number, elsewhereMs = 0): number {
    const fitsInMs = this.fitsInMs(cost, who, nowMs, elsewhereMs)
    const claim = this.#claims?.of(who, cost, nowMs) ?? null
    if (claim === null || nowMs < claim.backAtMs) return fitsInMs
    return Math.max(fitsInMs, Math.ceil(claim.dueMs - nowMs))
  }

  /** The ask was refused here, so what others kept from it in vain counts. Of what only its owner owes, nothing is missing. */
  missed(cost: number, who: string, nowMs: number): void {
    if (!this.#traits.shared) return
    const isThere = this.#msUntilLevel(this.#need(cost)) === 0 && this.#msUntilCharged(cost, nowMs) === 0
    if (isThere && (this.#claims?.against(who, cost, nowMs) ?? null) === null) return
    this.#wastes ??= new Wastes()
    this.#wastes.missed(who, nowMs)
  }

  /** The ask was refused and told to come back in `toldMs`: if it is a large one, part of the refill is put aside. */
  claim(cost: number, who: string, nowMs: number, toldMs: number): void {
    if (cost <= this.#even || !this.#traits.evens) return
    this.#claims ??= new Claims(this.#traits.shared)
    const claim = this.#claims.of(who, cost, nowMs)
    if (claim !== null) return this.#claims.renew(claim, nowMs, toldMs)
    if (!this.#claims.mayClaim(who, nowMs) || this.#msOwed(who, nowMs) > 0) return
    const rate = this.#limit / windowMs
    const fromLevel = Math.max(0, this.#level)
    // Nobody can use anything before a debt is paid.
    const fromMs = nowMs + Math.max(0, -this.#level) / rate
    const filledMs = fromMs + Math.max(0, this.#need(cost) - fromLevel) / (rate * claimShare)
    const dueMs = Math.max(filledMs, nowMs + this.fitsInMs(cost, who, nowMs))
    this.#claims.make({ who, cost, fromLevel, fromMs, dueMs }, { nowMs, toldMs, refillMs: cost / rate })
  }

  /** What a new request draws on. */
  draw(nowMs: number): Draw {
    this.#advance(nowMs)
    return { room: Math.max(0, this.#level - this.#even), owed: 0, owedAtMs: nowMs }
  }

  /**
   * Charges a request whatever there is, until what it owes takes one window to be paid; returns what was charged of it.
   * Others that owe as much do not make it cheaper.
   */
  take(cost: number, nowMs: number, draw = this.draw(nowMs)): number {
    this.#advance(nowMs)
    const refilled = ((nowMs - draw.owedAtMs) * this.#limit) / windowMs
    draw.owed = Math.max(0, draw.owed - refilled)
    draw.owedAtMs = nowMs
    const taken = Math.max(0, Math.min(cost, Math.floor(this.#limit + draw.room - draw.owed)))
    draw.owed += taken
    this.#level -= taken
    this.#charges.add(taken)
    return taken
  }

  /** An ask that fitted was charged. */
  admitted(cost: number, who: string, nowMs: number): void {
    this.#claims?.taken(who, cost, nowMs)
  }

  /** Gives back what was taken at a time. */
  give(amount: number, takenAtMs: number, nowMs: number): void {
    this.#advance(nowMs)
    this.#level = Math.min(this.#capacity, this.#level + amount)
    this.#charges.remove(amount, takenAtMs)
  }

  /** A request is over. Where several share, what it kept from the others in vain costs its owner time. */
  ended({ reserved, needed, heldMs }: Drawn, who: string, nowMs: number): void {
    if (!this.#traits.shared) return
    const isUsed = needed >= usedShareMin * reserved
    const matters = isUsed || this.#wastes?.areCounted(who, nowMs) === true
    if (matters && reserved > this.#even && this.#traits.evens) {
      this.#claims ??= new Claims(true)
      this.#claims.ended(who, isUsed, nowMs)
    }
    const wasted = Math.max(0, reserved - needed) * Math.min(1, heldMs / windowMs)
    if (wasted < 1) return
    this.#wastes ??= new Wastes()
    this.#wastes.add(who, (wasted * windowMs) / this.#limit, nowMs)
  }

  /** For one of those who share it. */
  state(nowMs: number, who: string): AllowanceState {
    this.#advance(nowMs)
    const burst = this.#burst
    const owedMs = this.#msOwed(who, nowMs)
    const owed = (owedMs * this.#limit) / windowMs
    const left = Math.min(this.#level - this.#even - owed, this.#guard - this.#charges.at(nowMs))
    return {
      remaining: Math.max(0, Math.floor(left + (roundingMs * this.#limit) / windowMs)),
      capacity: burst,
      resetMs: Math.max(
        Math.ceil(owedMs),
        this.#msUntilLevel(this.#capacity),
        this.#charges.msUntil(this.#guard - burst, nowMs),
      ),
    }
  }

  /** As good as new: nothing would be lost if it were forgotten. */
  isUntouched(nowMs: number): boolean {
    this.#advance(nowMs)
    return this.#charges.sum === 0 && this.#level >= this.#capacity
  }

  /** As others may take it over, on the same clock. */
  written(): AllowanceRecord {
    return {
      limit: this.#limit,
      level: this.#level,
      at: this.#atMs,
      slots: this.#charges.written(),
      ...this.#claims?.written(),
      ...this.#wastes?.written(),
    }
  }

  /** All of it, in place of what was charged here. */
  read(record: AllowanceRecord): void {
    const { limit, level, at, slots = noSlots, claim, next, barred, paid, missed, other } = record
    this.#limit = limit
    this.#level = Number(level)
    this.#atMs = at
    this.#charges.read(slots, at)
    // Each answer brings one, and few have any of these.
    const hasClaims = claim !== undefined || next !== undefined || barred !== undefined
    this.#claims = hasClaims ? new Claims(this.#traits.shared) : null
    this.#claims?.read(record)
    const hasWastes = paid !== undefined || missed !== undefined || other !== undefined
    this.#wastes = hasWastes ? new Wastes() : null
    this.#wastes?.read(record)
  }

  get #burst(): number {
    const atOnce = Math.max(1, burstShare * this.#limit)
    return this.#traits.evens ? atOnce : Math.max(atOnce, Math.min(this.#limit, burstRequests))
  }

  get #even(): number {
    return this.#traits.evens ? evenShare * this.#limit : 0
  }

  get #capacity(): number {
    return this.#burst + this.#even
  }

  get #guard(): number {
    if (this.#limit < guardOneMoreFrom) return this.#limit
    return Math.max(this.#limit + 1, guardShare * this.#limit)
  }

  #need(cost: number): number {
    return Math.min(this.#capacity, Math.max(cost, this.#even))
  }

  #advance(nowMs: number): void {
    if (nowMs <= this.#atMs) return
    this.#level = Math.min(this.#capacity, this.#level + ((nowMs - this.#atMs) * this.#limit) / windowMs)
    this.#atMs = nowMs
    this.#charges.advance(nowMs)
  }

  #msUntilLevel(level: number): number {
    const missing = ((level - this.#level) * windowMs) / this.#limit
    return Math.max(0, Math.ceil(missing - roundingMs))
  }

  #msUntilCharged(cost: number, nowMs: number): number {
    return this.#charges.msUntil(this.#guard - Math.min(cost, this.#guard), nowMs)
  }

  /** Until the cost can be charged beside what is put aside, if something else keeps it away for `ownMs`. */
  #msUntilBeyond(claim: Claim, cost: number, nowMs: number, ownMs: number): number {
    const room = this.#guard - Math.min(claim.cost, this.#guard) - cost
    if (room < 0) return Number.POSITIVE_INFINITY
    const whole = this.#need(claim.cost)
    // In what room there is beside it, the size of requests does not matter either.
    const need = Math.max(cost, Math.min(this.#even, (this.#capacity - whole) / 2))
    if (this.#charges.at(claim.dueMs) <= room) {
      // Beside a full bucket's worth there is room at first only, while it is being put aside.
      const level = Math.min(this.#capacity, this.#level + (ownMs * this.#limit) / windowMs)
      const isTooLate = need + whole > this.#capacity && level < need + this.#setAside(claim, whole, nowMs + ownMs)
      const besideMs = this.#msUntilBeside(claim, whole, need, nowMs)
      return isTooLate && besideMs < ownMs ? Number.POSITIVE_INFINITY : besideMs
    }
    // Not before it is due, and then all of it is put aside.
    return Math.max(this.#charges.msUntil(room, nowMs), this.#msUntilReached(need + whole))
  }

  /** Whoever kept the allowance from others in vain leaves that much in it for them. */
  #msUntilOwnLevel(level: number, who: string, nowMs: number): number {
    if (this.#wastes === null) return this.#msUntilLevel(level)
    const msOf = (amount: number) => (amount * windowMs) / this.#limit
    const needed = { missingMs: msOf(level - this.#level), spareMs: msOf(this.#capacity - level) }
    return this.#wastes.msUntil(needed, who, nowMs)
  }

  #msOwed(who: string, nowMs: number): number {
    return this.#wastes?.msOwed(who, nowMs) ?? 0
  }

  /** Until there is what is needed above what is put aside by then. */
  #msUntilBeside(claim: Claim, whole: number, need: number, nowMs: number): number {
    const rate = this.#limit / windowMs
    const setAsideRate = rate * claimShare
    const untilFromMs = Math.max(0, claim.fromMs - nowMs)
    const missing = need + this.#setAside(claim, whole, nowMs) - this.#level
    if (missing <= rate * roundingMs) return 0
    const meanwhileMs = (missing - untilFromMs * setAsideRate) / (rate - setAsideRate)
    const isDone = nowMs + meanwhileMs > claim.dueMs
    return this.#msUntilReached(isDone ? need + whole : this.#level + meanwhileMs * rate)
  }

  #setAside(claim: Claim, whole: number, atMs: number): number {
    const sinceFromMs = Math.max(0, atMs - claim.fromMs)
    return Math.min(whole, claim.fromLevel + (sinceFromMs * claimShare * this.#limit) / windowMs)
  }

  /** Never, of what is above the bucket. */
  #msUntilReached(level: number): number {
    return level > this.#capacity ? Number.POSITIVE_INFINITY : this.#msUntilLevel(level)
  }
}
