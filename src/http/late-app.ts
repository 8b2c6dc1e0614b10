/** A Hono app, loaded with Hono itself once a start is over, or by the first request that wants it: the relay goes without. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'
import type { Clock, Timer } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { loadedOnce } from '../base/loaded-once.ts'
import type { Log } from '../base/log.ts'
import { Exchange } from '../relay/exchange.ts'
import { isAnthropicPath, onBadRequest } from './error-response.ts'
import { requestIdOf } from './request-id.ts'

export type LoadApp = () => Promise<Pick<Hono<{ Bindings: HttpBindings }>, 'fetch'>>

/** By then whoever waited for the start has been served; later there may be streams for which loading is a long turn. */
const loadAfterMs = 1_000

type Handle = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown

export class LateApp {
  readonly #clock: Clock
  readonly #loaded: () => Promise<Handle>
  #timer: Timer | null = null
  #handle: Handle | null = null

  constructor(load: LoadApp, clock: Clock, log: Log) {
    this.#clock = clock
    this.#loaded = loadedOnce(async () => {
      try {
        this.#handle = await handleOf(load)
        return this.#handle
      } catch (error) {
        const problem = error instanceof Error ? error.message : String(error)
        log('error', 'A part of the gateway cannot be loaded; perhaps what is installed was replaced', { problem })
        throw error
      }
    })
  }

  loadSoon(): void {
    this.#timer = this.#clock.after(loadAfterMs, () => {
      // Where that fails, the log says why, and those who ask are told.
      this.#loaded().catch(() => {})
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#handle === null) void this.#handleLate(incoming, outgoing)
    else this.#handle(incoming, outgoing)
  }

  async #handleLate(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    let handle: Handle
    try {
      handle = await this.#loaded()
    } catch {
      // What is installed was replaced under a gateway that runs, most likely; the next one tries again.
      const exchange = new Exchange(incoming, outgoing, { clock: this.#clock, requestId: requestIdOf(outgoing) })
      const error = new GatewayError('internal_error', 'The gateway cannot load what answers this.')
      exchange.fail(error, isAnthropicPath(incoming.url ?? ''))
      return
    }
    // Whoever left meanwhile asks for nothing any more.
    if (!outgoing.destroyed) handle(incoming, outgoing)
  }
}

async function handleOf(load: LoadApp): Promise<Handle> {
  const [{ getRequestListener }, app] = await Promise.all([import('@hono/node-server'), load()])
  return getRequestListener((request, env) => app.fetch(request, env), {
    // For HTTP/1.0, which has requests without a host; nothing here goes by its name.
    hostname: 'localhost',
    // The global Request and Response stay Node's own: the marker of a relayed answer depends on it.
    overrideGlobalObjects: false,
    // What is left of a refused body is our own affair (relay/exchange.ts).
    autoCleanupIncoming: false,
    errorHandler: onBadRequest,
  })
}
