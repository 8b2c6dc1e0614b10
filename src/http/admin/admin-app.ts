/** The admin listener: every request passes the same checks, in one place and in one order, before its route is looked for. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { type Context, Hono } from 'hono'
import { keyInTarget } from '../../access/credentials.ts'
import { GatewayError } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { StoreError } from '../../base/store-error.ts'
import { ClientLeft } from '../../relay/body-reader.ts'
import { Exchange } from '../../relay/exchange.ts'
import { canonicalAddress } from '../client-address.ts'
import { errorResponse } from '../error-response.ts'
import { requestIdOf } from '../request-id.ts'
import type { AdminParts } from './admin-parts.ts'
import type { AdminAnswer, AdminBytes, AdminRoute } from './admin-route.ts'
import { CallerRules } from './caller-rules.ts'
import { OperatorCheck, type Role } from './operator.ts'
import { hasBody, isBare, isLarge, jsonBody, queryOf } from './request-input.ts'
import { adminRoutes } from './routes.ts'

interface AdminEnv {
  Bindings: HttpBindings
}

type AdminContext = Context<AdminEnv>

/** On every answer of the listener: nothing of it is kept, framed, run or taken for something else. */
export const adminHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Nothing here is open but for what its row in the table says. */
export function adminApp(parts: AdminParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()
  const rules = new CallerRules(parts.bind, parts.hostNames)
  const operator = new OperatorCheck(parts)
  app.use(async (c, next) => {
    const { incoming } = c.env
    const problem = rules.problem(headOf(incoming))
    if (problem !== null) throw problem
    operator.require(roleOf(c.req.path), incoming.headers.authorization, addressOf(incoming))
    const misplaced = keyInTarget(incoming.url ?? '', { alsoNamed: false })
    if (misplaced !== null) throw misplaced
    await next()
  })
  for (const route of adminRoutes) app.on(route.method, route.path, (c) => answer(route, c, parts))
  for (const path of new Set(adminRoutes.map((route) => route.path))) app.all(path, (c) => refuseMethod(path, c, parts))
  app.notFound((c) => refuse(c, new GatewayError('not_found', 'There is no such path on this listener.'), parts))
  app.onError((error, c) => {
    if (error instanceof ClientLeft) return RESPONSE_ALREADY_SENT
    return refuse(c, told(error, c, parts.log), parts)
  })
  return app
}

function headOf({ url = '', headers, socket }: IncomingMessage) {
  const { host, origin } = headers
  return { target: url, host, origin, secFetchSite: headers['sec-fetch-site'], localAddress: socket.localAddress }
}

/** Of the connection: what a header says of it counts for nothing here. */
function addressOf({ socket }: IncomingMessage): string {
  return canonicalAddress(socket.remoteAddress ?? '') ?? 'unknown'
}

/** What is in no row is the operator's, too: to others it does not even say that it is not there. */
function roleOf(path: string): Role {
  return adminRoutes.find((route) => route.path === path)?.role ?? 'operator'
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
  return 'pieces' in result ? send(result, c.env.outgoing, route.status) : responseOf(result, route.status)
}

async function bodyOf(
  route: AdminRoute,
  { incoming, outgoing }: HttpBindings,
  { clock }: AdminParts,
): Promise<unknown> {
  if (route.body === null) return undefined
  return route.isBodyOptional && isBare(incoming) ? {} : jsonBody(incoming, outgoing, clock)
}

/** Not by way of a Response, which would copy it: twenty readers of two megabytes may be answered in one turn. */
function send({ pieces, contentType }: AdminBytes, outgoing: ServerResponse, status: number): Response {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  outgoing.writeHead(status, { 'content-type': contentType, 'content-length': length })
  for (const piece of pieces) outgoing.write(piece)
  outgoing.end()
  return RESPONSE_ALREADY_SENT
}

function responseOf(result: Exclude<AdminAnswer, AdminBytes>, status: number): Response {
  return 'json' in result
    ? Response.json(result.json, { status })
    : new Response(result.text, { status, headers: { 'content-type': result.contentType } })
}

function refuseMethod(path: string, c: AdminContext, parts: AdminParts): Response {
  const methods = adminRoutes.filter((route) => route.path === path).map(({ method }) => method)
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
