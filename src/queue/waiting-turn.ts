/** The place in the line of one that waits, for whoever asked for it. */
import type { Turn } from './slot-request.ts'
import type { ToldEstimate } from './told-waits.ts'
import type { Waiter } from './waiter.ts'

/** The line, as far as it is of concern there. */
interface LineOfTurn {
  leave(waiter: Waiter): void
  estimateOf(waiter: Waiter): ToldEstimate
}

export class WaitingTurn implements Turn {
  readonly #waiter: Waiter
  readonly #line: LineOfTurn

  constructor(waiter: Waiter, line: LineOfTurn) {
    this.#waiter = waiter
    this.#line = line
  }

  leave(): void {
    this.#line.leave(this.#waiter)
  }

  estimate(): ToldEstimate | null {
    return this.#waiter.isWaiting ? this.#line.estimateOf(this.#waiter) : null
  }
}
