/** Why an attempt at a host failed: made where the error is made, read by the retry rule, the host's health and the end code. */
import { GatewayError } from '../base/errors.ts'
import type { AttemptVerdict } from '../hosts/health.ts'

export type FailureCause =
  /** No connection, or no TLS: nothing was sent. */
  | 'never_connected'
  /** The same, because nothing answered the connection attempt in time. */
  | 'connect_timed_out'
  /** The connection broke, or was closed, before the answer was whole. */
  | 'connection_lost'
  /** A clock of ours ran out while the host had the request, and its client was not to blame. */
  | 'timed_out'
  /** The host would not take it now: it was not executed. */
  | 'busy'
  /** The same, told inside an answer that had begun: it may have been executed. */
  | 'told_busy'
  /** The host does not have the model (any more): it was not executed. */
  | 'model_missing'
  /** The host does not offer the endpoint, or not now: it was not executed. */
  | 'not_offered'
  /** The host lets the gateway's key do other things, but not this: it was not executed. */
  | 'not_allowed'
  /** The host refused the gateway's own key: it was not executed. */
  | 'key_refused'
  /** 502, 503 or 504 of something in front of the host, which says nothing about the request. */
  | 'bad_gateway'
  /** The host answered with status 500 and the like. */
  | 'host_error'
  /** An error told inside an answer that had begun well. */
  | 'told_error'
  /** What came was not HTTP, not JSON, or not what was asked for. */
  | 'bad_answer'
  /** The whole took too long because its client read too slowly. */
  | 'client_slow'
  /** A bound of ours on what a host may send. */
  | 'over_bound'
  /** The request itself is wrong (4xx): another host would say the same. */
  | 'rejected'
  /** The gateway itself gave the attempt up. */
  | 'aborted'

/** What each says about its host. What the request itself got wrong, and what is our own doing, says nothing. */
const verdicts: Readonly<Record<FailureCause, Exclude<AttemptVerdict['kind'], 'ok'>>> = {
  // A host that cannot be reached is down until a probe says otherwise, which is more than any count.
  never_connected: 'neutral',
  connect_timed_out: 'neutral',
  connection_lost: 'lost',
  timed_out: 'failed',
  busy: 'busy',
  told_busy: 'busy',
  model_missing: 'neutral',
  not_offered: 'neutral',
  not_allowed: 'neutral',
  key_refused: 'neutral',
  bad_gateway: 'failed',
  host_error: 'failed',
  told_error: 'failed',
  bad_answer: 'failed',
  client_slow: 'neutral',
  over_bound: 'failed',
  rejected: 'neutral',
  aborted: 'neutral',
}

/** The host has no room now, whether it was asked in vain or began and gave up. */
export function isBusy(cause: FailureCause): boolean {
  return verdicts[cause] === 'busy'
}

/** Said by the host itself, which is done with the request then, whatever becomes of the connection. */
const told: ReadonlySet<FailureCause> = new Set([
  'busy',
  'told_busy',
  'model_missing',
  'not_offered',
  'not_allowed',
  'key_refused',
  'bad_gateway',
  'host_error',
  'told_error',
  'rejected',
])

export class Failure {
  readonly cause: FailureCause
  /** What the client is told, if nobody else answers. */
  readonly error: GatewayError
  /** The beginning of what the host said in place of an answer, for whoever looks for the reason; shown to no client. */
  readonly hostSaid: string | null

  constructor(cause: FailureCause, error: GatewayError, hostSaid: string | null = null) {
    this.cause = cause
    this.error = error
    this.hostSaid = hostSaid
  }

  get told(): boolean {
    return told.has(this.cause)
  }

  get verdict(): AttemptVerdict {
    const kind = verdicts[this.cause]
    return kind === 'busy' ? { kind, retryAfterMs: this.error.detail.retryAfterMs ?? null } : { kind }
  }
}

/** The connection ended in good order, and the answer by its own marks did not. */
export function truncated(): Failure {
  const error = new GatewayError('upstream_truncated', 'The host ended its answer before it was complete.')
  return new Failure('connection_lost', error)
}
