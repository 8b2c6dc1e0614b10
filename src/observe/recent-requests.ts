/** The last requests that ended, as their outcomes have them, so that one can be looked at after the fact. */
import { Ring } from '../base/ring.ts'
import type { Outcome } from '../relay/outcome.ts'
import { isRefusedAtDoor } from './access-log.ts'

/** Of the requests that are kept beside: those that were refused at the door. */
const refusedShare = 0.1

/** Refusals at the door are kept apart and are fewer: whoever makes a million of them pushes out no real request. */
export class RecentRequests {
  readonly #served: Ring<Ended>
  readonly #refused: Ring<Ended>
  #ended = 0

  constructor(max: number) {
    this.#served = new Ring(max)
    this.#refused = new Ring(Math.ceil(max * refusedShare))
  }

  add(outcome: Outcome): void {
    const ring = isRefusedAtDoor(outcome) ? this.#refused : this.#served
    ring.add({ outcome, number: this.#ended++ })
  }

  /** As of its first step: what ends while they are gone through moves none of them. */
  *newestFirst(): Generator<Outcome> {
    const refused = this.#refused.newestFirst()
    let next = refused.next().value
    for (const served of this.#served.newestFirst()) {
      while (next !== undefined && next.number > served.number) {
        yield next.outcome
        next = refused.next().value
      }
      yield served.outcome
    }
    for (; next !== undefined; next = refused.next().value) yield next.outcome
  }

  /** The newest of those. */
  find(isWanted: (outcome: Outcome) => boolean): Outcome | null {
    for (const outcome of this.newestFirst()) if (isWanted(outcome)) return outcome
    return null
  }
}

interface Ended {
  readonly outcome: Outcome
  /** Of all that ended, in order. */
  readonly number: number
}
