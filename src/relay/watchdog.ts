/** One deadline of an attempt at a time; fed by content, it is moved without touching a timer. */
import type { Clock, Timer } from '../base/clock.ts'

export class Watchdog {
  readonly #clock: Clock
  #timer: Timer | null = null
  #limitMs = 0
  #fedAtMs = 0
  #onExpire: () => void = () => {}
  #paused = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Replaces the deadline: `onExpire` is called once when `limitMs` have passed since now or since the last `feed`. */
  set(limitMs: number, onExpire: () => void): void {
    this.#timer?.cancel()
    this.#limitMs = limitMs
    this.#onExpire = onExpire
    this.feed()
    this.#arm(limitMs)
  }

  /** The deadline counts from now: a number is written, the timer looks at it when it fires. */
  feed(): void {
    this.#fedAtMs = this.#clock.now()
  }

  /** Time does not count until `resume`: a client that does not read is no fault of the host. */
  pause(): void {
    this.#paused = true
  }

  /** The whole deadline counts anew. */
  resume(): void {
    this.#paused = false
    this.feed()
  }

  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      const leftMs = this.#paused ? this.#limitMs : this.#fedAtMs + this.#limitMs - this.#clock.now()
      if (leftMs > 0) this.#arm(leftMs)
      else {
        this.#timer = null
        this.#onExpire()
      }
    })
  }
}
