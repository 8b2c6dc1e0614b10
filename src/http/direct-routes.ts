/** Routes that a listener takes by itself: found by nothing but method and target, they need no router. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderList } from '../wire/header-list.ts'

/** What an answer has before anybody has looked for a route. */
export interface BegunAnswer {
  readonly requestId: string
  /** More may be added. */
  readonly headers: HeaderList
}

/** Must not throw. */
export type DirectRoute = (incoming: IncomingMessage, outgoing: ServerResponse, begun: BegunAnswer) => void

/** Hosts that Hono's adapter takes as they are. Whether any other is one is for it alone to say, which refuses those that are not. */
const plainHost = /^[a-z0-9._-]+(?::(?:[1-5]\d{3,4}|[6-9]\d{3}))?$/

export class DirectRoutes {
  readonly #byTarget: ReadonlyMap<string, DirectRoute>

  /** By the target of a POST, written plainly and without a query. */
  constructor(byTarget: ReadonlyMap<string, DirectRoute> = new Map()) {
    this.#byTarget = byTarget
  }

  /** Undefined for what takes the long way. */
  find({ method, url = '', headers }: IncomingMessage): DirectRoute | undefined {
    if (method !== 'POST' || !plainHost.test(headers.host ?? '')) return undefined
    return this.#byTarget.get(url)
  }
}
