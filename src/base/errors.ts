/** The one catalogue of errors that a client can meet: code, status, type, and whether trying again can help. */

export interface ErrorKind {
  readonly status: number
  readonly type:
    | 'invalid_request_error'
    | 'authentication_error'
    | 'permission_error'
    | 'rate_limit_error'
    | 'overloaded_error'
    | 'upstream_error'
    | 'timeout_error'
    | 'internal_error'
  /** Sent as `x-should-retry`; the OpenAI and Anthropic clients obey it. */
  readonly shouldRetry: boolean
  /** When another try may help, where nothing better is known; null where no hint is given. */
  readonly retryAfterMs: number | null
  /** One sentence for README's table. */
  readonly meaning: string
}

const kind = (status: number, type: ErrorKind['type'], shouldRetry: boolean, meaning: string): ErrorKind => ({
  status,
  type,
  shouldRetry,
  // What is everybody's passes: a host is probed, and a slot given back, within a few seconds.
  retryAfterMs: status === 503 ? 5_000 : null,
  meaning,
})

export const errorCatalogue = {
  invalid_request: kind(400, 'invalid_request_error', false, 'A field that the gateway or the host reads is wrong.'),
  invalid_json: kind(400, 'invalid_request_error', false, 'The body is not JSON.'),
  context_length_exceeded: kind(400, 'invalid_request_error', false, "The prompt does not fit the model's context."),
  invalid_api_key: kind(401, 'authentication_error', false, 'The key or token is missing, wrong, expired or revoked.'),
  model_not_allowed: kind(
    403,
    'permission_error',
    false,
    'The key may not use this model, or its name would leave the local network.',
  ),
  permission_denied: kind(403, 'permission_error', false, 'This key or page may not do this.'),
  request_cancelled: kind(403, 'permission_error', false, 'An operator of the gateway ended the request.'),
  model_not_found: kind(404, 'invalid_request_error', false, 'No host serves the model.'),
  not_found: kind(404, 'invalid_request_error', false, 'There is no such path, stored response or host endpoint.'),
  method_not_allowed: kind(405, 'invalid_request_error', false, 'The path exists, but not with this method.'),
  request_timeout: kind(408, 'timeout_error', false, 'The client took too long to send its request.'),
  conflict: kind(409, 'invalid_request_error', false, 'What is there already stands against it, such as a taken name.'),
  request_too_large: kind(413, 'invalid_request_error', false, 'The body is over the limit.'),
  unsupported_media_type: kind(415, 'invalid_request_error', false, 'Not the content type that this path takes.'),
  expectation_failed: kind(417, 'invalid_request_error', false, 'The header expect asks for more than 100-continue.'),
  misdirected_request: kind(421, 'invalid_request_error', false, 'The header host is not a name of this listener.'),
  rate_limit_exceeded: kind(429, 'rate_limit_error', true, "The key's or team's share of this minute is used up."),
  concurrency_limit_exceeded: kind(
    429,
    'rate_limit_error',
    true,
    'The key or team has as many requests as it may, or they hold too many bytes.',
  ),
  quota_exceeded: kind(429, 'rate_limit_error', false, "The key's or team's share of this day or month is used up."),
  headers_too_large: kind(431, 'invalid_request_error', false, 'The request headers are over the limit.'),
  internal_error: kind(500, 'internal_error', false, 'A fault of the gateway itself.'),
  upstream_bad_response: kind(502, 'upstream_error', true, 'The host answered with something unusable.'),
  upstream_protocol_error: kind(502, 'upstream_error', true, 'The host did not speak correct HTTP.'),
  upstream_disconnected: kind(
    502,
    'upstream_error',
    true,
    'The host closed the connection before its answer was complete.',
  ),
  upstream_crashed: kind(
    502,
    'upstream_error',
    false,
    'Two hosts closed the connection on exactly this request: for a minute it is given to no other.',
  ),
  upstream_truncated: kind(502, 'upstream_error', true, 'The answer ended before it was complete.'),
  upstream_tls_error: kind(502, 'upstream_error', false, "The host's certificate or TLS handshake failed."),
  upstream_auth_failed: kind(502, 'upstream_error', false, "The host refused the gateway's own key."),
  queue_full: kind(503, 'overloaded_error', true, 'Every slot is busy and the line is full.'),
  queue_wait_too_long: kind(
    503,
    'overloaded_error',
    true,
    'Every slot is busy, and the predicted wait is longer than the patience.',
  ),
  queue_timeout: kind(503, 'overloaded_error', true, 'No slot became free in time.'),
  upstream_busy: kind(503, 'overloaded_error', true, 'The host says it is busy.'),
  model_loading: kind(503, 'overloaded_error', true, 'The model is still being loaded, or waits for that.'),
  model_load_failed: kind(503, 'overloaded_error', true, 'No host could load the model.'),
  overloaded: kind(
    503,
    'overloaded_error',
    true,
    'The gateway itself is short of memory, of processor time or of connections.',
  ),
  store_unavailable: kind(503, 'overloaded_error', true, 'The gateway cannot read or write its own records now.'),
  no_upstream_available: kind(503, 'overloaded_error', true, 'No host that serves the model can be reached now.'),
  gateway_shutting_down: kind(503, 'overloaded_error', true, 'The gateway is stopping.'),
  upstream_timeout: kind(504, 'timeout_error', false, 'The host did not begin to answer in time.'),
  upstream_stalled: kind(504, 'timeout_error', false, 'The host stopped in the middle of its answer.'),
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof errorCatalogue

/** Of a request in the line, or of one that was not let in. */
export interface PredictedWait {
  /** Requests that are likely to be granted a slot before it. */
  readonly position: number
  /** Half of all such waits are shorter; null where nothing is known yet. */
  readonly p50Ms: number | null
  readonly p90Ms: number | null
}

export interface ErrorDetail {
  /** The request field the message is about, as OpenAI's `param`. */
  readonly param?: string | undefined
  /** How long the caller should wait before another try, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** The message tells how long the wait is, exactly. */
  readonly saysWhen?: boolean | undefined
  /** How long it would have waited, as far as that can be told. */
  readonly wait?: PredictedWait | undefined
  /** For `method_not_allowed`: what goes into `Allow`. */
  readonly allow?: string | undefined
  readonly cause?: unknown
}

/** An error whose message may be shown to a client: it names no address, path or secret. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  readonly code: ErrorCode
  readonly detail: ErrorDetail

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.code = code
    this.detail = detail
  }

  get kind(): ErrorKind {
    return errorCatalogue[this.code]
  }

  /** How long the caller should wait before another try, in milliseconds; null where no hint is given. */
  get retryAfterMs(): number | null {
    return this.detail.retryAfterMs ?? this.kind.retryAfterMs
  }
}
