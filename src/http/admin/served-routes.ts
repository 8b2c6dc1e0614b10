/** Serves rows of the table of admin routes, for callers who may come in, and refuses what fits none of them. */
import type { ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context, Hono } from 'hono'
import type { Clock } from '../../base/clock.ts'
import { GatewayError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { SharedStoreAway, StoreError } from '../../base/store-error.ts'
import { ClientLeft } from '../../relay/body-reader.ts'
import { Exchange } from '../../relay/exchange.ts'
import { errorResponse } from '../error-response.ts'
import { requestIdOf } from '../request-id.ts'
import type { AdminParts } from './admin-parts.ts'
import type { AdminAnswer, AdminBytes, AdminRoute } from './admin-route.ts'
import { addressOf } from './caller-address.ts'
import { hasBody, isBare, isLarge, jsonBody, queryOf } from './request-input.ts'

export interface AdminEnv {
  Bindings: HttpBindings
}

type AdminContext = Context<AdminEnv>

/** How long an operator may take to take any more of a large answer, which is kept in memory meanwhile. */
const readerMsMax = 30_000

export function serveRoutes(app: Hono<AdminEnv>, routes: readonly AdminRoute[], parts: AdminParts): void {
  for (const route of routes) app.on(route.method, route.path, (c) => answer(route, c, parts))
  for (const path of new Set(routes.map((route) => route.path))) {
    const methods = routes.filter((route) => route.path === path).map(({ method }) => method)
    app.all(path, (c) => refuseMethod(methods, c, parts))
  }
  app.notFound((c) => refuse(c, new GatewayError('not_found', 'There is no such path on this listener.'), parts))
  app.onError((error, c) => {
    if (error instanceof ClientLeft) return RESPONSE_ALREADY_SENT
    return refuse(c, told(error, c, parts.log), parts)
  })
}

async function answer(route: AdminRoute, c: AdminContext, parts: AdminParts): Promise<Response> {
  const { incoming } = c.env
  if (route.body === null && isLarge(incoming))
    throw new GatewayError('request_too_large', `${c.req.method} takes no body here.`)
  const query = queryOf(c.req.url)
  const body = await bodyOf(route, c.env, parts)
  const actor = `admin-api ${addressOf(incoming)}`
  const { accept } = incoming.headers
  const id = c.req.param('id') ?? ''
  const result = await route.run({ id, query, body, accept, actor }, parts)
  return 'pieces' in result
    ? send(result, c.env.outgoing, { status: route.status, clock: parts.clock })
    : responseOf(result, route.status)
}

async function bodyOf(
  route: AdminRoute,
  { incoming, outgoing }: HttpBindings,
  { clock }: AdminParts,
): Promise<unknown> {
  if (route.body === null) return undefined
  return route.isBodyOptional && isBare(incoming) ? {} : jsonBody(incoming, outgoing, clock)
}

/**
 * A piece in each turn at most, as its reader takes them: two megabytes at once would hold up every stream. Not by way of a
 * Response, which would copy them.
 */
async function send(
  { pieces, contentType }: AdminBytes,
  outgoing: ServerResponse,
  { status, clock }: { status: number; clock: Clock },
): Promise<Response> {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  outgoing.writeHead(status, { 'content-type': contentType, 'content-length': length })
  for (const piece of pieces.slice(0, -1)) {
    if (!outgoing.write(piece)) await drained(outgoing, clock)
    await nextTurn()
    if (outgoing.destroyed) return RESPONSE_ALREADY_SENT
  }
  outgoing.end(pieces.at(-1))
  return RESPONSE_ALREADY_SENT
}

/** Or its reader is gone, as one is taken to be that takes nothing for so long. */
function drained(outgoing: ServerResponse, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const patience = clock.after(readerMsMax, () => outgoing.destroy())
  outgoing.once('drain', resolve).once('close', resolve)
  return promise.finally(() => {
    patience.cancel()
    outgoing.off('drain', resolve).off('close', resolve)
  })
}

function responseOf(result: Exclude<AdminAnswer, AdminBytes>, status: number): Response {
  return 'json' in result
    ? Response.json(result.json, { status })
    : new Response(result.text, { status, headers: { 'content-type': result.contentType } })
}

function refuseMethod(methods: readonly AdminRoute['method'][], c: AdminContext, parts: AdminParts): Response {
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
  return refuse(c, new GatewayError('method_not_allowed', `This path takes ${allow}.`, { allow }), parts)
}

/** What a fault is for the caller; the operator finds more in the log. */
function told(error: Error, c: AdminContext, log: Log): GatewayError {
  if (error instanceof GatewayError) {
    const { status } = error.kind
    const { method } = c.req
    if (refusals.has(status))
      log('warn', 'admin request refused', { address: addressOf(c.env.incoming), method, status, code: error.code })
    return error
  }
  if (error instanceof SharedStoreAway) return new GatewayError('store_unavailable', error.message)
  if (error instanceof StoreError) {
    log('error', 'the admin API cannot use the store', { problem: error.message })
    return new GatewayError('store_unavailable', 'The records of the gateway cannot be used now; its log says why.')
  }
  log('error', 'a request failed inside the gateway', { error: error.message })
  return new GatewayError('internal_error', 'The gateway failed on this request.')
}

/** Of those who may not do what they asked for. */
const refusals: ReadonlySet<number> = new Set([401, 403, 421, 429])

/** Where a body is still to come, it is refused together with the answer. */
function refuse(c: AdminContext, error: GatewayError, { clock }: AdminParts): Response {
  const { incoming, outgoing } = c.env
  if (!hasBody(incoming) || incoming.complete) return errorResponse(error)
  new Exchange(incoming, outgoing, { clock, requestId: requestIdOf(outgoing) }).fail(error, false)
  return RESPONSE_ALREADY_SENT
}
