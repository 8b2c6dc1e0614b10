/** Who may wait for its own limits: each key, and each address of clients without one, has a line of its own. */
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import type { Obstacle } from './account.ts'
import { type Limiter, Reservation } from './limiter.ts'
import { type Asking, OwnLine } from './own-line.ts'

export interface OwnLinesParts {
  readonly clock: Clock
  readonly limiter: Limiter
  /** No request waits longer, whatever its patience; 0: nobody waits. */
  readonly waitMsMax: number
  /** Requests that wait in one line. */
  readonly lengthMax: number
  /** Whether anybody may begin to wait just now. */
  readonly mayWait: () => boolean
}

const noLeave = (): void => {}

export class OwnLines {
  readonly #parts: OwnLinesParts
  /** By holder; none is empty. */
  readonly #lines = new Map<string, OwnLine>()

  constructor(parts: OwnLinesParts) {
    this.#parts = parts
  }

  /**
   * Admits at once what fits and goes behind nobody of its holder, lets wait what will fit inside its patience, and refuses
   * the rest. Returns how it leaves, without effect once it was admitted or refused.
   */
  enter(asking: Asking): () => void {
    const { limiter, clock, waitMsMax, mayWait } = this.#parts
    const line = this.#lines.get(asking.holder)
    const goesFirst = line === undefined || line.lengthBefore(asking.class) === 0
    const answer = goesFirst ? limiter.ask(asking.subject(), asking.cost) : line.obstacleBehind(asking)
    if (answer instanceof Reservation) {
      asking.admitted(answer)
      return noLeave
    }
    const patienceMs = mayWait() ? Math.min(asking.patienceMs, waitMsMax) : 0
    const refusal = this.#tooLate(asking, answer, patienceMs) ?? this.#noPlace(asking, answer)
    if (refusal !== null) {
      asking.refused(refusal)
      return noLeave
    }
    const entered = line ?? new OwnLine({ clock, limiter, onEmpty: () => this.#lines.delete(asking.holder) })
    this.#lines.set(asking.holder, entered)
    return entered.add(asking, patienceMs, goesFirst ? (answer ?? null) : null)
  }

  /** Its limits may have room by now: more was given back, or they were changed. */
  lookAgain(holder: string): void {
    this.#lines.get(holder)?.lookSoon()
  }

  #tooLate({ holder, subject, cost, class: ofClass }: Asking, obstacle: Obstacle | undefined, patienceMs: number) {
    const { limiter } = this.#parts
    if (obstacle === undefined) return null
    // When one of those at once ends, nobody knows.
    if (obstacle.waitMs <= patienceMs && obstacle.limit !== 'concurrentRequests') return null
    const ahead = this.#lines.get(holder)?.lengthBefore(ofClass) ?? 0
    return ahead > 0 ? limiter.refuseBehind(ahead, obstacle) : limiter.refuse(subject(), cost, obstacle)
  }

  /** Who waits is one of the requests at once of its key, and one of a line that is bounded. */
  #noPlace({ holder, subject, cost }: Asking, obstacle: Obstacle | undefined): GatewayError | null {
    const { limiter, lengthMax } = this.#parts
    const full = limiter.placesOf(subject()).full()
    if (full !== null) return limiter.refuse(subject(), cost, full)
    const length = this.#lines.get(holder)?.length ?? 0
    return length < lengthMax ? null : limiter.tooManyWait(lengthMax, obstacle?.waitMs ?? 0)
  }
}
