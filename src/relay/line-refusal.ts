/** What a request hears for which no slot came: from the line, or from the hosts that told it "not now". */
import { GatewayError } from '../base/errors.ts'
import { type Failure, isBusy } from './failure.ts'

/** Of the last attempt; its error less the host's key, fit to be shown. */
export type LastFailure = Pick<Failure, 'cause' | 'error'>

const allBusy = new GatewayError('upstream_busy', 'Every host that serves the model says that it is busy.')

/**
 * Who waited in vain for hosts that say "not now" hears that, and not what it means for the line; `busyForMs` is how long
 * all of them pause. The hint is up to 20 % later, so that those who waited together do not come back together, and
 * nobody too early.
 */
export function lineRefusal(error: GatewayError, last: LastFailure | null, busyForMs: number): GatewayError {
  const saidBusy = last !== null && isBusy(last.cause) ? last.error : null
  if (error.code === 'gateway_shutting_down' || (saidBusy === null && busyForMs === 0)) return error
  const { code, message } = saidBusy ?? allBusy
  const waitMs = busyForMs > 0 ? busyForMs : (saidBusy?.retryAfterMs ?? undefined)
  const retryAfterMs = waitMs === undefined ? undefined : waitMs * (1 + 0.2 * Math.random())
  return new GatewayError(code, message, { retryAfterMs })
}
