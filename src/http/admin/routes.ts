/** Every route of the admin listener. */
import { z } from 'zod'
import { GatewayError } from '../../base/errors.ts'
import { formatOf } from '../../observe/exposition.ts'
import { type AdminRoute, reads } from './admin-route.ts'
import { decisionRoutes } from './decision-routes.ts'
import { published } from './documented.ts'
import { fleetRoutes } from './fleet-routes.ts'
import { hostRoutes } from './host-routes.ts'
import { keyRoutes } from './key-routes.ts'
import { lineRoutes } from './line-routes.ts'
import { openApiDocument } from './open-api.ts'
import { nothing } from './request-input.ts'
import { requestRoutes } from './request-routes.ts'
import { usageRoutes } from './usage-routes.ts'

export const adminRoutes: readonly AdminRoute[] = [
  reads({
    path: '/metrics',
    role: 'scraper',
    operation: 'readMetrics',
    summary: 'All metrics, as Prometheus reads them.',
    // A scraper may be told to send parameters, which mean nothing here.
    query: z.looseObject({}),
    answers: { 'text/plain': null, 'application/openmetrics-text': null },
    refusals: ['not_found'],
    handle: async ({ accept }, { metrics }) => {
      if (metrics === null) throw new GatewayError('not_found', 'Metrics are off: metrics.enabled is false.')
      const { body, contentType } = await metrics.render(formatOf(accept))
      return { pieces: [body], contentType }
    },
  }),
  ...keyRoutes,
  ...usageRoutes,
  ...lineRoutes,
  ...fleetRoutes,
  ...hostRoutes,
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
