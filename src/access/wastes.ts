/** Who kept an allowance from the others it is shared with, by reservations of which little was used: what was missing for others they owe them. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { WastesRecord } from './limit-records.ts'
import { roundingMs } from './minute-charges.ts'

/** So much at most, in time of refill, whatever was wasted. */
const owedMsMax = 120_000
const ownersMax = 1_000
/** What is owed counts for so long after somebody else was refused: where nobody is, nothing is missing. */
const missedMs = 120_000

interface Missed {
  readonly who: string
  readonly atMs: number
}

/** Where a level is that an ask needs, in time of refill. */
export interface Needed {
  /** From what is there; negative where there is more. */
  readonly missingMs: number
  /** From there to a full bucket. */
  readonly spareMs: number
}

/** How much of what it had reserved a request had use for, when it ended. */
export interface Drawn {
  readonly reserved: number
  readonly needed: number
  readonly heldMs: number
}

export class Wastes {
  /** When nothing is owed any more: it gets less as the allowance refills. */
  readonly #paidAtMs = new BoundedMap<string, number>(ownersMax)
  /** The latest refusal, and the latest of anybody else. */
  #missed: Missed | null = null
  #missedByOther: Missed | null = null

  /** `costsMs`: how long the allowance takes to refill what was missing for others. */
  add(who: string, costsMs: number, nowMs: number): void {
    const fromMs = Math.max(nowMs, this.#paidAtMs.get(who) ?? nowMs)
    this.#paidAtMs.set(who, Math.min(nowMs + owedMsMax, fromMs + costsMs))
  }

  /** There was not enough for this one. */
  missed(who: string, nowMs: number): void {
    if (this.#missed !== null && this.#missed.who !== who) this.#missedByOther = this.#missed
    this.#missed = { who, atMs: nowMs }
  }

  /** There was not enough for somebody else a short time ago. */
  areCounted(who: string, nowMs: number): boolean {
    return this.#countsMs(who, nowMs) > 0
  }

  /** As it counts now. */
  msOwed(who: string, nowMs: number): number {
    return this.areCounted(who, nowMs) ? Math.max(0, (this.#paidAtMs.get(who) ?? nowMs) - nowMs) : 0
  }

  /** Whole milliseconds until the level is reached and what is owed is left beside it. */
  msUntil({ missingMs, spareMs }: Needed, who: string, nowMs: number): number {
    const owedMs = this.msOwed(who, nowMs)
    if (owedMs <= missingMs) return wholeMs(missingMs)
    // What is owed gets less while the level gets more, until the bucket is full.
    const metMs = Math.max((owedMs + missingMs) / 2, owedMs - spareMs)
    return Math.min(wholeMs(metMs), Math.max(wholeMs(missingMs), Math.ceil(this.#countsMs(who, nowMs))))
  }

  written(): WastesRecord {
    const paid = Object.fromEntries(this.#paidAtMs)
    return {
      ...(this.#paidAtMs.size === 0 ? {} : { paid }),
      ...(this.#missed === null ? {} : { missed: [this.#missed.who, this.#missed.atMs] }),
      ...(this.#missedByOther === null ? {} : { other: [this.#missedByOther.who, this.#missedByOther.atMs] }),
    }
  }

  /** Into new ones. */
  read({ paid = {}, missed, other }: WastesRecord): void {
    for (const [who, atMs] of Object.entries(paid)) this.#paidAtMs.set(who, Number(atMs))
    this.#missed = missed === undefined ? null : { who: missed[0], atMs: missed[1] }
    this.#missedByOther = other === undefined ? null : { who: other[0], atMs: other[1] }
  }

  #countsMs(who: string, nowMs: number): number {
    const missed = this.#missed?.who === who ? this.#missedByOther : this.#missed
    return missed === null ? 0 : Math.max(0, missed.atMs + missedMs - nowMs)
  }
}

function wholeMs(ms: number): number {
  return Math.max(0, Math.ceil(ms - roundingMs))
}
