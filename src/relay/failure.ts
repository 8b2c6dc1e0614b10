/** Why an attempt at a host failed: made where the error is made, read by the retry rule, the host's health and the end code. */
import type { GatewayError } from '../base/errors.ts'

export type FailureCause =
  /** No connection, or no TLS: nothing was sent. */
  | 'never_connected'
  /** The same, because nothing answered the connection attempt in time. */
  | 'connect_timed_out'
  /** The connection broke before the answer was whole. */
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
  /** The host failed on it: 500, or an error told inside the answer. */
  | 'host_error'
  /** What came was not HTTP, not whole by its own marks, or not what was asked for. */
  | 'bad_answer'
  /** A bound of ours on what a host may send. */
  | 'over_bound'
  /** The request itself is wrong (4xx): another host would say the same. */
  | 'rejected'

export interface Failure {
  readonly cause: FailureCause
  /** What the client is told, if nobody else answers. */
  readonly error: GatewayError
}
