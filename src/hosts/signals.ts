/**
 * What a host says of its own load: hints with an age, never truth. What the gateway gave to it is counted by itself and at once;
 * what a host says beyond that is the work of others. It can only make a host look busier, never idler, so that no burst runs
 * to a host that was idle when it was last asked.
 */
import type { Clock } from '../base/clock.ts'
import type { HostTelemetry } from './events.ts'

/** As a host tells it; each undefined where it does not. */
export interface SaidSignals {
  /** Requests that it works on, whoever sent them. */
  readonly running?: number | undefined
  /** Requests that wait at the host itself. */
  readonly queued?: number | undefined
  /** From 0 to 1. */
  readonly memoryUsedRatio?: number | undefined
  /** Of the memory that it keeps for prompts and answers under way, from 0 to 1. */
  readonly cacheUsedRatio?: number | undefined
}

/** So many probe intervals old it still counts in full: probes come a little later than asked for. */
const fullIntervals = 1.5
/** From then on half as much for each interval more, and nothing beyond so many. */
const intervalsMax = 3
/** Of a host whose probes told nothing yet. */
const usualEveryMs = 5_000
/** More is a fault of the host. */
const requestsMax = 100_000

interface Kept {
  readonly atMs: number
  readonly foreign: number
  /** Of these, those that are not of other gateways of the fleet. */
  readonly strangers: number
  readonly queued: number | null
  readonly memoryUsedRatio: number | null
  readonly cacheUsedRatio: number | null
  readonly everyMs: number
}

interface Asked {
  readonly own: number
  readonly elsewhere?: number
  readonly askedAtMs: number
}

export class HostSignals {
  readonly #clock: Clock
  #kept: Kept | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * `own`: the most requests of the gateway that the host had while it was asked, and `elsewhere` of other gateways of the
   * fleet; `everyMs`: how often it is asked. A host that says nothing at all leaves nothing.
   */
  told(said: SaidSignals, { own, elsewhere = 0, askedAtMs, everyMs }: Asked & { readonly everyMs: number }): void {
    const running = countOf(said.running)
    const queued = countOf(said.queued)
    const memoryUsedRatio = ratioOf(said.memoryUsedRatio)
    const cacheUsedRatio = ratioOf(said.cacheUsedRatio)
    if (running === null && queued === null && memoryUsedRatio === null && cacheUsedRatio === null) return
    // Who waits there and who runs is not told apart by ours: some of them may well be waiting.
    const foreign = Math.max(0, (running ?? 0) + (queued ?? 0) - own)
    const strangers = Math.max(0, foreign - elsewhere)
    this.#kept = { atMs: askedAtMs, foreign, strangers, queued, memoryUsedRatio, cacheUsedRatio, everyMs }
  }

  /** It told that alone, between its probes. */
  toldRunning(running: number, { own, elsewhere = 0, askedAtMs }: Asked): void {
    const { queued, memoryUsedRatio, cacheUsedRatio, everyMs = usualEveryMs } = this.#kept ?? {}
    const foreign = Math.max(0, (countOf(running) ?? 0) + (queued ?? 0) - own)
    const rest = {
      queued: queued ?? null,
      memoryUsedRatio: memoryUsedRatio ?? null,
      cacheUsedRatio: cacheUsedRatio ?? null,
    }
    this.#kept = { atMs: askedAtMs, foreign, strangers: Math.max(0, foreign - elsewhere), ...rest, everyMs }
  }

  /** It is another one, or down: what it said means nothing any more. */
  forget(): void {
    this.#kept = null
  }

  /** Requests of others that it is likely to work on, the older the word the fewer; never less than 0. */
  get foreignRunning(): number {
    return this.#kept === null ? 0 : this.#faded(this.#kept, this.#kept.foreign)
  }

  /** Those of them that no other gateway of the fleet has told of: of these it is known better what they are. */
  get strangersRunning(): number {
    return this.#kept === null ? 0 : this.#faded(this.#kept, this.#kept.strangers)
  }

  /** As it was said, however old that is; null where nothing was. */
  get telemetry(): HostTelemetry | null {
    if (this.#kept === null) return null
    const { atMs, queued, memoryUsedRatio, cacheUsedRatio } = this.#kept
    return { ageMs: this.#clock.now() - atMs, queued, memoryUsedRatio, cacheUsedRatio }
  }

  #faded({ atMs, everyMs }: Kept, requests: number): number {
    if (requests === 0) return 0
    const intervals = (this.#clock.now() - atMs) / everyMs
    if (intervals > intervalsMax) return 0
    return requests * 0.5 ** Math.max(0, intervals - fullIntervals)
  }
}

function countOf(value: number | undefined): number | null {
  return value !== undefined && value >= 0 && value <= requestsMax ? value : null
}

function ratioOf(value: number | undefined): number | null {
  return value !== undefined && value >= 0 && value <= 1 ? value : null
}
