/** The waiting requests of one flow in one lane and one class, in the order of arrival. */
import type { RequestClass } from '../base/request-class.ts'
import type { Flow } from './flow.ts'
import type { Lane } from './lane.ts'
import type { Waiter } from './waiter.ts'

export class FlowQueue {
  readonly flow: Flow
  readonly lane: Lane
  readonly class: RequestClass
  /** Its place among those of its lane. */
  at = 0
  /** Of its first request: the class that it came with, and its order. Looked at for each slot, of every queue. */
  cameAs: RequestClass
  headOrder = Number.POSITIVE_INFINITY
  #head: Waiter | null = null
  #tail: Waiter | null = null
  #size = 0

  constructor(flow: Flow, lane: Lane, ofClass: RequestClass) {
    this.flow = flow
    this.lane = lane
    this.class = ofClass
    this.cameAs = ofClass
  }

  get head(): Waiter | null {
    return this.#head
  }

  get size(): number {
    return this.#size
  }

  /** Where its order says: nearly always at the end. */
  add(waiter: Waiter): void {
    let before = this.#tail
    if (before !== null && before.order > waiter.order) before = this.#lastBefore(waiter.order)
    const after = before === null ? this.#head : before.next
    waiter.queue = this
    waiter.previous = before
    waiter.next = after
    if (before === null) this.#begin(waiter)
    else before.next = waiter
    if (after === null) this.#tail = waiter
    else after.previous = waiter
    this.#size++
  }

  remove(waiter: Waiter): void {
    const { previous, next } = waiter
    if (previous === null) this.#begin(next)
    else previous.next = next
    if (next === null) this.#tail = previous
    else next.previous = previous
    waiter.queue = null
    waiter.previous = null
    waiter.next = null
    this.#size--
  }

  *[Symbol.iterator](): Generator<Waiter> {
    for (let waiter = this.#head; waiter !== null; ) {
      const { next } = waiter
      yield waiter
      waiter = next
    }
  }

  #begin(head: Waiter | null): void {
    this.#head = head
    this.cameAs = head?.came ?? this.class
    this.headOrder = head?.order ?? Number.POSITIVE_INFINITY
  }

  /** What comes in out of order is older than nearly all, so it is looked for from the front. */
  #lastBefore(order: number): Waiter | null {
    let before: Waiter | null = null
    for (let waiter = this.#head; waiter !== null && waiter.order < order; waiter = waiter.next) before = waiter
    return before
  }
}
