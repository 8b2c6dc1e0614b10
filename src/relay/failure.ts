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
  /** A clock of ours ran out while the host had the request. */
  | 'timed_out'
  /** The host would not take it now: it was not executed. */
  | 'busy'
  /** The host does not have the model (any more): it was not executed. */
  | 'model_missing'
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
  /** A bound of ours on what a host may send. */
  | 'over_bound'
  /** The request itself is wrong (4xx): another host would say the same. */
  | 'rejected'
  /** The gateway itself gave the attempt up. */
  | 'aborted'

export class Failure {
  readonly cause: FailureCause
  /** What the client is told, if nobody else answers. */
  readonly error: GatewayError

  constructor(cause: FailureCause, error: GatewayError) {
    this.cause = cause
    this.error = error
  }

  /** What it says about the host. What the request itself got wrong, and what is our own doing, says nothing. */
  get verdict(): AttemptVerdict {
    switch (this.cause) {
      case 'connection_lost':
        return { kind: 'lost' }
      case 'busy':
        return { kind: 'busy', retryAfterMs: this.error.detail.retryAfterMs ?? null }
      case 'timed_out':
      case 'bad_gateway':
      case 'host_error':
      case 'told_error':
      case 'bad_answer':
      case 'over_bound':
        return { kind: 'failed' }
      // A host that cannot be reached is down until a probe says otherwise, which is more than any count.
      case 'never_connected':
      case 'connect_timed_out':
      case 'model_missing':
      case 'key_refused':
      case 'rejected':
      case 'aborted':
        return { kind: 'neutral' }
    }
  }
}

/** The connection ended in good order, and the answer by its own marks did not. */
export function truncated(): Failure {
  const error = new GatewayError('upstream_truncated', 'The host ended its answer before it was complete.')
  return new Failure('connection_lost', error)
}
