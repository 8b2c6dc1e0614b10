/** Tells of each choice of a host that the line acts on, and how long those waited whose host was full. */

import type { Decision } from '../balancing/decision.ts'
import { decisionRecord } from '../balancing/decision-record.ts'
import type { BalancingEvents, DecisionRecord, HoldResult } from '../balancing/events.ts'
import type { Ask } from '../balancing/policy.ts'
import { noPrompt } from '../balancing/prompt.ts'
import type { Clock } from '../base/clock.ts'
import type { SlotRequest } from './slot-request.ts'
import type { Waiter } from './waiter.ts'

export class ToldDecisions {
  readonly #clock: Clock
  /** Absent where nobody looks. */
  readonly #events: BalancingEvents | undefined

  constructor(clock: Clock, events: BalancingEvents | undefined) {
    this.#clock = clock
    this.#events = events
  }

  /** It has a slot there, after so long in the line. Null where nobody looks. */
  granted(request: SlotRequest, ask: Ask, decision: Decision, waitedMs: number): DecisionRecord | null {
    if (this.#events === undefined) return null
    const { label, holder } = request
    const { id = '', requestId = '' } = label ?? {}
    const of = { atMs: this.#clock.wallMs(), request: id, requestId, key: holder.name, waitedMs }
    const record = decisionRecord(decision, ask, of)
    this.#events.decided(record)
    return record
  }

  /** It waits for the chosen host, which is full. */
  held(waiter: Waiter, decision: Decision): void {
    const nowMs = this.#clock.now()
    waiter.heldSinceMs = nowMs
    waiter.hold = this.granted(waiter.request, askOf(waiter.request), decision, nowMs - waiter.sinceMs)?.hold ?? null
  }

  /** To be called before it is let go, or leaves the line; without effect on one that waits for any host. */
  holdEnded(waiter: Waiter, result: HoldResult, heldFor = waiter.heldFor): void {
    if (heldFor === null) return
    const { hold, heldSinceMs, request } = waiter
    const ms = this.#clock.now() - heldSinceMs
    if (hold !== null) hold.ended = { result, ms: Math.round(ms) }
    this.#events?.holdEnded({ model: request.route.model, host: heldFor.name }, result, ms)
  }
}

/** What a host is chosen by. */
export function askOf({ route, class: ofClass, tokens, prompt = noPrompt }: SlotRequest): Ask {
  return { model: route.model, class: ofClass, tokens, prompt }
}
