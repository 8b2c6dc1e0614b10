/** Every route of the admin listener. */
import { z } from 'zod'
import { type AdminRoute, nothing, reads } from './admin-route.ts'
import { decisionRoutes } from './decision-routes.ts'
import { published } from './documented.ts'
import { fleetRoutes } from './fleet-routes.ts'
import { hostRoutes } from './host-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { lineRoutes } from './line-routes.ts'
import { metricsRoute } from './metrics-route.ts'
import { openApiDocument } from './open-api.ts'
import { replicaRoutes } from './replica-routes.ts'
import { requestRoutes } from './request-routes.ts'
import { usageRoutes } from './usage-routes.ts'

/** All but that of metrics, which is served without loading these. */
export const operatorRoutes: readonly AdminRoute[] = [
  ...keyRoutes,
  ...usageRoutes,
  ...lineRoutes,
  ...fleetRoutes,
  ...hostRoutes,
  ...replicaRoutes,
  ...requestRoutes,
  ...decisionRoutes,
  reads({
    path: '/admin/openapi.json',
    operation: 'readDocument',
    summary: 'This document.',
    query: nothing,
    answers: { 'application/json': published('OpenApiDocument', z.looseObject({})) },
    handle: (_call, { version }) => ({ json: openApiDocument(adminRoutes, version) }),
  }),
]

export const adminRoutes: readonly AdminRoute[] = [metricsRoute, ...operatorRoutes]
