/** The deadlines of one attempt: that of the phase it is in, one for the frame that is coming in, one for the whole. */
import type { Clock } from '../base/clock.ts'
import type { ErrorCode } from '../base/errors.ts'
import type { AttemptLimits } from './attempt-limits.ts'
import { Watchdog } from './watchdog.ts'

/** A deadline has passed: what the client is told of it. */
export type OnLate = (code: ErrorCode, message: string, cause?: 'timed_out' | 'client_slow') => void

export class AttemptClocks {
  readonly #limits: AttemptLimits
  readonly #onLate: OnLate
  readonly #phase: Watchdog
  readonly #frame: Watchdog
  readonly #whole: Watchdog
  readonly #clock: Clock
  #gapWatched = false
  #pausedAtMs: number | null = null
  #pausedMs = 0
  #frameOpen = false
  #frameWatched = false

  /** The whole is counted from here on. */
  constructor(clock: Clock, limits: AttemptLimits, onLate: OnLate) {
    this.#limits = limits
    this.#onLate = onLate
    this.#phase = new Watchdog(clock)
    this.#frame = new Watchdog(clock)
    this.#whole = new Watchdog(clock)
    this.#clock = clock
    this.#whole.set(limits.totalMsMax, () => this.#wholeLate())
  }

  connecting(onLate: () => void): void {
    this.#phase.set(this.#limits.connectMsMax, onLate)
  }

  /** The request is being written: content must come, or where none shows, the host must take the request. */
  connected(unsentBytes: () => number): void {
    const { firstContentMsMax, sendMsMax } = this.#limits
    if (firstContentMsMax !== null) {
      this.#phase.set(firstContentMsMax, () =>
        this.#onLate('upstream_timeout', 'The host did not begin to answer in time.'),
      )
      return
    }
    this.#phase.set(sendMsMax, () => {
      if (unsentBytes() > 0) this.#onLate('upstream_timeout', 'The host did not take the request in time.')
    })
  }

  /** What comes shows no content until it is whole. */
  noContent(): void {
    this.#phase.clear()
  }

  content(nowMs: number): void {
    if (this.#limits.firstContentMsMax === null) return
    if (this.#gapWatched) {
      this.#phase.feed(nowMs)
      return
    }
    this.#gapWatched = true
    this.#phase.set(this.#limits.contentGapMsMax, () =>
      this.#onLate('upstream_stalled', 'The host stopped in the middle of its answer.'),
    )
  }

  frameBegun(): void {
    this.#frameOpen = true
    if (this.#frameWatched) {
      this.#frame.feed()
      return
    }
    this.#frameWatched = true
    this.#frame.set(this.#limits.frameMsMax, () => {
      this.#frameWatched = false
      if (this.#frameOpen) this.#onLate('upstream_stalled', 'The host took too long over one piece of its answer.')
    })
  }

  /** No timer is touched: most frames are whole at once. */
  frameWhole(): void {
    this.#frameOpen = false
  }

  expectEnd(withinMs: number, onLate: () => void): void {
    this.#phase.set(withinMs, onLate)
  }

  /** A client that does not read is no fault of the host. */
  pause(): void {
    this.#pausedAtMs ??= this.#clock.now()
    this.#phase.pause()
    this.#frame.pause()
  }

  resume(): void {
    if (this.#pausedAtMs !== null) this.#pausedMs += this.#clock.now() - this.#pausedAtMs
    this.#pausedAtMs = null
    this.#phase.resume()
    this.#frame.resume()
  }

  /** The answer is whole; what is left is that the host ends its part. */
  answered(): void {
    this.#frame.clear()
    this.#whole.clear()
  }

  /** A host that had to wait for its client most of the time was not slow. */
  #wholeLate(): void {
    const pausedMs = this.#pausedMs + (this.#pausedAtMs === null ? 0 : this.#clock.now() - this.#pausedAtMs)
    const { totalMsMax } = this.#limits
    const message = 'The answer took longer than the limit for a whole answer'
    if (pausedMs * 2 < totalMsMax) this.#onLate('upstream_timeout', `${message}.`)
    else this.#onLate('upstream_timeout', `${message}, while its client read slowly.`, 'client_slow')
  }

  clear(): void {
    this.#phase.clear()
    this.answered()
  }
}
