/** The waiting requests of one flow in one lane and one class, in the order of arrival. */
import type { RequestClass } from '../base/request-class.ts'
import type { Flow } from './flow.ts'
import type { Lane } from './lane.ts'
import type { RankHeap } from './rank-heap.ts'
import type { Waiter } from './waiter.ts'

/** What orders flows against each other: the less, the sooner. */
export type Rank = (flow: Flow, head: Waiter) => number

export class FlowQueue {
  readonly flow: Flow
  readonly lane: Lane
  readonly class: RequestClass
  /** Place in the heap of its lane and class, and the rank by which it stands there. */
  at = 0
  rank = 0
  readonly #heap: RankHeap
  readonly #rankOf: Rank
  #head: Waiter | null = null
  #tail: Waiter | null = null
  #size = 0

  constructor(flow: Flow, ofClass: RequestClass, { lane, heap, rankOf }: { lane: Lane; heap: RankHeap; rankOf: Rank }) {
    this.flow = flow
    this.lane = lane
    this.class = ofClass
    this.#heap = heap
    this.#rankOf = rankOf
  }

  get head(): Waiter | null {
    return this.#head
  }

  get size(): number {
    return this.#size
  }

  get headOrder(): number {
    return this.#head?.order ?? Number.POSITIVE_INFINITY
  }

  get rankNow(): number {
    return this.#head === null ? Number.POSITIVE_INFINITY : this.#rankOf(this.flow, this.#head)
  }

  rankFell(): void {
    this.#heap.fell(this)
  }

  /** Where its order says: nearly always at the end. */
  add(waiter: Waiter): void {
    let before = this.#tail
    if (before !== null && before.order > waiter.order) before = this.#lastBefore(waiter.order)
    const after = before === null ? this.#head : before.next
    waiter.queue = this
    waiter.previous = before
    waiter.next = after
    if (before === null) this.#head = waiter
    else before.next = waiter
    if (after === null) this.#tail = waiter
    else after.previous = waiter
    this.#size++
    if (this.#size === 1) {
      this.flow.queues.push(this)
      this.#heap.add(this)
    } else if (before === null) this.rankFell()
  }

  remove(waiter: Waiter): void {
    const { previous, next } = waiter
    if (previous === null) this.#head = next
    else previous.next = next
    if (next === null) this.#tail = previous
    else next.previous = previous
    waiter.queue = null
    waiter.previous = null
    waiter.next = null
    this.#size--
    if (this.#size > 0) return
    this.#heap.remove(this)
    const { queues } = this.flow
    queues.splice(queues.indexOf(this), 1)
  }

  *[Symbol.iterator](): Generator<Waiter> {
    for (let waiter = this.#head; waiter !== null; ) {
      const { next } = waiter
      yield waiter
      waiter = next
    }
  }

  /** What comes in out of order is older than nearly all, so it is looked for from the front. */
  #lastBefore(order: number): Waiter | null {
    let before: Waiter | null = null
    for (let waiter = this.#head; waiter !== null && waiter.order < order; waiter = waiter.next) before = waiter
    return before
  }
}
