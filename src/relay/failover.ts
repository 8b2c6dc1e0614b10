/** What became of the attempts of one request so far, and whether there may be another. */
import type { Host } from '../hosts/host.ts'
import type { RetryBudget } from '../hosts/retry-budget.ts'
import type { AttemptFailure } from './attempt.ts'
import type { FailoverPhase, RelayEvents } from './events.ts'
import { type FailureCause, isBusy } from './failure.ts'
import { type RetryDecision, retryRule } from './retry-rule.ts'

export interface FailoverSituation {
  readonly contentSent: boolean
  readonly repeatable: boolean
  /** Requests that wait or run. */
  readonly requestsLive: number
  /** Whether a host that has not failed on it could take it, now or once a slot is free. */
  readonly elsewhere: () => boolean
}

export type Next = 'none' | 'fresh_connection' | 'in_line'

export class Failover {
  /** Hosts that must not be asked again: another set where one more has failed, so that whoever has this one keeps it. */
  excluded: ReadonlySet<Host> = none
  /** How the attempt under way came about, where it is not the first. */
  phase: FailoverPhase | null = null
  readonly #budget: RetryBudget
  readonly #onDropped: (host: Host) => void
  #fresh = false
  /** Hosts that would not take it: they are not asked again, and are no reason to ask no other. */
  #refusals = 0
  /** Null, as below, until there is one: most requests have neither. */
  #loadedAgain: Set<Host> | null = null
  #busy: Map<Host, { times: number; readonly servedBefore: number }> | null = null

  /** `onDropped`: a host that had the request closed the connection on it. */
  constructor(budget: RetryBudget, onDropped: (host: Host) => void = () => {}) {
    this.#budget = budget
    this.#onDropped = onDropped
  }

  /** What follows on a failed attempt. */
  next(host: Host, failed: AttemptFailure, situation: FailoverSituation): Next {
    const { cause } = failed.failure
    if (refusals.has(cause)) this.#refusals++
    if (isBusy(cause) && this.#isRefusedAlone(host)) return 'none'
    const decision = retryRule({
      ...failed,
      ...situation,
      cause,
      fresh: this.#fresh,
      hostsFailed: new Set([...this.excluded, host]).size - this.#refusals,
    })
    if (isDropped(failed, decision) || (cause === 'never_connected' && this.#fresh)) this.#onDropped(host)
    // A busy host has not failed, nor has one whose kept connection was gone: it may be the one that takes it in the end.
    if (!isBusy(cause) && decision !== 'fresh_connection' && !this.#mayLoad(host, cause)) {
      this.excluded = new Set([...this.excluded, host])
    }
    const next = this.#permitted(decision, situation, owedMax(host, failed))
    if (next === 'none') return next
    this.#fresh = next === 'fresh_connection'
    this.phase = this.#fresh ? 'reused_socket' : phaseOf(cause)
    return next
  }

  /** It has put the model out since it was chosen, and the gateway may have it loaded again: once for each request. */
  #mayLoad(host: Host, cause: FailureCause): boolean {
    if (cause !== 'model_missing' || host.memory.loadsBy !== 'admin' || this.#loadedAgain?.has(host) === true)
      return false
    this.#loadedAgain ??= new Set()
    this.#loadedAgain.add(host)
    return true
  }

  /** It is known what came of its being moved, if it was: told once. */
  tell(events: Pick<RelayEvents, 'failedOver'>, model: string | null, result: 'ok' | 'failed'): void {
    if (this.phase === null || model === null) return
    events.failedOver(model, this.phase, result)
    this.phase = null
  }

  /** Its attempt was given up for another request: what comes next is an attempt like the first. */
  gaveBack(): void {
    this.#fresh = false
  }

  /** Whether it keeps its place in front of those who never had a slot: only the first time a host said that it is busy. */
  get keepsPlace(): boolean {
    return this.#busy === null || [...this.#busy.values()].every(({ times }) => times < 2)
  }

  /**
   * A host that says "busy" again and again to this request while it serves others means this request. It is not asked
   * any more: each such answer pauses the host for everybody.
   */
  #isRefusedAlone(host: Host): boolean {
    this.#busy ??= new Map()
    const seen = this.#busy.get(host) ?? { times: 0, servedBefore: host.health.served }
    seen.times++
    this.#busy.set(host, seen)
    return seen.times >= busyTimesMax && host.health.served > seen.servedBefore
  }

  #permitted(decision: RetryDecision, { elsewhere, requestsLive }: FailoverSituation, owed: number): Next {
    switch (decision) {
      case 'none':
      case 'fresh_connection':
        return decision
      case 'other_host':
        return elsewhere() ? 'in_line' : 'none'
      case 'other_host_on_budget':
        return elsewhere() && this.#budget.take(requestsLive, owed) ? 'in_line' : 'none'
      case 'back_in_line':
        return 'in_line'
    }
  }
}

/**
 * Retries on credit. A machine that crashes takes all that it works on along, which may be more than was saved up, and none of
 * it is at fault: each of these moves once, and no more of them than the host has slots. The first is no crash yet.
 */
function owedMax(host: Host, { failure, sinceSentMs }: AttemptFailure): number {
  const fell = failure.cause === 'connection_lost' && sinceSentMs !== null && host.health.fellWithin(sinceSentMs)
  return fell ? host.slots : 0
}

/** The host had the request and closed the connection; a kept one that it had given up when we wrote says nothing, unless it is gone. */
function isDropped({ failure }: AttemptFailure, decision: RetryDecision): boolean {
  const wasClosed = failure.cause === 'connection_lost' && failure.error.code === 'upstream_disconnected'
  return wasClosed && decision !== 'fresh_connection'
}

const none: ReadonlySet<Host> = new Set()

/** Once may be chance and twice bad luck; each such answer pauses the host for everybody. */
const busyTimesMax = 3

const refusals: ReadonlySet<FailureCause> = new Set(['model_missing', 'not_offered', 'not_allowed', 'key_refused'])

function phaseOf(cause: FailureCause): FailoverPhase {
  switch (cause) {
    case 'never_connected':
    case 'connect_timed_out':
      return 'connect'
    case 'busy':
    case 'model_missing':
    case 'not_offered':
    case 'not_allowed':
    case 'told_busy':
    case 'key_refused':
      return 'refused'
    default:
      return 'pre_token'
  }
}
