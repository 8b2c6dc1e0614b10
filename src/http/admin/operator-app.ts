/** All that the admin listener does for operators, for callers who passed its checks. */
import { Hono } from 'hono'
import type { AdminParts } from './admin-parts.ts'
import { operatorRoutes } from './routes.ts'
import { type AdminEnv, serveRoutes } from './served-routes.ts'

export function operatorApp(parts: AdminParts): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>()
  serveRoutes(app, operatorRoutes, parts)
  return app
}
