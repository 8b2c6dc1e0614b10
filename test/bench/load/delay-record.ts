/** A distribution of delays while it grows: percentiles, and where it has peaks. */
import { createHistogram } from 'node:perf_hooks'
import type { Delays } from './load-order.ts'

/** Up to 100 ms. */
const tenthsKept = 1_000

export class DelayRecord {
  readonly #histogram = createHistogram({ figures: 3 })
  readonly #tenths = new Uint32Array(tenthsKept)

  record(ns: number): void {
    const kept = ns < 1 ? 1 : Math.round(ns)
    this.#histogram.record(kept)
    const tenth = Math.floor(kept / 1e5)
    this.#tenths[tenth < tenthsKept ? tenth : tenthsKept - 1]!++
  }

  get delays(): Delays {
    const histogram = this.#histogram
    const { count } = histogram
    const at = (share: number) => (count === 0 ? 0 : histogram.percentile(share))
    return {
      count,
      p50: at(50),
      p90: at(90),
      p99: at(99),
      max: count === 0 ? 0 : histogram.max,
      tenths: [...this.#tenths],
    }
  }
}
