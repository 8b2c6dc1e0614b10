/** How long each model of a host takes to load, learned from its loads. */
import { BoundedMap } from '../base/bounded-map.ts'

/** How much the latest load counts: one in thirty is many times as long as the others, so that it goes by logarithms. */
const latestShare = 0.3
/** Faster than this nothing is read from a disk; a time of nothing has no logarithm. */
const loadMsMin = 1
/** The same for the mean: few loads, one of which is long, must not decide for hours. */
const meanShare = 0.1
const modelsMax = 2_000

export class LoadTimes {
  readonly #logMs = new BoundedMap<string, number>(modelsMax)
  /** Of all models of the host: what is known of one that was never seen to load. */
  #logMsOfAll: number | null = null
  /** What was seen, as if loads before had taken no time; and how much of the mean is still what was expected. */
  #meanMsSeen = 0
  #priorShare = 1

  add(model: string, ms: number): void {
    this.#priorShare *= 1 - meanShare
    this.#meanMsSeen += meanShare * (ms - this.#meanMsSeen)
    const log = Math.log(Math.max(loadMsMin, ms))
    const mixed = (before: number | null | undefined): number => (before ?? log) + latestShare * (log - (before ?? log))
    this.#logMs.set(model, mixed(this.#logMs.get(model)))
    this.#logMsOfAll = mixed(this.#logMsOfAll)
  }

  /**
   * Of any load of the host on average, where one was expected to take `priorMs` before any was seen: long ones count in full,
   * since they take the time of the host in full.
   */
  meanMs(priorMs: number): number {
    return this.#priorShare * priorMs + this.#meanMsSeen
  }

  /** Null where none was seen there. */
  expectedMs(model: string): number | null {
    const log = this.#logMs.get(model) ?? this.#logMsOfAll
    return log === null ? null : Math.exp(log)
  }
}
