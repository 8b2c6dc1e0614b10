/** Reads how full V8's heap is and how late the event loop runs. */
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'

export interface Pressure {
  /** What lived after the newest full collection since the last reading, in percent of what may; null without one. */
  readonly livePercent: number | null
  /** Mean delay of the event loop's turns since the last reading. */
  readonly lagMs: number
}

export interface PressureSource {
  start(): void
  read(): Pressure
  stop(): void
}

const lagResolutionMs = 20
/**
 * V8 counts into its limit what it reserves for the young generation, three semi-spaces of 32 MiB; what lives ends up
 * in the old one, so only the rest can fill up. Measured: with --max-old-space-size=128 the limit is 224 MiB, and the
 * process dies at 128.
 */
const youngBytes = 3 * 32 * 1_048_576

/**
 * The heap in use holds garbage, most of the time more than it holds of anything else, and where nothing is allocated
 * that garbage stays: to refuse requests because of it would be wrong, and might never end. What is used right after a
 * full collection lives. V8 collects at the latest when half of what was free after the last time is used up, so
 * a heap that fills up is seen before it is full.
 */
export class ProcessPressure implements PressureSource {
  readonly #delays = monitorEventLoopDelay({ resolution: lagResolutionMs })
  readonly #collections = new PerformanceObserver((list) => {
    if (list.getEntries().some(isFull)) this.#livePercent = livePercentNow()
  })
  #livePercent: number | null = null

  start(): void {
    this.#delays.enable()
    this.#collections.observe({ entryTypes: ['gc'] })
  }

  read(): Pressure {
    const lagMs = this.#delays.count === 0 ? 0 : this.#delays.mean / 1_000_000 - lagResolutionMs
    this.#delays.reset()
    const livePercent = this.#livePercent
    this.#livePercent = null
    return { livePercent, lagMs: Math.max(0, lagMs) }
  }

  stop(): void {
    this.#delays.disable()
    this.#collections.disconnect()
  }
}

function isFull(entry: PerformanceEntry): boolean {
  const detail: unknown = 'detail' in entry ? entry.detail : null
  return (
    typeof detail === 'object' &&
    detail !== null &&
    'kind' in detail &&
    detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR
  )
}

function livePercentNow(): number {
  const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
  return (100 * used) / Math.max(limit - youngBytes, limit / 4)
}
