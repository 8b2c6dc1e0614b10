/**
 * Clients that left. Thousands may go in one moment, when a program that had them ends or a network breaks; what each
 * leaves to be done is done in turns of the event loop so short that no stream waits for them.
 */
import type { Clock } from '../base/clock.ts'

/** What is left to do of one request once its client is gone. */
export interface Leaver {
  clientLeft(): void
}

/** The longest that leavers are dealt with in one turn; what Node itself does with their sockets comes on top. */
const turnMsMax = 2

export class Leavers {
  readonly #clock: Pick<Clock, 'now' | 'afterTurn'>
  #waiting: Leaver[] = []
  #next = 0
  #spentMs = 0
  #turnIsWatched = false

  constructor(clock: Pick<Clock, 'now' | 'afterTurn'>) {
    this.#clock = clock
  }

  /**
   * Deals with it before this turn goes on to another socket, unless the turn has dealt with many already. Not at once: of
   * requests that came on one connection all are out of the line before a slot of one of them becomes free.
   */
  add(leaver: Leaver): void {
    this.#waiting.push(leaver)
    if (this.#waiting.length - this.#next === 1) queueMicrotask(() => this.#deal())
  }

  #takeLeaveOf(leaver: Leaver): void {
    const beganMs = this.#clock.now()
    leaver.clientLeft()
    this.#spentMs += this.#clock.now() - beganMs
  }

  #watchTurn(): void {
    if (this.#turnIsWatched) return
    this.#turnIsWatched = true
    this.#clock.afterTurn(() => this.#nextTurn())
  }

  #nextTurn(): void {
    this.#turnIsWatched = false
    this.#spentMs = 0
    if (this.#next < this.#waiting.length) this.#deal()
  }

  #deal(): void {
    this.#watchTurn()
    try {
      for (let leaver = this.#following(); leaver !== undefined; leaver = this.#following()) this.#takeLeaveOf(leaver)
    } finally {
      if (this.#next >= this.#waiting.length) this.#forgetAll()
    }
  }

  /** Undefined when this turn has had its share, or none is left. */
  #following(): Leaver | undefined {
    return this.#spentMs < turnMsMax ? this.#waiting[this.#next++] : undefined
  }

  #forgetAll(): void {
    this.#waiting = []
    this.#next = 0
  }
}
