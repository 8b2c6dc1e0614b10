/**
 * When something is to be done about those who wait: a heap with one timer for the next of them, since thousands may wait, each
 * with more than one deadline, and may all leave at once.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Waiter } from './waiter.ts'

/** What is lost where a time is added up from parts. */
export const deadlineMarginMs = 1e-3

export class Deadlines {
  readonly #clock: Clock
  readonly #onDue: (waiter: Waiter) => void
  /** No entry comes before the one at half of its place. */
  readonly #heap: Waiter[] = []
  #timer: Timer | null = null
  #timerAtMs = Number.POSITIVE_INFINITY

  /** `onDue`: its deadline has come, and it has none any more. */
  constructor(clock: Clock, onDue: (waiter: Waiter) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  /** Its next deadline is this one, instead of the one that it has. Monotonic. */
  set(waiter: Waiter, atMs: number): void {
    const heap = this.#heap
    const isEarlier = atMs < waiter.dueAtMs
    waiter.dueAtMs = atMs
    if (waiter.dueIndex < 0) waiter.dueIndex = heap.push(waiter) - 1
    if (isEarlier) this.#rise(waiter)
    else this.#sink(waiter)
    this.#wake()
  }

  clear(waiter: Waiter): void {
    const { dueIndex } = waiter
    if (dueIndex < 0) return
    waiter.dueIndex = -1
    waiter.dueAtMs = Number.POSITIVE_INFINITY
    const last = this.#heap.pop()
    if (last !== undefined && last !== waiter) {
      this.#put(last, dueIndex)
      this.#rise(last)
      this.#sink(last)
    }
    if (this.#heap.length === 0) this.#stop()
  }

  /** A timer that is too early looks again then: those who leave set none. */
  #wake(): void {
    const atMs = this.#heap[0]?.dueAtMs ?? Number.POSITIVE_INFINITY
    if (atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.#clock.after(Math.max(0, atMs - this.#clock.now()), () => this.#passed())
  }

  #stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#timerAtMs = Number.POSITIVE_INFINITY
  }

  #passed(): void {
    this.#stop()
    try {
      for (let next = this.#heap[0]; next !== undefined; next = this.#heap[0]) {
        if (next.dueAtMs - this.#clock.now() > deadlineMarginMs) break
        this.clear(next)
        this.#onDue(next)
      }
    } finally {
      // Whatever fails with one of them, the others are not forgotten.
      this.#wake()
    }
  }

  #rise(waiter: Waiter): void {
    let at = waiter.dueIndex
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || !isBefore(waiter, parent)) break
      this.#put(parent, at)
      at = above
    }
    this.#put(waiter, at)
  }

  #sink(waiter: Waiter): void {
    const heap = this.#heap
    let at = waiter.dueIndex
    for (let below = 2 * at + 1; below < heap.length; below = 2 * at + 1) {
      let child = heap[below]
      const other = heap[below + 1]
      if (child !== undefined && other !== undefined && isBefore(other, child)) child = other
      if (child === undefined || !isBefore(child, waiter)) break
      const from = child.dueIndex
      this.#put(child, at)
      at = from
    }
    this.#put(waiter, at)
  }

  #put(waiter: Waiter, at: number): void {
    this.#heap[at] = waiter
    waiter.dueIndex = at
  }
}

/** Of two at one time the one that came first. */
function isBefore(one: Waiter, other: Waiter): boolean {
  return one.dueAtMs < other.dueAtMs || (one.dueAtMs === other.dueAtMs && one.order < other.order)
}
