/** How many requests may be tried again elsewhere: a share of those that come, so that retries cannot multiply an outage. */
import type { Clock } from '../base/clock.ts'

/** Counted in fifths, which add up exactly: a first attempt brings one, a retry takes five. */
const retryFifths = 5
const heldFifthsMax = 100 * retryFifths
/** What there is at the start, and what comes back by itself where few requests come. */
const floorFifths = 3 * retryFifths
const backMs = 20_000

export class RetryBudget {
  readonly #clock: Clock
  #fifths = floorFifths
  /** Since when it has been below the floor, less what came back since. */
  #belowSinceMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#belowSinceMs = clock.now()
  }

  /** For each first attempt. */
  deposit(): void {
    this.#comeBack()
    this.#fifths = Math.min(this.#fifths + 1, heldFifthsMax)
  }

  /**
   * For each retry on another host; false when there must be none. What was saved up in good times is worth no more than
   * a fifth of the requests that are live now, so that an outage of many hosts cannot spend it all on itself. So many may be
   * owed; what comes later pays for them first.
   */
  take(requestsLive: number, owedMax = 0): boolean {
    this.#comeBack()
    this.#fifths = Math.min(this.#fifths, Math.max(floorFifths, requestsLive))
    if (this.#fifths < retryFifths - owedMax * retryFifths) return false
    this.#fifths -= retryFifths
    return true
  }

  #comeBack(): void {
    const now = this.#clock.now()
    if (this.#fifths >= floorFifths) {
      this.#belowSinceMs = now
      return
    }
    const retries = Math.floor((now - this.#belowSinceMs) / backMs)
    this.#belowSinceMs += retries * backMs
    this.#fifths = Math.min(this.#fifths + retries * retryFifths, floorFifths)
  }
}
