/** How long each step of a request's own work kept the event loop: what hosts and clients are waited for is none of it. */
import type { Clock } from '../base/clock.ts'
import { type OverheadStage, overheadStages, type RelayEvents } from './events.ts'

export class OwnWork {
  readonly #clock: Clock
  /** Null for a step that it never came to. */
  readonly #ms: Record<OverheadStage, number | null>
  #stage: OverheadStage | null = null
  #sinceMs = 0

  /** Made when it is known whose the request is, which was asked as soon as it was accepted. */
  constructor(clock: Clock, acceptedAtMs: number) {
    this.#clock = clock
    const auth = clock.now() - acceptedAtMs
    this.#ms = { auth, parse: null, limit: null, route: null, queue: null, send: null, settle: null }
  }

  /**
   * From now on it is at this step, or at none; returns at which it was. A step may lead to the next one while it still
   * runs: what returns to it afterwards turns back, so that no time is counted twice.
   */
  turnTo(stage: OverheadStage | null): OverheadStage | null {
    const nowMs = this.#clock.now()
    const before = this.#stage
    if (before !== null) this.#ms[before] = (this.#ms[before] ?? 0) + nowMs - this.#sinceMs
    this.#stage = stage
    this.#sinceMs = nowMs
    return before
  }

  /** Once, at its end: each step that it came to, over all its attempts. */
  tell(events: Pick<RelayEvents, 'worked'>): void {
    this.turnTo(null)
    for (const stage of overheadStages) {
      const ms = this.#ms[stage]
      if (ms !== null) events.worked(stage, ms)
    }
  }
}

export type Work = Pick<OwnWork, 'turnTo' | 'tell'>

/** Where nobody wants to know: the clock is not looked at. */
export const untimedWork: Work = { turnTo: () => null, tell: () => {} }
