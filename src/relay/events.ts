/** What the relay tells `observe/`. */
import type { ErrorCode } from '../base/errors.ts'
import type { Outcome } from './outcome.ts'

export interface RelayEvents {
  requestEnded(outcome: Outcome): void
  /** An attempt at a host failed, whatever became of the request. */
  attemptFailed(host: string, reason: ErrorCode): void
  /** A request was moved to another connection or host; told when the new attempt is decided. */
  failedOver(model: string, phase: 'connect' | 'reused_socket', result: 'ok' | 'failed'): void
}
