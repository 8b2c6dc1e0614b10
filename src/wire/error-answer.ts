/** A GatewayError as it goes over the wire: status, headers and the envelope of the caller's dialect. */
import type { GatewayError, PredictedWait } from '../base/errors.ts'

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** One JSON object. */
  readonly body: string
}

/** Clients ignore a longer hint and try at once, so beyond this they are told not to retry; the true figure is in the body. */
const retryHintSecondsMax = 60

export function errorAnswer(error: GatewayError, anthropic: boolean): ErrorAnswer {
  const { status, shouldRetry } = error.kind
  const headers: Record<string, string> = { 'content-type': 'application/json' }
  const retryAfterMs = error.detail.retryAfterMs ?? spread(error.retryAfterMs)
  const { allow, wait } = error.detail
  let retry = shouldRetry
  if (retryAfterMs !== null) {
    const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000))
    headers['retry-after'] = String(seconds)
    headers['retry-after-ms'] = String(Math.max(1, Math.ceil(retryAfterMs)))
    if (seconds > retryHintSecondsMax) retry = false
  }
  headers['x-should-retry'] = String(retry)
  if (allow !== undefined) headers['allow'] = allow
  if (wait !== undefined) Object.assign(headers, waitHeaders(wait))
  return { status, headers, body: errorBody(error, anthropic) }
}

/** What the line would have been for a request that it did not take or keep; of times that are not known there is no header. */
function waitHeaders({ position, p50Ms, p90Ms }: PredictedWait): Record<string, string> {
  const headers: Record<string, string> = { 'x-lmx-gateway-queue-position': String(position) }
  if (p50Ms !== null) headers['x-lmx-gateway-queue-wait-ms'] = String(Math.ceil(p50Ms))
  if (p90Ms !== null) headers['x-lmx-gateway-queue-wait-p90-ms'] = String(Math.ceil(p90Ms))
  return headers
}

/** ± 20 %, so that those refused together, as at the end of the gateway, do not come back together. */
function spread(milliseconds: number | null): number | null {
  return milliseconds === null ? null : milliseconds * (0.8 + 0.4 * Math.random())
}

/** The envelope alone, as it also stands in an error frame inside a stream. */
export function errorBody(error: GatewayError, anthropic: boolean): string {
  const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000)
  const waits = seconds > retryHintSecondsMax && error.detail.saysWhen !== true ? ` Try again in ${seconds} s.` : ''
  const message = error.message + waits
  if (anthropic) return JSON.stringify({ type: 'error', error: { type: anthropicType(error), message } })
  return JSON.stringify({
    error: { message, type: error.kind.type, param: error.detail.param ?? null, code: error.code },
  })
}

/** https://docs.anthropic.com/en/api/errors */
function anthropicType(error: GatewayError): string {
  switch (error.kind.status) {
    case 404:
      return 'not_found_error'
    case 413:
      return 'request_too_large'
    case 503:
      return 'overloaded_error'
    default:
      break
  }
  switch (error.kind.type) {
    case 'invalid_request_error':
    case 'authentication_error':
    case 'permission_error':
    case 'rate_limit_error':
      return error.kind.type
    default:
      return 'api_error'
  }
}
