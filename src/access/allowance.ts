/** One limit per minute of one account: a bucket that refills steadily, and a guard over what any minute was charged. */
import { type Claim, Claims, claimShare } from './claim.ts'

const windowMs = 60_000
const slotMs = 2_500
/** One more than a window has: the oldest counts until all of it is older than a window. */
const slots = windowMs / slotMs + 1

/** What may be used at once, in windows: 15 s. */
const burstShare = 0.25
/**
 * What admissions may charge in any window, in windows. The bucket alone would let large requests take twice the
 * limit; the rest up to 1.25 is for what turns out larger than was reserved.
 */
const guardShare = 1.2
/**
 * Of what may be used at once: up to here all requests need the same level, whatever they take of it. Else small ones,
 * which fit sooner, would in a flood be nearly all that is ever admitted.
 */
const evenShare = 0.5

/** So much of a refill is forgiven to the rounding of numbers. */
const roundingMs = 1e-5

export interface Traits {
  /** Requests differ in what they take. */
  readonly evens: boolean
  /** By several keys. */
  readonly shared: boolean
}

export interface AllowanceState {
  /** What one request may take now. */
  readonly remaining: number
  /** The same when it is full. */
  readonly capacity: number
  /** Until it is full again, if nothing is charged. */
  readonly resetMs: number
}

/**
 * Times are monotonic milliseconds, amounts whole numbers. What is larger than the bucket is admitted on a full one and
 * leaves a debt, of one window at most. A refused ask changes nothing, but that of the refill a quarter is put aside for
 * a large one from then on.
 */
export class Allowance {
  #limit: number
  #level: number
  #atMs: number
  /** All charges of the last window, by the slot of time they were made in; made with the first charge. */
  #charged: Float64Array | null = null
  #chargedSum = 0
  #newestSlot: number
  readonly #traits: Traits
  #claims: Claims | null = null

  /** Full since `nowMs`. */
  constructor(limit: number, traits: Traits, nowMs: number) {
    this.#limit = limit
    this.#traits = traits
    this.#level = this.#capacity
    this.#atMs = nowMs
    this.#newestSlot = Math.floor(nowMs / slotMs)
  }

  get limit(): number {
    return this.#limit
  }

