/** How long each model of a host takes to load, learned from its loads. */
import { BoundedMap } from '../base/bounded-map.ts'

/** How much the latest load counts: one in thirty is many times as long as the others, so that it goes by logarithms. */
const latestShare = 0.3
/** Faster than this nothing is read from a disk; a time of nothing has no logarithm. */
const loadMsMin = 1
const modelsMax = 2_000

export class LoadTimes {
  readonly #logMs = new BoundedMap<string, number>(modelsMax)
  /** Of all models of the host: what is known of one that was never seen to load. */
  #logMsOfAll: number | null = null

  add(model: string, ms: number): void {
    const log = Math.log(Math.max(loadMsMin, ms))
    const mixed = (before: number | null | undefined): number => (before ?? log) + latestShare * (log - (before ?? log))
    this.#logMs.set(model, mixed(this.#logMs.get(model)))
    this.#logMsOfAll = mixed(this.#logMsOfAll)
  }

  /** Null where none was seen there. */
  expectedMs(model: string): number | null {
    const log = this.#logMs.get(model) ?? this.#logMsOfAll
    return log === null ? null : Math.exp(log)
  }
}
