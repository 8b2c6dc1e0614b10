/** Who kept an allowance from the others it is shared with, by reservations of which little was used: what was missing for others they owe them. */
import { BoundedMap } from '../base/bounded-map.ts'

/** So much at most, in time of refill, whatever was wasted. */
const owedMsMax = 120_000
const ownersMax = 1_000

export class Wastes {
  /** When nothing is owed any more: it gets less as the allowance refills. */
  readonly #paidAtMs = new BoundedMap<string, number>(ownersMax)

  /** `costsMs`: how long the allowance takes to refill what was missing for others. */
  add(who: string, costsMs: number, nowMs: number): void {
    const fromMs = Math.max(nowMs, this.#paidAtMs.get(who) ?? nowMs)
    this.#paidAtMs.set(who, Math.min(nowMs + owedMsMax, fromMs + costsMs))
  }

  msOwed(who: string, nowMs: number): number {
    return Math.max(0, (this.#paidAtMs.get(who) ?? nowMs) - nowMs)
  }
}
