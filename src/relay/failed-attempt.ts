/** What a failed attempt is told to: the metrics, the host it was made at, and the log. */
import type { LoadVerdict } from '../hosts/model-memory.ts'
import type { Lease } from '../queue/lease.ts'
import type { Endpoint } from '../wire/endpoints.ts'
import type { AttemptFailure } from './attempt.ts'
import type { FailureCause } from './failure.ts'
import { textWithoutKey } from './host-error.ts'
import { withoutRequest } from './host-said.ts'
import type { RelayParts } from './relay-parts.ts'

export interface FailedRequest {
  readonly endpoint: Endpoint
  /** None where they are gone. */
  readonly bytes: Buffer
}

export function tellFailure(parts: RelayParts, request: FailedRequest, lease: Lease, failed: AttemptFailure): void {
  const { endpoint, bytes } = request
  const { host, model } = lease
  const { cause, error } = failed.failure
  lease.failed(loadVerdicts[cause])
  // What the request itself got wrong is no failure of the host.
  if (error.kind.status >= 500) parts.events.attemptFailed(host.name, error.code)
  const unconnected = cause === 'never_connected' || cause === 'connect_timed_out'
  if (unconnected && error.code !== 'upstream_tls_error') parts.onConnectFailed(host, failed.code ?? '')
  if (cause === 'key_refused') host.keyRefused()
  // An endpoint may lack a model that another one has.
  if (cause === 'model_missing' && endpoint.dialect !== 'none') parts.onModelGone(host, model)
  tellWhatWasSaid(parts, bytes, lease, failed)
}

/** What a failure says of the load that its request was to bring about; where the host may go on with it, it was given up. */
const loadVerdicts: Readonly<Record<FailureCause, LoadVerdict>> = {
  never_connected: 'not_begun',
  connect_timed_out: 'not_begun',
  connection_lost: 'lost',
  timed_out: 'lost',
  busy: 'given_up',
  told_busy: 'given_up',
  model_missing: 'not_begun',
  not_offered: 'not_begun',
  not_allowed: 'not_begun',
  key_refused: 'not_begun',
  bad_gateway: 'failed',
  host_error: 'failed',
  told_error: 'failed',
  bad_answer: 'failed',
  client_slow: 'given_up',
  over_bound: 'given_up',
  rejected: 'not_begun',
  aborted: 'given_up',
}

/** For those alone who want to see everything, and even for them not what was asked, which takes a while to look for. */
function tellWhatWasSaid({ log }: RelayParts, bytes: Buffer, { host }: Lease, { failure }: AttemptFailure): void {
  const { hostSaid, error } = failure
  if (hostSaid === null || hostSaid === '' || log.writes?.('debug') === false) return
  const said = withoutRequest(textWithoutKey(hostSaid, host.apiKey), bytes)
  log('debug', 'what a host said, and no client is shown', { host: host.name, error: error.code, said })
}
