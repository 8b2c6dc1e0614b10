/**
 * The time that a host may put into loads for whoever comes: a share of all time, saved up to that of some minutes, less what
 * loads have taken. A host that has rested loads at once; one that is asked for several models in turn has used it up soon.
 */
import type { Clock } from '../base/clock.ts'

/** So long is saved for. */
const savedForMs = 300_000
/** As many are kept until somebody asks. */
const loadsMax = 100

interface Spent {
  readonly atMs: number
  readonly ms: number
}

export class LoadBudget {
  readonly #clock: Clock
  /** Not counted yet; the oldest first. */
  readonly #spent: Spent[] = []
  /** What loads have taken and time has not given back, as of `#atMs`. */
  #owedMs = 0
  #atMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#atMs = clock.now()
  }

  /** A load, whatever came of it, is over after so long. */
  spend(ms: number): void {
    this.#spent.push({ atMs: this.#clock.now(), ms })
    if (this.#spent.length > loadsMax) this.#spent.shift()
  }

  /** Until a load that is likely to take `loadMs` may begin; one that is longer than all that can be saved may when nothing is owed. */
  nextInMs(loadMs: number, share: number): number {
    for (const { atMs, ms } of this.#spent.splice(0)) {
      this.#giveBack(atMs, share)
      this.#owedMs += ms
    }
    this.#giveBack(this.#clock.now(), share)
    const mayOweMs = Math.max(0, savedForMs * share - loadMs)
    return Math.max(0, this.#owedMs - mayOweMs) / share
  }

  #giveBack(untilMs: number, share: number): void {
    this.#owedMs = Math.max(0, this.#owedMs - (untilMs - this.#atMs) * share)
    this.#atMs = untilMs
  }
}
