/** Deadlines that are all equally far away, and so expire in the order in which they were set: one timer for all of them. */
import type { Clock, Timer } from '../../base/clock.ts'

export interface Waiting {
  deadlineMs: number
  /** Nobody waits any more: set by whoever was answered. */
  isOver: boolean
  /** Of the one that waits behind this one. */
  next: Waiting | null
  expired(): void
}

export class Deadlines {
  readonly #clock: Clock
  readonly #waitMs: number
  #first: Waiting | null = null
  #last: Waiting | null = null
  #timer: Timer | null = null

  constructor(clock: Clock, waitMs: number) {
    this.#clock = clock
    this.#waitMs = waitMs
  }

  add(waiting: Waiting, nowMs: number): void {
    waiting.deadlineMs = nowMs + this.#waitMs
    if (this.#last === null) this.#first = waiting
    else this.#last.next = waiting
    this.#last = waiting
    this.#timer ??= this.#clock.after(this.#waitMs, () => this.#due())
  }

  /** What waits is told nothing any more. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#first = null
    this.#last = null
  }

  /** An answer may lie in the socket when this process was busy: it is read before anybody is told that there is none. */
  #due(): void {
    this.#timer = this.#clock.afterTurn(() => this.#expire())
  }

  #expire(): void {
    this.#timer = null
    const now = this.#clock.now()
    let first = this.#first
    while (first !== null && (first.isOver || first.deadlineMs <= now)) {
      this.#first = first.next
      if (this.#first === null) this.#last = null
      if (!first.isOver) first.expired()
      first = this.#first
    }
    if (first === null || this.#timer !== null) return
    this.#timer = this.#clock.after(Math.max(1, first.deadlineMs - now), () => this.#due())
  }
}
