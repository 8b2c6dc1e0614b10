/** Beats while a stream waits, in the line or for its first content: the first beat commits the headers. */
import type { Clock, Timer } from '../base/clock.ts'

export interface HeartbeatParts {
  readonly clock: Clock
  /** Until the first beat, and between two of them. */
  readonly firstMs: number
  readonly everyMs: number
  readonly beat: () => void
}

export class Heartbeat {
  readonly #parts: HeartbeatParts
  #timer: Timer | null

  constructor(parts: HeartbeatParts) {
    this.#parts = parts
    this.#timer = parts.clock.after(parts.firstMs, () => this.#beat())
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #beat(): void {
    this.#timer = this.#parts.clock.after(this.#parts.everyMs, () => this.#beat())
    this.#parts.beat()
  }
}
