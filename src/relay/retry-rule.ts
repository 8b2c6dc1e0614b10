/** Whether a failed attempt may be made again, and where: a pure rule. */
import type { FailureCause } from './failure.ts'

export type RetryDecision =
  | 'none'
  /** The same host, on a connection of its own. */
  | 'fresh_connection'
  /** Another host, at once. */
  | 'other_host'
  /** The same, but the work may be done twice: only while the fleet's budget of retries lasts. */
  | 'other_host_on_budget'
  /** Back to its place in the line, until this host takes work again or another one is free. */
  | 'back_in_line'

export interface FailedAttempt {
  readonly cause: FailureCause
  /** Any byte of an answer had arrived. */
  readonly answered: boolean
  readonly reusedSocket: boolean
  /** Since the request was written; null when it never was. */
  readonly sinceSentMs: number | null
  /** This attempt was itself the repetition on a fresh connection. */
  readonly fresh: boolean
  /** Something of an answer went out to the client. */
  readonly contentSent: boolean
  /** The endpoint keeps nothing, so that done twice it only costs twice. */
  readonly repeatable: boolean
  /** How many hosts failed on it so far, this one included; those that would not take it did not fail. */
  readonly hostsFailed: number
}

/** Each host more is another copy of the work at the worst moment. */
const hostsFailedMax = 2
/** A host that had given a connection up says so within a round trip; one that closes later had begun to work. */
const keepAliveRaceMsMax = 1_000
/** The same for what must not be executed twice: nearly every such close is there by then, and the others are not worth the risk. */
const strictRaceMsMax = 100

/** What a failure before content allows a generation that keeps nothing; what is executed at most once is not on a budget. */
const allowed: Readonly<
  Record<Exclude<FailureCause, 'busy' | 'told_busy'>, 'other_host' | 'other_host_on_budget' | 'none'>
> = {
  never_connected: 'other_host',
  connect_timed_out: 'other_host',
  model_missing: 'other_host',
  not_offered: 'other_host',
  not_allowed: 'other_host',
  key_refused: 'other_host',
  connection_lost: 'other_host_on_budget',
  bad_gateway: 'other_host_on_budget',
  told_error: 'other_host_on_budget',
  timed_out: 'none',
  host_error: 'none',
  bad_answer: 'none',
  client_slow: 'none',
  over_bound: 'none',
  rejected: 'none',
  aborted: 'none',
}

/**
 * 1. Nothing is repeated once content went out.
 * 2. A kept connection closed at once and before any byte of an answer: the host had given it up when we wrote, so the
 *    same host is asked once more, on a connection of its own.
 * 3. What was certainly not executed may go to another host: never connected, no such model there, our key refused. A
 *    busy host has only said "not now".
 * 4. What may have been executed goes to one other host where the endpoint keeps nothing, within the fleet's budget.
 * 5. A time-out is not repeated, since the host may still be computing, and the prompt may be the cause; nor is a 500 or
 *    junk, which the same request is likely to meet again.
 */
export function retryRule(failure: FailedAttempt): RetryDecision {
  if (failure.contentSent) return 'none'
  if (isKeepAliveRace(failure) && !failure.fresh) return 'fresh_connection'
  // For as long as its patience lasts: a pausing host is asked no more often than it says.
  if (failure.cause === 'busy') return 'back_in_line'
  if (failure.cause === 'told_busy') return failure.repeatable ? 'back_in_line' : 'none'
  if (failure.hostsFailed >= hostsFailedMax) return 'none'
  const decision = allowed[failure.cause]
  return decision === 'other_host_on_budget' && !failure.repeatable ? 'none' : decision
}

function isKeepAliveRace({ cause, reusedSocket, answered, sinceSentMs, repeatable }: FailedAttempt): boolean {
  const msMax = repeatable ? keepAliveRaceMsMax : strictRaceMsMax
  return cause === 'connection_lost' && reusedSocket && !answered && (sinceSentMs ?? 0) < msMax
}
