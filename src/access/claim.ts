/** Who may take what is being put aside in an allowance for a large request, so that small ones do not keep it away. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { ClaimRecord, ClaimsRecord } from './limit-records.ts'

export interface Claim {
  readonly who: string
  readonly cost: number
  /** Level from which it is put aside, and when that begins. */
  readonly fromLevel: number
  readonly fromMs: number
  /** From then on all that it needs has been put aside. */
  readonly dueMs: number
  /** When its owner was told to come back. */
  backAtMs: number
  /** Unless its owner has come back by then, it is gone. */
  lapsesMs: number
}

/** Of each refill, what is put aside for the one claim; the rest is for all others, so neither starves. */
export const claimShare = 0.25
/** An owner that comes back with this much less than it claimed still has what was put aside. */
const aboutTheSame = 0.9
const graceMsMin = 2_000
const graceShare = 0.25
const graceMsMax = 60_000
/** Whoever did not come back, or had little use for what it got, may not claim for so long; twice as long the next time. */
const barMs = 120_000
const barsMax = 6
const barredMax = 64

export class Claims {
  readonly #bars: boolean
  #claim: Claim | null = null
  /** Claims take no more than their share in the long run, however large they are. */
  #nextMs = Number.NEGATIVE_INFINITY
  #barred: BoundedMap<string, { times: number; untilMs: number }> | null = null

  /** `bars`: several share the allowance, so that one who claims and does not come costs the others. */
  constructor(bars: boolean) {
    this.#bars = bars
  }

  /** The one that stands now, of somebody else; its own owner is not held back by it. */
  against(who: string, cost: number, nowMs: number): Claim | null {
    const claim = this.#standing(nowMs)
    return claim === null || isTaking(claim, who, cost) ? null : claim
  }

  /** Of this owner and about this size. */
  of(who: string, cost: number, nowMs: number): Claim | null {
    const claim = this.#standing(nowMs)
    return claim !== null && isTaking(claim, who, cost) ? claim : null
  }

  mayClaim(who: string, nowMs: number): boolean {
    if (this.#standing(nowMs) !== null || nowMs < this.#nextMs) return false
    return (this.#barred?.get(who)?.untilMs ?? nowMs) <= nowMs
  }

  make(claim: Omit<Claim, 'backAtMs' | 'lapsesMs'>, times: { nowMs: number; toldMs: number; refillMs: number }): void {
    this.#claim = { ...claim, ...expected(times.nowMs, times.toldMs) }
    this.#nextMs = times.nowMs + times.refillMs / claimShare
  }

  /** Its owner was here, and was told to come again. */
  renew(claim: Claim, nowMs: number, toldMs: number): void {
    Object.assign(claim, expected(nowMs, toldMs))
  }

  taken(who: string, cost: number, nowMs: number): void {
    if (this.of(who, cost, nowMs) === null) return
    this.#claim = null
  }

  /** A large reservation is over; of one that was not used for the most part others would have had more. */
  ended(who: string, isUsed: boolean, nowMs: number): void {
    if (isUsed) this.#barred?.delete(who)
    else if (this.#bars) this.#bar(who, nowMs)
  }

  clear(): void {
    this.#claim = null
  }

  written(): ClaimsRecord {
    const claim = this.#claim
    const barred = Array.from(this.#barred ?? [], ([who, { times, untilMs }]) => [who, times, untilMs] as const)
    return {
      ...(claim === null ? {} : { claim: writtenClaim(claim) }),
      ...(Number.isFinite(this.#nextMs) ? { next: this.#nextMs } : {}),
      ...(barred.length === 0 ? {} : { barred }),
    }
  }

  /** In place of what stood here. */
  read({ claim, next, barred = [] }: ClaimsRecord): void {
    this.#claim = claim === undefined ? null : readClaim(claim)
    this.#nextMs = next === undefined ? Number.NEGATIVE_INFINITY : Number(next)
    this.#barred = barred.length === 0 ? null : new BoundedMap(barredMax)
    for (const [who, times, untilMs] of barred) this.#barred?.set(who, { times, untilMs: Number(untilMs) })
  }

  #standing(nowMs: number): Claim | null {
    const claim = this.#claim
    if (claim === null || nowMs < claim.lapsesMs) return claim
    this.#claim = null
    this.#nextMs = nowMs
    if (this.#bars) this.#bar(claim.who, nowMs)
    return null
  }

  #bar(who: string, nowMs: number): void {
    this.#barred ??= new BoundedMap(barredMax)
    const times = Math.min(barsMax, (this.#barred.get(who)?.times ?? 0) + 1)
    this.#barred.set(who, { times, untilMs: nowMs + barMs * 2 ** (times - 1) })
  }
}

function writtenClaim({ who, cost, fromLevel, fromMs, dueMs, backAtMs, lapsesMs }: Claim): ClaimRecord {
  return { who, cost, level: fromLevel, from: fromMs, due: dueMs, back: backAtMs, lapses: lapsesMs }
}

function readClaim({ who, cost, level, from, due, back, lapses }: ClaimRecord): Claim {
  return {
    who,
    cost,
    fromLevel: Number(level),
    fromMs: Number(from),
    dueMs: Number(due),
    backAtMs: Number(back),
    lapsesMs: Number(lapses),
  }
}

function isTaking(claim: Claim, who: string, cost: number): boolean {
  return claim.who === who && cost >= aboutTheSame * claim.cost
}

function expected(nowMs: number, toldMs: number): Pick<Claim, 'backAtMs' | 'lapsesMs'> {
  const backAtMs = nowMs + toldMs
  return { backAtMs, lapsesMs: backAtMs + Math.min(graceMsMax, Math.max(graceMsMin, graceShare * toldMs)) }
}
