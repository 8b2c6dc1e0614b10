/** The relayed endpoints: the handler hands both sides to the relay and is done, so nothing later can reach a stream. */
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Handler } from 'hono'
import type { Clock } from '../../base/clock.ts'
import { GatewayError } from '../../base/errors.ts'
import type { Caller } from '../../relay/caller.ts'
import { Exchange } from '../../relay/exchange.ts'
import type { Relay } from '../../relay/relay.ts'
import type { Endpoint } from '../../wire/endpoints.ts'
import type { CallerEnv, Callers } from '../callers.ts'
import { requestIdOf } from '../request-id.ts'

export interface InferenceParts {
  readonly relay: Relay
  readonly callers: Callers
  readonly clock: Clock
}

export function inference(endpoint: Endpoint, parts: InferenceParts): Handler<CallerEnv> {
  const { relay, callers, clock } = parts
  return (c) => {
    const { incoming, outgoing } = c.env
    const exchange = new Exchange(incoming, outgoing, { clock, requestId: requestIdOf(outgoing) })
    let caller: Caller
    try {
      caller = callers.callerOf(incoming)
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error
      relay.refuse(endpoint, exchange, error)
      return RESPONSE_ALREADY_SENT
    }
    relay.handle(endpoint, exchange, caller)
    return RESPONSE_ALREADY_SENT
  }
}
