/** Who sends a request to the data listener: the one question before every route but those of health. */
import type { IncomingMessage } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'
import type { Access } from '../access/access.ts'
import { keyInTarget } from '../access/credentials.ts'
import { GatewayError } from '../base/errors.ts'
import type { Caller } from '../relay/caller.ts'
import { ClientAddresses } from './client-address.ts'
import { Cors } from './cors.ts'
import type { ServerOptions } from './options.ts'

export interface Callers {
  /** Throws a GatewayError for whoever may not come in. */
  callerOf(incoming: IncomingMessage): Caller
}

export class KeyedCallers implements Callers {
  readonly #access: Access
  readonly #addresses: ClientAddresses
  readonly #cors: Cors

  constructor(access: Access, { trustedProxies, corsOrigins }: Pick<ServerOptions, 'trustedProxies' | 'corsOrigins'>) {
    this.#access = access
    this.#addresses = new ClientAddresses(trustedProxies)
    this.#cors = new Cors(corsOrigins)
  }

  callerOf(incoming: IncomingMessage): Caller {
    // No browser sends a key with it: that one is missing would lead whoever looks for the cause astray.
    if (this.#cors.isForeignPreflight(incoming)) throw foreignPreflight()
    const { headers, url: target = '' } = incoming
    const caller = this.#access.callerOf({ headers, target, address: this.#addresses.of(incoming) })
    // A page has no key unless somebody gave it one; without, any page that somebody looks at could use the hosts.
    if (caller.keyId === null && this.#cors.isForeign(incoming)) throw foreignPage()
    return caller
  }
}

function foreignPage(): GatewayError {
  const message = 'Web pages may use the gateway without a key only where server.corsOrigins has their origin.'
  return new GatewayError('permission_denied', message)
}

function foreignPreflight(): GatewayError {
  const message = 'Pages of this origin may not use the gateway: server.corsOrigins does not have it.'
  return new GatewayError('permission_denied', message)
}

export interface CallerEnv {
  Bindings: HttpBindings
  Variables: { caller: Caller }
}

/** For routes that are not relayed; those ask themselves, so that a refusal has its line in the log. */
export function authenticate(callers: Callers): MiddlewareHandler<CallerEnv> {
  return async (c, next) => {
    const caller = callers.callerOf(c.env.incoming)
    c.set('caller', caller)
    for (const [name, value] of Object.entries(caller.limitHeaders())) c.env.outgoing.setHeader(name, value)
    await next()
  }
}

/** Also where nobody is asked who they are: what is not found is named in the answer. */
export const refuseKeyInTarget: MiddlewareHandler<CallerEnv> = (c, next) => {
  const misplaced = keyInTarget(c.env.incoming.url ?? '')
  if (misplaced !== null) throw misplaced
  return next()
}
