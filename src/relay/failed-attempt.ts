/** What a failed attempt is told to: the metrics, the host it was made at, and the log. */
import type { Lease } from '../queue/lease.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { AttemptFailure } from './attempt.ts'
import { textWithoutKey } from './host-error.ts'
import type { RelayParts } from './relay-parts.ts'

export function tellFailure(parts: RelayParts, endpoint: Endpoint, lease: Lease, failed: AttemptFailure): void {
  const { host, model } = lease
  const { cause, error, hostSaid } = failed.failure
  // What the request itself got wrong is no failure of the host.
  if (error.kind.status >= 500) parts.events.attemptFailed(host.name, error.code)
  const unconnected = cause === 'never_connected' || cause === 'connect_timed_out'
  if (unconnected && error.code !== 'upstream_tls_error') parts.onConnectFailed(host, failed.code ?? '')
  if (cause === 'key_refused') host.keyRefused()
  // An endpoint may lack a model that another one has.
  if (cause === 'model_missing' && endpoint.dialect !== 'none') parts.onModelGone(host, model)
  // It may repeat what was asked, so it is for those alone who want to see everything.
  if (hostSaid !== null && hostSaid !== '') {
    const fields = { host: host.name, error: error.code, said: textWithoutKey(hostSaid, host.apiKey) }
    parts.log('debug', 'what a host said, and no client is shown', fields)
  }
}
