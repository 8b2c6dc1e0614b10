/** A binary heap of flow queues, the least rank first. */
import type { FlowQueue } from './flow-queue.ts'

/**
 * Ranks grow while queues wait, with every token their flow is served. They are not put in order then, which would cost
 * each token a search: one that grew is moved when it comes to the top. One that fell must be told of at once (`fell`).
 */
export class RankHeap {
  readonly #queues: FlowQueue[] = []

  get size(): number {
    return this.#queues.length
  }

  add(queue: FlowQueue): void {
    queue.rank = queue.rankNow
    this.#put(queue, this.#queues.length)
    this.#up(queue)
  }

  remove(queue: FlowQueue): void {
    const last = this.#queues.pop()
    if (last === undefined || last === queue) return
    this.#put(last, queue.at)
    this.#up(last)
    this.#down(last)
  }

  /** The one with the least rank. */
  peek(): FlowQueue | undefined {
    for (;;) {
      const top = this.#queues[0]
      if (top === undefined) return undefined
      const rank = top.rankNow
      if (rank <= top.rank) return top
      top.rank = rank
      this.#down(top)
    }
  }

  fell(queue: FlowQueue): void {
    const rank = queue.rankNow
    if (rank >= queue.rank) return
    queue.rank = rank
    this.#up(queue)
  }

  /** All, or so many evenly taken, each with how many it stands for. */
  sample(countMax: number, visit: (queue: FlowQueue, weight: number) => void): void {
    const { length } = this.#queues
    const weight = Math.max(1, length / countMax)
    for (let at = 0; at < length; at += weight) {
      const queue = this.#queues[Math.floor(at)]
      if (queue !== undefined) visit(queue, weight)
    }
  }

  [Symbol.iterator](): Iterator<FlowQueue> {
    return this.#queues.values()
  }

  #up(queue: FlowQueue): void {
    while (queue.at > 0) {
      const parent = this.#queues[(queue.at - 1) >> 1]
      if (parent === undefined || !isBefore(queue, parent)) return
      this.#swap(queue, parent)
    }
  }

  #down(queue: FlowQueue): void {
    for (;;) {
      const left = this.#queues[2 * queue.at + 1]
      const right = this.#queues[2 * queue.at + 2]
      const least = left !== undefined && right !== undefined && isBefore(right, left) ? right : left
      if (least === undefined || !isBefore(least, queue)) return
      this.#swap(queue, least)
    }
  }

  #swap(a: FlowQueue, b: FlowQueue): void {
    const { at } = a
    this.#put(a, b.at)
    this.#put(b, at)
  }

  #put(queue: FlowQueue, at: number): void {
    this.#queues[at] = queue
    queue.at = at
  }
}

/** Of equal ranks the one whose first request came first. */
function isBefore(a: FlowQueue, b: FlowQueue): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.headOrder < b.headOrder)
}
