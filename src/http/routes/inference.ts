/** The relayed endpoints: both sides of an exchange are handed to the relay at once, so nothing later can reach a stream. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Handler } from 'hono'
import { Exchange } from '../../relay/exchange.ts'
import type { Endpoint } from '../../wire/endpoints.ts'
import type { CallerEnv } from '../callers.ts'
import { handToRelay, type InferenceParts } from '../direct-inference.ts'
import { requestIdOf } from '../request-id.ts'

export function inference(endpoint: Endpoint, parts: InferenceParts): Handler<CallerEnv> {
  return (c) => {
    const { incoming, outgoing } = c.env
    const exchange = new Exchange(incoming, outgoing, { clock: parts.clock, requestId: requestIdOf(outgoing) })
    handToRelay(exchange, incoming, endpoint, parts)
    return RESPONSE_ALREADY_SENT
  }
}
