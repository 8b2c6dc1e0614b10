/** One request in the line. */
import type { Hold } from '../balancing/events.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import type { Flow } from './flow.ts'
import type { FlowQueue } from './flow-queue.ts'
import type { Lane } from './lane.ts'
import type { SlotRequest } from './slot-request.ts'
import type { Announced } from './wait-estimate.ts'

interface WaiterParts {
  readonly flow: Flow
  readonly lane: Lane
  readonly sinceMs: number
  readonly cost: number
}

const never = Number.POSITIVE_INFINITY

export class Waiter {
  readonly request: SlotRequest
  readonly flow: Flow
  /** Another one where hosts have other contexts. */
  lane: Lane
  // Of the request: whoever leaves is not to look for them elsewhere in memory.
  readonly came: RequestClass
  readonly inputTokens: number
  readonly tokens: number
  /** Its class, or the one above once it has waited long. */
  class: RequestClass
  /** Its place by arrival; behind all others until it has one. */
  order = Number.POSITIVE_INFINITY
  /** Monotonic. */
  readonly sinceMs: number
  /** What it is expected to be charged. */
  readonly cost: number
  /** What was reckoned when it came; null for one that came again. */
  announced: Announced | null = null
  /** Neither granted nor refused nor gone. */
  isWaiting = false
  /** No host could take it when it came: it waits until all have been asked what they have, and no longer where that is in vain. */
  isEarly = false
  /** Monotonic, both; never while it does not wait, or is promoted no more. */
  patienceEndsAtMs = never
  promotedAtMs = never
  /** Its patience in all, or what was left of it when it came. */
  patienceMs = 0
  /** It had its turn, and takes a slot of no other host as long as that is better. */
  heldFor: Host | null = null
  wasHeld = false
  /** Monotonic, all three of the last time: since when, when a slot there was expected, and until when at the most. */
  heldSinceMs = 0
  slotExpectedAtMs = 0
  heldUntilMs = 0
  /** What is kept of it; null where nobody looks. */
  hold: Hold | null = null
  /** Its next deadline and its place among all of them, kept by those. */
  dueAtMs = never
  dueIndex = -1
  /** Its neighbours, kept by the queue it is in; null while it is in none. */
  queue: FlowQueue | null = null
  previous: Waiter | null = null
  next: Waiter | null = null

  constructor(request: SlotRequest, { flow, lane, sinceMs, cost }: WaiterParts) {
    this.request = request
    this.cost = cost
    this.flow = flow
    this.lane = lane
    this.class = request.class
    this.came = request.class
    this.inputTokens = request.tokens.input
    this.tokens = request.tokens.input + request.tokens.output
    this.sinceMs = sinceMs
  }

  /** From now on, and for no longer than its patience. */
  begin(nowMs: number, patienceMs: number, promoteAfterMs: number | null): void {
    this.patienceMs = patienceMs
    this.patienceEndsAtMs = nowMs + patienceMs
    if (promoteAfterMs !== null) this.promotedAtMs = nowMs + promoteAfterMs
  }

  /** It has been in line. */
  get hasBegun(): boolean {
    return this.patienceEndsAtMs !== never
  }

  /** The first of what is to be done about it. */
  get nextDueAtMs(): number {
    return Math.min(this.patienceEndsAtMs, this.promotedAtMs, this.heldFor === null ? never : this.heldUntilMs)
  }
}
