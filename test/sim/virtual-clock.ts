/** A Clock on which an hour passes as fast as its events can be worked off: timers in a heap, nothing is ever waited for. */
import type { Clock, Timer } from '../../src/base/clock.ts'

interface Waiting {
  readonly dueMs: number
  /** Among timers of one instant the one set first fires first. */
  readonly order: number
  callback: (() => void) | null
}

const wallStartMs = Date.UTC(2026, 0, 1)

export class VirtualClock implements Clock {
  readonly #heap: Waiting[] = []
  readonly #onStep: () => void
  #nowMs = 0
  #order = 0

  /** `onStep` runs at the instant of each timer, before and after it: whatever flows has flowed up to then. */
  constructor(onStep: () => void = () => {}) {
    this.#onStep = onStep
  }

  now(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return wallStartMs + this.#nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    const waiting: Waiting = { dueMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback }
    this.#push(waiting)
    // Left where it is, as an empty one: taking it out of the middle would cost more than passing over it.
    return { cancel: () => void (waiting.callback = null) }
  }

  afterTurn(callback: () => void): Timer {
    return this.after(0, callback)
  }

  /** Fires what is due up to `endMs`, timers set on the way included. */
  runUntil(endMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.dueMs <= endMs; next = this.#heap[0]) {
      this.#pop()
      if (next.callback === null) continue
      this.#nowMs = next.dueMs
      this.#onStep()
      next.callback()
      this.#onStep()
    }
    this.#nowMs = endMs
    this.#onStep()
  }

  #push(waiting: Waiting): void {
    const heap = this.#heap
    let at = heap.push(waiting) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (isBefore(heap[above]!, waiting)) break
      heap[at] = heap[above]!
      at = above
    }
    heap[at] = waiting
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
      if (isBefore(last, heap[below]!)) break
      heap[at] = heap[below]!
      at = below
    }
    heap[at] = last
  }
}

function isBefore(one: Waiting, other: Waiting): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order)
}
