/** How late the event loop is for its timers: as long as it is, every stream waits. */
import { classOf } from '../base/classes.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { delayBuckets } from './definitions/buckets.ts'

const periodMs = 20
/** A machine that slept was not late. */
const delayMsMax = 60_000
const edgesMs = delayBuckets.map((seconds) => seconds * 1_000)

let ofProcess: EventLoopDelay | null = null

/** Of this process, however many gateways it has; counted from the first call on. */
export function eventLoopDelays(): EventLoopDelay {
  if (ofProcess !== null) return ofProcess
  ofProcess = new EventLoopDelay(systemClock)
  ofProcess.start()
  return ofProcess
}

export class EventLoopDelay {
  readonly counts = new Float64Array(edgesMs.length + 1)
  readonly #clock: Pick<Clock, 'now' | 'after'>
  #sumMs = 0

  constructor(clock: Pick<Clock, 'now' | 'after'>) {
    this.#clock = clock
  }

  get sum(): number {
    return this.#sumMs / 1_000
  }

  /** From now on, for ever. */
  start(): void {
    const dueMs = this.#clock.now() + periodMs
    this.#clock.after(periodMs, () => {
      this.#told(this.#clock.now() - dueMs)
      this.start()
    })
  }

  /** Those that would have been due while the loop was held are late as well, or a second would count no more than a moment. */
  #told(delayMs: number): void {
    if (delayMs > delayMsMax) return
    let lateMs = Math.max(0, delayMs)
    do {
      const at = classOf(lateMs, edgesMs)
      this.counts[at] = (this.counts[at] ?? 0) + 1
      this.#sumMs += lateMs
      lateMs -= periodMs
    } while (lateMs > 0)
  }
}
