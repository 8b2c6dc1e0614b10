/** How long each step of a request's own work kept the event loop: what hosts and clients are waited for is none of it. */
import type { Clock } from '../base/clock.ts'
import { type OverheadStage, overheadStages, type RelayEvents } from './events.ts'

export class OwnWork {
  readonly #clock: Clock
  /** By step, in the order of `overheadStages`; `never` for one that it did not come to. */
  readonly #ms = [never, never, never, never, never, never, never]
  #stage: OverheadStage | null = null
  #sinceMs = 0

  /** Made when it is known whose the request is, which was asked as soon as it was accepted. */
  constructor(clock: Clock, acceptedAtMs: number) {
    this.#clock = clock
    this.#ms[places.auth] = clock.now() - acceptedAtMs
  }

  /**
   * From now on it is at this step, or at none; returns at which it was. A step may lead to the next one while it still
   * runs: what returns to it afterwards turns back, so that no time is counted twice.
   */
  turnTo(stage: OverheadStage | null): OverheadStage | null {
    const nowMs = this.#clock.now()
    const before = this.#stage
    if (before !== null) this.#ms[places[before]] = this.#soFar(before) + nowMs - this.#sinceMs
    this.#stage = stage
    this.#sinceMs = nowMs
    return before
  }

  /** Once, at its end: each step that it came to, over all its attempts. */
  tell(events: Pick<RelayEvents, 'worked'>): void {
    this.turnTo(null)
    for (let place = 0; place < overheadStages.length; place++) {
      const stage = overheadStages[place]
      const ms = this.#ms[place] ?? never
      if (stage !== undefined && ms !== never) events.worked(stage, ms)
    }
  }

  #soFar(stage: OverheadStage): number {
    return Math.max(0, this.#ms[places[stage]] ?? 0)
  }
}

/** A number too, so that the list of them is one of plain numbers. */
const never = -1
const places: Readonly<Record<OverheadStage, number>> = {
  auth: 0,
  parse: 1,
  limit: 2,
  route: 3,
  queue: 4,
  send: 5,
  settle: 6,
}

export type Work = Pick<OwnWork, 'turnTo' | 'tell'>

/** Where nobody wants to know: the clock is not looked at. */
export const untimedWork: Work = { turnTo: () => null, tell: () => {} }
