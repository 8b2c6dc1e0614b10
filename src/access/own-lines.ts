/** Who may wait for its own limits: each key, and each address of clients without one, has a line of its own. */
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { requestClasses } from '../base/request-class.ts'
import type { Obstacle } from './account.ts'
import { noCost } from './held.ts'
import type { Limiter } from './limiter.ts'
import type { LimitName } from './limits.ts'
import { type Asking, type CostSum, type Delay, OwnLine, type OwnTurn } from './own-line.ts'
import { Reservation } from './reservation.ts'

export interface OwnLinesParts {
  readonly clock: Clock
  readonly limiter: Limiter
  /** No request waits longer, whatever its patience; 0: nobody waits. */
  readonly waitMsMax: number
  /** Requests that wait in one line. */
  readonly lengthMax: number
  /** Whether anybody may begin to wait just now. */
  readonly mayWait: () => boolean
  /** Whether one more with so many tokens may wait, of all requests that wait for anything. */
  readonly hasRoom: (tokens: number) => boolean
}

const noTurn: OwnTurn = { leave: () => {}, estimate: () => null }
const atOnce: Delay = { limit: null, waitedMs: null }

interface Refusal {
  readonly error: GatewayError
  /** The one that the request does not fit; null where it would only have waited for others. */
  readonly limit: LimitName | null
}

export class OwnLines {
  #parts: OwnLinesParts
  /** By holder; none is empty. */
  readonly #lines = new Map<string, OwnLine>()
  /** Of all that wait. */
  readonly #inAll: CostSum = { ...noCost }

  constructor(parts: OwnLinesParts) {
    this.#parts = parts
  }

  adopt(bounds: Pick<OwnLinesParts, 'waitMsMax' | 'lengthMax'>): void {
    this.#parts = { ...this.#parts, ...bounds }
  }

  /**
   * Admits at once what fits and goes behind nobody of its holder, lets wait what will fit inside its patience, and refuses
   * the rest.
   */
  enter(asking: Asking): OwnTurn {
    const { limiter } = this.#parts
    const line = this.#lines.get(asking.holder)
    const goesFirst = line === undefined || line.lengthBefore(asking.class) === 0
    if (goesFirst && limiter.isShared) return this.#askTogether(asking)
    return this.#decided(asking, goesFirst ? limiter.ask(asking.subject(), asking.cost) : line.obstacleBehind(asking))
  }

  /** All gateways are asked, and answer later. Others of its holder that wait by then go first. */
  #askTogether(asking: Asking): OwnTurn {
    const { limiter } = this.#parts
    let turn: OwnTurn | null = null
    let hasLeft = false
    const isBehind = () => (this.#lines.get(asking.holder)?.lengthBefore(asking.class) ?? 0) > 0
    const behind = () => {
      turn = this.#decided(asking, this.#lines.get(asking.holder)?.obstacleBehind(asking))
    }
    const how = {
      patience: this.#patienceMs(asking),
      class: requestClasses.indexOf(asking.class),
      newcomer: true as const,
      isStill: () => {
        if (!hasLeft && isBehind()) behind()
        return !hasLeft && turn === null
      },
    }
    const ask = () => limiter.askTogether(asking.subject(), asking.cost, how, answered)
    const answered = (answer: Reservation | Obstacle | null) => {
      if (hasLeft) this.#undo(asking, answer)
      else if (answer !== null) turn = this.#decided(asking, answer)
      else if (isBehind()) behind()
      // Who was to go first has not begun to wait.
      else ask()
    }
    ask()
    return {
      leave: () => {
        if (turn === null) hasLeft = true
        else turn.leave()
      },
      estimate: () => turn?.estimate() ?? null,
    }
  }

  #undo({ holder }: Asking, answer: Reservation | Obstacle | null): void {
    if (!(answer instanceof Reservation)) return
    answer.settle(null, true)
    this.lookAgain(holder)
  }

  #patienceMs({ patienceMs }: Asking): number {
    const { mayWait, waitMsMax } = this.#parts
    return mayWait() ? Math.min(patienceMs, waitMsMax) : 0
  }

  #decided(asking: Asking, answer: Reservation | Obstacle | undefined): OwnTurn {
    const { limiter, clock } = this.#parts
    if (answer instanceof Reservation) {
      asking.admitted(answer, atOnce)
      return noTurn
    }
    const patienceMs = this.#patienceMs(asking)
    const refusal = this.#tooLate(asking, answer, patienceMs) ?? this.#noPlace(asking, answer)
    if (refusal !== null) {
      asking.refused(refusal.error, { limit: refusal.limit, waitedMs: null })
      return noTurn
    }
    const onEmpty = () => void this.#lines.delete(asking.holder)
    const entered = this.#lines.get(asking.holder) ?? new OwnLine({ clock, limiter, inAll: this.#inAll, onEmpty })
    this.#lines.set(asking.holder, entered)
    return entered.add(asking, patienceMs, answer)
  }

  /** How many wait in all, and the tokens of their prompts and answers as estimated. */
  get waiting(): { readonly requests: number; readonly tokens: number } {
    const { requests, input, output } = this.#inAll
    return { requests, tokens: input + output }
  }

  /** How many wait of each holder of whom any do. */
  lengths(): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#lines, ([holder, line]) => [holder, line.length]))
  }

  /** Its limits may have room by now: more was given back, or they were changed. */
  lookAgain(holder: string): void {
    this.#lines.get(holder)?.lookSoon()
  }

  #tooLate(asking: Asking, obstacle: Obstacle | undefined, patienceMs: number): Refusal | null {
    const { limiter } = this.#parts
    if (obstacle === undefined) return null
    const { limit } = obstacle
    // When one of those at once ends, nobody knows.
    if (obstacle.waitMs <= patienceMs && limit !== 'concurrentRequests') return null
    const ahead = this.#lines.get(asking.holder)?.lengthBefore(asking.class) ?? 0
    const error =
      ahead > 0 ? limiter.refuseBehind(ahead, obstacle) : limiter.refuse(asking.subject(), asking.cost, obstacle)
    return { error, limit }
  }

  /** Who waits is one of the requests at once of its key, one of a line that is bounded, and one of all that wait. */
  #noPlace(asking: Asking, obstacle: Obstacle | undefined): Refusal | null {
    const { limiter, lengthMax, hasRoom } = this.#parts
    const { holder, cost } = asking
    const full = limiter.placesOf(asking.subject()).full()
    if (full !== null) return { error: limiter.refuse(asking.subject(), cost, full), limit: full.limit }
    const length = this.#lines.get(holder)?.length ?? 0
    const { waitMs = 0, limit = null } = obstacle ?? {}
    if (length >= lengthMax) return { error: limiter.tooManyWait(lengthMax, waitMs), limit }
    return hasRoom(cost.input + cost.output) ? null : { error: limiter.lineFull(waitMs), limit }
  }
}
