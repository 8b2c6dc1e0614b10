/** A Clock that stands still until a test moves it. */

import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Timer } from '../../src/base/clock.ts'

/** What a real timer can hold; beyond it Node fires after 1 ms, which no caller means. */
const timerDelayMsMax = 2 ** 31 - 1

interface Waiting {
  dueMs: number
  order: number
  callback: () => void
}

export class FakeClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #wallOffsetMs: number
  readonly #waiting = new Set<Waiting>()

  /** `startMs` is not 0, so that an unset time and the first instant differ. */
  constructor(startMs = 1_000, startWallMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs
    this.#wallOffsetMs = startWallMs - startMs
  }

  /** Timers that still wait; 0 after a test says that nothing was left behind. */
  get pendingTimers(): number {
    return this.#waiting.size
  }

  now(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#nowMs + this.#wallOffsetMs
  }

  after(delayMs: number, callback: () => void): Timer {
    if (!(delayMs <= timerDelayMsMax)) throw new RangeError(`no real timer can wait ${delayMs} ms`)
    this.#order += 1
    const waiting: Waiting = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, callback }
    this.#waiting.add(waiting)
    return { cancel: () => this.#waiting.delete(waiting) }
  }

  /** A turn takes no time; it comes with the next move of the clock, a move by 0 included. */
  afterTurn(callback: () => void): Timer {
    return this.after(0, callback)
  }

  /**
   * Moves time on by `ms`. Due timers fire in the order of their times, those set on the way included; after each,
   * promises and sockets get a turn of the event loop, so what a timer started may set the next one.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await turn()
    while (this.#fireNext(endMs)) await turn()
    this.#nowMs = endMs
    await turn()
  }

  /** As `advance`, without a turn in between: for code under test that holds no promise. */
  advanceSync(ms: number): void {
    const endMs = this.#nowMs + ms
    while (this.#fireNext(endMs));
    this.#nowMs = endMs
  }

  #fireNext(endMs: number): boolean {
    let next: Waiting | undefined
    for (const waiting of this.#waiting) {
      if (waiting.dueMs > endMs) continue
      if (
        next === undefined ||
        waiting.dueMs < next.dueMs ||
        (waiting.dueMs === next.dueMs && waiting.order < next.order)
      )
        next = waiting
    }
    if (next === undefined) return false
    this.#waiting.delete(next)
    this.#nowMs = next.dueMs
    next.callback()
    return true
  }
}
