/** Speeds of the last minutes, by host and by model, for pages: what Prometheus works out of two scrapes, out of two looks of our own. */
import type { Clock, Timer } from '../base/clock.ts'
import { allAtOnce, type Steps } from '../base/steps.ts'
import { type Counted, quantileOf } from './counted.ts'
import { metricDefinitions } from './metric-names.ts'
import {
  grownBetween,
  noTotals,
  type Place,
  PlaceIndex,
  type Places,
  type PlaceTotals,
  placesOf,
  summedBy,
  type TotalSources,
} from './place-totals.ts'
import { inTurns } from './turns.ts'

/** As the terms have them. Null: nothing was made of which to tell it. */
export interface Speeds {
  /** The real length of the window. */
  readonly windowSeconds: number
  readonly outputTokensPerSecond: number | null
  readonly streamTokensPerSecond: number | null
  readonly busyTokensPerSecond: number | null
  readonly batchSize: number | null
  readonly prefillTokensPerSecond: number | null
  readonly ttftP50Ms: number | null
  readonly ttftP95Ms: number | null
}

export interface RecentSpeeds {
  readonly lastMinute: Speeds
  readonly last5Minutes: Speeds
}

export interface RecentFiguresParts {
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly sources: TotalSources
  /** Null where metrics are off. */
  readonly counted: Counted | null
}

interface Look {
  readonly atMs: number
  /** Since the look before: what rests takes no memory. */
  readonly grown: Places
}

const everyMs = 5_000
const minuteMs = 60_000

export class RecentFigures {
  readonly #parts: RecentFiguresParts
  readonly #index = new PlaceIndex()
  /** The oldest first; one of them is as old as the longest window, or the first of all. */
  readonly #looks: Look[] = []
  /** All totals of the last look. */
  #last: Places = new Map()
  #timer: Timer | null = null

  constructor(parts: RecentFiguresParts) {
    this.#parts = parts
  }

  start(): void {
    allAtOnce(this.#look())
    this.#waitForNext()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Looks that are remembered. */
  get looks(): number {
    return this.#looks.length
  }

  /** As of now: by the names of hosts or of models, or (null) of all together under the empty name. */
  *now(label: keyof Place | null): Steps<(name: string) => RecentSpeeds> {
    const { clock, sources, counted } = this.#parts
    // Another look may be taken before this is done.
    const [looks, last, nowMs] = [[...this.#looks], this.#last, clock.now()]
    const totals = yield* placesOf(this.#index, sources, counted)
    const moment = { atMs: nowMs, grown: yield* grownBetween(last, totals) }
    const lastMinute = yield* speedsIn([...looks, moment], minuteMs, label)
    const last5Minutes = yield* speedsIn([...looks, moment], 5 * minuteMs, label)
    return (name) => ({ lastMinute: lastMinute(name), last5Minutes: last5Minutes(name) })
  }

  #waitForNext(): void {
    const { clock } = this.#parts
    const lookAndWait = async (): Promise<void> => {
      await inTurns(this.#look(), clock)
      if (this.#timer !== null) this.#waitForNext()
    }
    this.#timer = clock.after(everyMs, () => void lookAndWait())
  }

  *#look(): Steps {
    const { clock, sources, counted } = this.#parts
    const atMs = clock.now()
    const totals = yield* placesOf(this.#index, sources, counted)
    this.#looks.push({ atMs, grown: yield* grownBetween(this.#last, totals) })
    this.#last = totals
    while (atMs - (this.#looks[1]?.atMs ?? atMs) >= 5 * minuteMs) this.#looks.shift()
  }
}

/** From the newest look that is at least so old, else the oldest there is, to the last. */
function* speedsIn(looks: readonly Look[], ms: number, label: keyof Place | null): Steps<(name: string) => Speeds> {
  const nowMs = looks.at(-1)?.atMs ?? 0
  const from = Math.max(
    0,
    looks.findLastIndex(({ atMs }) => nowMs - atMs >= ms),
  )
  const windowSeconds = (nowMs - (looks[from]?.atMs ?? nowMs)) / 1_000
  const sums = yield* summedBy(
    label,
    looks.slice(from + 1).map(({ grown }) => grown),
  )
  return (name) => speedsOf(sums.get(name) ?? noTotals(), windowSeconds, label)
}

function speedsOf(grown: Readonly<PlaceTotals>, windowSeconds: number, label: keyof Place | null): Speeds {
  const { output, decodeSeconds, wholeSeconds, firstTokens } = grown
  // What a host makes of several models at once takes it no longer; of one model it is only the seconds of that.
  const busySeconds = label === 'model' ? grown.busySeconds : grown.generatingSeconds
  return {
    windowSeconds: Math.round(windowSeconds * 1_000) / 1_000,
    outputTokensPerSecond: per(output, windowSeconds),
    streamTokensPerSecond: per(grown.decoded, grown.decodedSeconds),
    busyTokensPerSecond: per(output, busySeconds),
    batchSize: per(decodeSeconds + wholeSeconds, busySeconds),
    prefillTokensPerSecond: per(grown.prefilled, grown.prefilledSeconds),
    ttftP50Ms: quantileMs(0.5, firstTokens),
    ttftP95Ms: quantileMs(0.95, firstTokens),
  }
}

function per(amount: number, seconds: number): number | null {
  return seconds > 0 ? rounded(amount / seconds) : null
}

function quantileMs(share: number, firstTokens: Float64Array | null): number | null {
  if (firstTokens === null) return null
  const seconds = quantileOf(share, firstTokens, metricDefinitions.time_to_first_token_seconds.buckets)
  return seconds === null ? null : rounded(seconds * 1_000)
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100
}
