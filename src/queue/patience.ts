/** What is done when a deadline of one that waits has come: it is promoted, waits for one host no longer, or is refused. */
import type { Clock } from '../base/clock.ts'
import { type Deadlines, deadlineMarginMs } from './deadlines.ts'
import type { QueueEvents } from './events.ts'
import type { Holds } from './holds.ts'
import type { LaneHosts } from './lane-hosts.ts'
import type { Line } from './line.ts'
import type { ModelWaits } from './model-waits.ts'
import { patienceOver } from './refusals.ts'
import type { QueueRules } from './rules.ts'
import type { ToldWaits } from './told-waits.ts'
import type { Waiter } from './waiter.ts'

interface PatienceParts {
  readonly clock: Clock
  readonly line: Line
  readonly hosts: LaneHosts
  readonly holds: Holds
  readonly models: ModelWaits
  readonly told: ToldWaits
  readonly events: QueueEvents
  readonly deadlines: Deadlines
  readonly rules: () => QueueRules
  /** False where it waits no more. */
  readonly timesOut: (waiter: Waiter) => boolean
}

export class Patience {
  readonly #parts: PatienceParts

  constructor(parts: PatienceParts) {
    this.#parts = parts
  }

  /** One of its deadlines has come, or more than one. */
  due(waiter: Waiter): void {
    const { clock, line, holds, deadlines } = this.#parts
    const nowMs = clock.now() + deadlineMarginMs
    if (waiter.promotedAtMs <= nowMs) {
      waiter.promotedAtMs = Number.POSITIVE_INFINITY
      line.promote(waiter)
    }
    // At the end of its patience, too, it is not refused before it was offered what is free.
    if (waiter.heldFor !== null && waiter.heldUntilMs <= nowMs) holds.lasted(waiter)
    if (waiter.isWaiting && waiter.patienceEndsAtMs <= nowMs) this.#timeOut(waiter)
    if (waiter.isWaiting) deadlines.set(waiter, waiter.nextDueAtMs)
  }

  #timeOut(waiter: Waiter): void {
    const { clock, hosts, models, told, events, rules, timesOut } = this.#parts
    const { request, lane, patienceMs } = waiter
    const beyondMs = models.beyondMs(waiter, patienceMs)
    if (beyondMs > 0) {
      waiter.patienceEndsAtMs = clock.now() + beyondMs
      return
    }
    const estimate = told.estimate(waiter)
    if (!timesOut(waiter)) return
    events.rejected(request.route.model, 'timeout')
    const { waitMsMax } = rules().classes[request.class]
    const busyForMs = hosts.busyForMs(lane)
    const error = patienceOver(request.route.model, estimate, { patienceMs: waitMsMax, busyForMs })
    request.refused(error, busyForMs)
  }
}
