/** Hands the relayed endpoints to the relay, without Hono where their requests are plain. */
import type { IncomingMessage } from 'node:http'
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Caller } from '../relay/caller.ts'
import { Exchange } from '../relay/exchange.ts'
import { asGatewayError } from '../relay/gateway-fault.ts'
import type { Relay } from '../relay/relay.ts'
import { type Endpoint, endpoints } from '../wire/endpoints.ts'
import type { Callers } from './callers.ts'
import { DirectRoutes } from './direct-routes.ts'

export interface InferenceParts {
  readonly relay: Relay
  readonly callers: Callers
  readonly clock: Clock
  readonly log: Log
}

/** Hono costs a request more than all that is done with it here. */
export function directInference(parts: InferenceParts): DirectRoutes {
  const { clock } = parts
  return new DirectRoutes(
    new Map(
      endpoints.map((endpoint) => [
        endpoint.path,
        (incoming, outgoing, { requestId, headers }) =>
          handToRelay(new Exchange(incoming, outgoing, { clock, requestId, headers }), incoming, endpoint, parts),
      ]),
    ),
  )
}

/** Never throws. */
export function handToRelay(
  exchange: Exchange,
  incoming: IncomingMessage,
  endpoint: Endpoint,
  parts: InferenceParts,
): void {
  const { relay, callers } = parts
  try {
    const caller = callerOrRefusal(incoming, callers)
    if (caller instanceof GatewayError) relay.refuse(endpoint, exchange, caller)
    else relay.handle(endpoint, exchange, caller)
  } catch (error) {
    const fault = asGatewayError(error, parts)
    if (!exchange.committed) exchange.fail(fault, endpoint.anthropic)
  }
}

function callerOrRefusal(incoming: IncomingMessage, callers: Callers): Caller | GatewayError {
  try {
    return callers.callerOf(incoming)
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
}
