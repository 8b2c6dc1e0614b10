/** LMX's envelopes for failures, which differ by the place that raises them. */

import { busyText } from './generation.ts'
import type { ReplyContext } from './reply.ts'
import { sendBody, sendJson } from './reply.ts'

/** The OpenAI envelope of most handlers. */
export function openAiError(
  context: ReplyContext,
  status: number,
  error: { message: string; type: string; param?: string; code: string },
): void {
  const { message, type, param = null, code } = error
  sendJson(context, status, { error: { message, type, param, code } })
}

export function internalError(context: ReplyContext): void {
  openAiError(context, 500, { message: 'Internal server error', type: 'internal_server_error', code: 'internal_error' })
}

export function modelNotFound(context: ReplyContext, model: string): void {
  const message = `The model '${model}' does not exist or is not loaded`
  openAiError(context, 404, { message, type: 'invalid_request_error', param: 'model', code: 'model_not_found' })
}

/** The one 429 of a full host: no `param`, after the whole slot wait. */
export function busyError(context: ReplyContext): void {
  const error = { message: busyText, type: 'server_error', code: 'rate_limit_exceeded' }
  sendJson(context, 429, { error }, [['retry-after', '5']])
}

/** The other 429, of the rate limiter: a string, and no hint when to come back. */
export function rateLimited(context: ReplyContext): void {
  sendJson(context, 429, { error: 'Rate limit exceeded: 60 per 1 minute' })
}

/** FastAPI's own envelope. */
export function detailError(context: ReplyContext, status: number, detail: unknown): void {
  sendJson(context, status, { detail })
}

export function unauthorized(context: ReplyContext): void {
  detailError(context, 401, 'Invalid or missing API key')
}

export function anthropicError(context: ReplyContext, status: number, type: string, message: string): void {
  sendJson(context, status, { type: 'error', error: { type, message } })
}

/** An exception that nothing caught: plain text from outside the request-id layer. */
export function plainServerError(context: ReplyContext, text = 'Internal Server Error'): void {
  sendBody({ ...context, requestId: null }, { status: 500, type: 'text/plain; charset=utf-8', body: text })
}
