/** A clock that stands still while a host is chosen: the time is asked for many times then, and passes for nobody. */
import type { Clock, Timer } from '../base/clock.ts'

export class StillClock implements Clock {
  readonly #clock: Clock
  #stillAtMs: number | null = null

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#stillAtMs ?? this.#clock.now()
  }

  wallMs(): number {
    return this.#clock.wallMs()
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#clock.after(delayMs, callback)
  }

  afterTurn(callback: () => void): Timer {
    return this.#clock.afterTurn(callback)
  }

  /** Until `goOn`; whoever calls waits for nothing in between. */
  stop(): void {
    this.#stillAtMs = this.#clock.now()
  }

  goOn(): void {
    this.#stillAtMs = null
  }
}
