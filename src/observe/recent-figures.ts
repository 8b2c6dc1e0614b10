/** Speeds of the last minutes, by host and by model, for pages: what Prometheus works out of two scrapes, out of two looks of our own. */
import type { Clock, Timer } from '../base/clock.ts'
import { type Counted, quantileOf } from './counted.ts'
import { metricDefinitions } from './metric-names.ts'
import { grownBy, type Places, type PlaceTotals, placesOf, sharing, type TotalSources } from './place-totals.ts'

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
  readonly places: Places
}

const everyMs = 5_000
const minuteMs = 60_000

export class RecentFigures {
  readonly #parts: RecentFiguresParts
  /** The oldest first; one of them is as old as the longest window, or the first of all. */
  readonly #looks: Look[] = []
  #timer: Timer | null = null

  constructor(parts: RecentFiguresParts) {
    this.#parts = parts
  }

  start(): void {
    this.#looks.push(this.#look())
    this.#timer = this.#parts.clock.after(everyMs, () => this.start())
    this.#forget()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Looks that are remembered. */
  get looks(): number {
    return this.#looks.length
  }

  /** As of now: of the places that are asked for, together. */
  now(): (includes: (place: PlaceTotals) => boolean) => RecentSpeeds {
    const now = this.#look()
    const [minute, minutes] = [this.#before(now, minuteMs), this.#before(now, 5 * minuteMs)]
    return (includes) => ({
      lastMinute: speedsOf(minute, now, includes),
      last5Minutes: speedsOf(minutes, now, includes),
    })
  }

  #look(): Look {
    const { clock, sources, counted } = this.#parts
    const places = placesOf(sources, counted)
    const last = this.#looks.at(-1)
    return { atMs: clock.now(), places: last === undefined ? places : sharing(last.places, places) }
  }

  /** The newest that is at least so old, else the oldest there is. */
  #before(now: Look, ms: number): Look {
    return this.#looks.findLast(({ atMs }) => now.atMs - atMs >= ms) ?? this.#looks[0] ?? now
  }

  #forget(): void {
    const nowMs = this.#parts.clock.now()
    while (nowMs - (this.#looks[1]?.atMs ?? nowMs) >= 5 * minuteMs) this.#looks.shift()
  }
}

function speedsOf(before: Look, now: Look, includes: (place: PlaceTotals) => boolean): Speeds {
  const windowSeconds = (now.atMs - before.atMs) / 1_000
  const grown = grownBy(before.places, now.places, includes)
  const { output, decoded, prefilled, prefillSeconds, decodeSeconds, wholeSeconds, busySeconds, firstTokens } = grown
  return {
    windowSeconds: Math.round(windowSeconds * 1_000) / 1_000,
    outputTokensPerSecond: per(output, windowSeconds),
    streamTokensPerSecond: per(decoded, decodeSeconds),
    busyTokensPerSecond: per(output, busySeconds),
    batchSize: per(decodeSeconds + wholeSeconds, busySeconds),
    prefillTokensPerSecond: per(prefilled, prefillSeconds),
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
