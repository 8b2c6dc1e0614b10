/** The admin listener: every request passes the same checks, in one place and in one order, before its route is looked for. */
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import { keyInTarget } from '../../access/credentials.ts'
import { loadedOnce } from '../../base/loaded-once.ts'
import type { AdminParts } from './admin-parts.ts'
import { addressOf } from './caller-address.ts'
import { CallerRules } from './caller-rules.ts'
import { metricsRoute } from './metrics-route.ts'
import { OperatorCheck } from './operator.ts'
import { type AdminEnv, serveRoutes } from './served-routes.ts'

/**
 * Nothing here is open but for what its row in the table says. All rows but that of metrics are loaded when the first
 * operator asks: they and their schemas are a third of what a start would load, and no stranger can have it done.
 */
export function adminApp(parts: AdminParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()
  const rules = new CallerRules(parts.bind, parts.hostNames)
  const operator = new OperatorCheck(parts)
  app.use(async (c, next) => {
    const { incoming } = c.env
    const problem = rules.problem(headOf(incoming))
    if (problem !== null) throw problem
    // What is in no row is the operator's, too: to others it does not even say that it is not there.
    const role = c.req.path === metricsRoute.path ? metricsRoute.role : 'operator'
    operator.require(role, incoming.headers.authorization, addressOf(incoming))
    const misplaced = keyInTarget(incoming.url ?? '', { alsoNamed: false })
    if (misplaced !== null) throw misplaced
    await next()
  })
  serveRoutes(app, [metricsRoute], parts)
  const rest = loadedOnce(() => loadedRest(parts))
  app.all('*', async (c) => (await rest()).fetch(c.req.raw, c.env))
  return app
}

async function loadedRest(parts: AdminParts): Promise<Hono<AdminEnv>> {
  // First what takes longest, so that no single turn of the event loop has all of it.
  await import('zod')
  const { operatorApp } = await import('./operator-app.ts')
  return operatorApp(parts)
}

function headOf({ url = '', headers, socket }: IncomingMessage) {
  const { host, origin } = headers
  return { target: url, host, origin, secFetchSite: headers['sec-fetch-site'], localAddress: socket.localAddress }
}
