/** Refuses a body where none belongs, before any of it is read. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { MiddlewareHandler } from 'hono'
import { systemClock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { Exchange } from '../relay/exchange.ts'
import { isAnthropicPath } from './error-response.ts'
import { requestIdOf } from './request-id.ts'

/** Some clients send an empty object with every request; that much is read and forgotten. */
const strayBytesMax = 65_536

export const refuseStrayBody: MiddlewareHandler<{ Bindings: HttpBindings }> = (c, next) => {
  const { incoming, outgoing } = c.env
  const chunked = incoming.headers['transfer-encoding'] !== undefined
  const length = Number(incoming.headers['content-length'] ?? 0)
  if (incoming.method === 'POST' || (!chunked && length <= strayBytesMax)) return next()
  const exchange = new Exchange(incoming, outgoing, { clock: systemClock, requestId: requestIdOf(outgoing) })
  const error = new GatewayError('request_too_large', `${c.req.method} takes no body here.`)
  exchange.fail(error, isAnthropicPath(c.req.path))
  return Promise.resolve(RESPONSE_ALREADY_SENT)
}
