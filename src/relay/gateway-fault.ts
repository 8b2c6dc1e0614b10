/** Whatever was thrown while a request was served, as an error that a client may see. */
import { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

export function asGatewayError(error: unknown, { log }: { readonly log: Log }): GatewayError {
  if (error instanceof GatewayError) return error
  log('error', 'a request failed inside the gateway', {
    error: error instanceof Error ? error.message : 'unknown',
  })
  return new GatewayError('internal_error', 'The gateway failed on this request.')
}
