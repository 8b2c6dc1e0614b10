/** The row of the table that needs no schemas: a scrape loads none. */
import { GatewayError } from '../../base/errors.ts'
import { formatOf } from '../../observe/exposition.ts'
import type { AdminRoute } from './admin-route.ts'

export const metricsRoute: AdminRoute = {
  path: '/metrics',
  method: 'GET',
  role: 'scraper',
  operation: 'readMetrics',
  summary: 'All metrics, as Prometheus reads them.',
  // A scraper may be told to send parameters, which mean nothing here.
  query: null,
  body: null,
  isBodyOptional: false,
  answers: { 'text/plain': null, 'application/openmetrics-text': null },
  refusals: ['not_found'],
  status: 200,
  run: async ({ accept }, { metrics }) => {
    if (metrics === null) throw new GatewayError('not_found', 'Metrics are off: metrics.enabled is false.')
    return metrics.render(formatOf(accept))
  },
}