  /** Holds from now on; what is used keeps its share. */
  setLimit(limit: number, nowMs: number): void {
    this.#advance(nowMs)
    const before = this.#capacity
    const scale = limit / this.#limit
    this.#limit = limit
    // Not by `scale`: the smallest bucket holds one whole request.
    this.#level = this.#level > 0 ? (this.#level / before) * this.#capacity : this.#level * scale
    this.#chargedSum = 0
    this.#charged = this.#charged?.map((amount) => Math.floor(amount * scale)) ?? null
    for (const amount of this.#charged ?? []) this.#chargedSum += amount
    this.#claims?.clear()
  }

  /** Whole milliseconds until this cost is admitted if nobody else is charged; 0 when it is now. */
  fitsInMs(cost: number, who: string, nowMs: number): number {
    if (cost <= 0) return 0
    this.#advance(nowMs)
    const level = this.#msUntilLevel(this.#need(cost))
    const own = Math.max(level, this.#msUntilCharged(this.#guard - Math.min(cost, this.#guard), nowMs))
    const claim = this.#claims?.against(who, cost, nowMs) ?? null
    if (claim === null) return own
    const lapsesInMs = Math.ceil(claim.lapsesMs - nowMs)
    return Math.max(own, Math.min(lapsesInMs, this.#msUntilBeyond(claim, cost, nowMs)))
  }

  /** What to tell a refused ask: the time until it fits; on its return in vain, until it does whatever others do. */
  comeBackInMs(cost: number, who: string, nowMs: number): number {
    const fitsInMs = this.fitsInMs(cost, who, nowMs)
    const claim = this.#claims?.of(who, cost, nowMs) ?? null
    if (claim === null || nowMs < claim.backAtMs) return fitsInMs
    return Math.max(fitsInMs, Math.ceil(claim.dueMs - nowMs))
  }

  /** The ask was refused and told to come back in `toldMs`: if it is a large one, part of the refill is put aside. */
  claim(cost: number, who: string, nowMs: number, toldMs: number): void {
    if (cost <= evenShare * this.#capacity || !this.#traits.evens) return
    this.#claims ??= new Claims(this.#traits.shared)
    const claim = this.#claims.of(who, cost, nowMs)
    if (claim !== null) return this.#claims.renew(claim, nowMs, toldMs)
    if (!this.#claims.mayClaim(who, nowMs)) return
    const rate = this.#limit / windowMs
    const fromLevel = Math.max(0, this.#level)
    // Nobody can use anything before a debt is paid.
    const fromMs = nowMs + Math.max(0, -this.#level) / rate
    const filledMs = fromMs + Math.max(0, this.#need(cost) - fromLevel) / (rate * claimShare)
    const dueMs = Math.max(filledMs, nowMs + this.fitsInMs(cost, who, nowMs))
    this.#claims.make({ who, cost, fromLevel, fromMs, dueMs }, { nowMs, toldMs, refillMs: cost / rate })
  }

  /** Charges whatever there is, down to a debt of one window; returns what was charged of it. */
  take(cost: number, nowMs: number): number {
    this.#advance(nowMs)
    const taken = Math.max(0, Math.min(cost, Math.floor(this.#level + this.#limit)))
    this.#level -= taken
    this.#addTo(this.#newestSlot, taken)
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
    const slot = Math.floor(takenAtMs / slotMs)
    if (slot > this.#newestSlot - slots) this.#addTo(slot, -Math.min(amount, this.#chargedIn(slot)))
  }

  state(nowMs: number): AllowanceState {
    this.#advance(nowMs)
    return {
      remaining: this.#level < this.#need(1) ? 0 : Math.floor(this.#level),
      capacity: this.#capacity,
      resetMs: this.#msUntilLevel(this.#capacity),
    }
  }

  /** As good as new: nothing would be lost if it were forgotten. */
  isUntouched(nowMs: number): boolean {
    this.#advance(nowMs)
    return this.#chargedSum === 0 && this.#level >= this.#capacity
  }

  get #capacity(): number {
    return Math.max(1, burstShare * this.#limit)
  }

  get #guard(): number {
    return Math.max(this.#limit + 1, guardShare * this.#limit)
  }

  #need(cost: number): number {
    if (cost >= this.#capacity) return this.#capacity
    return this.#traits.evens ? Math.max(cost, evenShare * this.#capacity) : cost
  }

  #advance(nowMs: number): void {
    if (nowMs <= this.#atMs) return
    this.#level = Math.min(this.#capacity, this.#level + ((nowMs - this.#atMs) * this.#limit) / windowMs)
    this.#atMs = nowMs
    const slot = Math.floor(nowMs / slotMs)
    if (slot === this.#newestSlot) return
    if (this.#chargedSum > 0) {
      const first = Math.max(this.#newestSlot + 1, slot - slots + 1)
      for (let passed = first; passed <= slot; passed++) {
        this.#addTo(passed, -this.#chargedIn(passed))
      }
    }
    this.#newestSlot = slot
  }

  #msUntilLevel(level: number): number {
    const missing = ((level - this.#level) * windowMs) / this.#limit
    return Math.max(0, Math.ceil(missing - roundingMs))
  }

  /** Until no more than so much of the charges is left inside the window. */
  #msUntilCharged(atMost: number, nowMs: number): number {
    if (this.#chargedSum <= atMost) return 0
    let left = this.#chargedSum
    for (let slot = this.#newestSlot - slots + 1; slot <= this.#newestSlot; slot++) {
      left -= this.#chargedIn(slot)
      if (left <= atMost) return Math.ceil(goneAtMs(slot) - nowMs)
    }
    return 0
  }

  /** Until the cost can be charged beside what is put aside. */
  #msUntilBeyond(claim: Claim, cost: number, nowMs: number): number {
    if (cost + this.#chargedAt(claim.dueMs) + Math.min(claim.cost, this.#guard) > this.#guard) {
      return Number.POSITIVE_INFINITY
    }
    // In what room there is beside it, the size of requests does not matter either.
    const whole = this.#need(claim.cost)
    const need = Math.max(cost, Math.min(evenShare * this.#capacity, (this.#capacity - whole) / 2))
    const rate = this.#limit / windowMs
    const setAsideRate = rate * claimShare
    const untilFromMs = Math.max(0, claim.fromMs - nowMs)
    const sinceFromMs = Math.max(0, nowMs - claim.fromMs)
    const setAside = Math.min(whole, claim.fromLevel + sinceFromMs * setAsideRate)
    const missing = need + setAside - this.#level
    if (missing <= rate * roundingMs) return 0
    const meanwhileMs = (missing - untilFromMs * setAsideRate) / (rate - setAsideRate)
    const isDone = nowMs + meanwhileMs > claim.dueMs
    const level = isDone ? need + whole : this.#level + meanwhileMs * rate
    return level > this.#capacity ? Number.POSITIVE_INFINITY : this.#msUntilLevel(level)
  }

  #chargedIn(slot: number): number {
    return this.#charged?.[place(slot)] ?? 0
  }

  #addTo(slot: number, amount: number): void {
    this.#charged ??= new Float64Array(slots)
    this.#charged[place(slot)] = this.#chargedIn(slot) + amount
    this.#chargedSum += amount
  }

  /** Of the charges so far, what the window that ends then still holds. */
  #chargedAt(atMs: number): number {
    if (this.#chargedSum === 0) return 0
    let sum = 0
    for (let slot = this.#newestSlot - slots + 1; slot <= this.#newestSlot; slot++) {
      if (goneAtMs(slot) > atMs) sum += this.#chargedIn(slot)
    }
    return sum
  }
}

function place(slot: number): number {
  return ((slot % slots) + slots) % slots
}

function goneAtMs(slot: number): number {
  return (slot + 1) * slotMs + windowMs
}
