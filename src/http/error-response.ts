/** GatewayError to a Response, for every route that is not relayed. */
import type { ErrorHandler, NotFoundHandler } from 'hono'
import { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { endpoints } from '../wire/endpoints.ts'
import { errorAnswer } from '../wire/error-answer.ts'

export function errorResponse(error: GatewayError, anthropic = false): Response {
  const { status, headers, body } = errorAnswer(error, anthropic)
  return new Response(body, { status, headers: { ...headers } })
}

/** Anthropic's clients read errors in their own envelope, on every path they use. */
export function isAnthropicPath(path: string): boolean {
  return path === '/v1/messages' || path.startsWith('/v1/messages/')
}

export const notFound: NotFoundHandler = (c) =>
  errorResponse(
    new GatewayError('not_found', `There is no ${c.req.method} ${shown(c.req.path)} here.${baseUrlHint(c.req.path)}`),
    isAnthropicPath(c.req.path),
  )

export function onError(log: Log): ErrorHandler {
  return (error, c) => {
    if (error instanceof GatewayError) return errorResponse(error, isAnthropicPath(c.req.path))
    log('error', 'a request failed inside the gateway', { error: error.message })
    return errorResponse(new GatewayError('internal_error', 'The gateway failed on this request.'))
  }
}

/** What the adapter could not even make a request of: an odd target or Host header. */
export function onBadRequest(): Response {
  return errorResponse(new GatewayError('invalid_request', 'The request target or Host header cannot be read.'))
}

/** The most frequent slip: a base URL without /v1, or with it twice. */
function baseUrlHint(path: string): string {
  const meant = path.replace(/^(?:\/v1)*/, '/v1')
  const exists = meant === '/v1/models' || endpoints.some((endpoint) => endpoint.path === meant)
  return exists && meant !== path ? ` The base URL ends in /v1, once: ${meant}.` : ''
}

function shown(path: string): string {
  return path.length > 100 ? `${path.slice(0, 100)}…` : path
}
