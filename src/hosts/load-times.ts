/** How long each model of a host takes to load, learned from its loads. */
import { BoundedMap } from '../base/bounded-map.ts'

/** How much the latest load counts: one in thirty is many times as long as the others, so that it goes by logarithms. */
const latestShare = 0.3
/** Faster than this nothing is read from a disk; a time of nothing has no logarithm. */
const loadMsMin = 1
/** The same for the mean: few loads, one of which is long, must not decide for hours. */
const meanShare = 0.1
const modelsMax = 2_000
/** A median of so many is moved by no single one of them, and follows a disk that has become slower within an hour or two. */
const latestMax = 9
/** What was expected before any was seen counts as so many. */
const priorCount = 2

interface Seen {
  readonly count: number
  /** Of the times, as if what was expected had taken 1 ms; and how much of it is still what was expected. */
  readonly logMs: number
  readonly priorShare: number
}

const nothing: Seen = { count: 0, logMs: 0, priorShare: 1 }

export class LoadTimes {
  readonly #seen = new BoundedMap<string, Seen>(modelsMax)
  /** Of all models of the host: what is known of one that was never seen to load. */
  #ofAll: Seen = nothing
  readonly #latestMs: number[] = []
  /** What was seen, as if loads before had taken no time; and how much of the mean is still what was expected. */
  #meanMsSeen = 0
  #priorShare = 1

  add(model: string, ms: number): void {
    this.#priorShare *= 1 - meanShare
    this.#meanMsSeen += meanShare * (ms - this.#meanMsSeen)
    this.#seen.set(model, mixed(this.#seen.get(model) ?? nothing, ms))
    this.#ofAll = mixed(this.#ofAll, ms)
    this.#latestMs.push(ms)
    if (this.#latestMs.length > latestMax) this.#latestMs.shift()
  }

  /**
   * Of any load of the host on average, where one was expected to take `priorMs` before any was seen: long ones count in full,
   * since they take the time of the host in full.
   */
  meanMs(priorMs: number): number {
    return this.#priorShare * priorMs + this.#meanMsSeen
  }

  /** The same as the one in the middle of the latest: those that are far longer than others have no part in it. */
  medianMs(priorMs: number): number {
    const sorted = [...Array.from({ length: priorCount }, () => priorMs), ...this.#latestMs].toSorted((a, b) => a - b)
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? priorMs
  }

  /** What was expected counts as one load more, so that the first does not decide alone. Null where none was seen there. */
  expectedMs(model: string, priorMs?: number): number | null {
    const { count, logMs, priorShare } = this.#seen.get(model) ?? this.#ofAll
    if (count === 0) return null
    if (priorMs === undefined) return Math.exp(logMs / (1 - priorShare))
    return Math.exp(logMs + priorShare * Math.log(Math.max(loadMsMin, priorMs)))
  }
}

function mixed({ count, logMs, priorShare }: Seen, ms: number): Seen {
  const share = Math.max(latestShare, 1 / (count + 2))
  const log = Math.log(Math.max(loadMsMin, ms))
  return { count: count + 1, logMs: logMs + share * (log - logMs), priorShare: priorShare * (1 - share) }
}
