/** The relayed endpoints: the handler hands both sides to the relay and is done, so nothing later can reach a stream. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Handler } from 'hono'
import type { Clock } from '../../base/clock.ts'
import { Exchange } from '../../relay/exchange.ts'
import type { Relay } from '../../relay/relay.ts'
import type { Endpoint } from '../../wire/endpoints.ts'
import { requestIdOf } from '../request-id.ts'

/** The name under which callers without a key appear; there are no keys yet. */
const anonymous = 'anonymous'

export function inference(endpoint: Endpoint, relay: Relay, clock: Clock): Handler<{ Bindings: HttpBindings }> {
  return (c) => {
    const { incoming, outgoing } = c.env
    relay.handle(endpoint, new Exchange(incoming, outgoing, { clock, requestId: requestIdOf(outgoing) }), anonymous)
    return RESPONSE_ALREADY_SENT
  }
}
