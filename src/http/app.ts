/** Every path of both listeners, on one screen. */
import { Hono } from 'hono'
import type { Log } from '../base/log.ts'
import type { ModelCatalog } from '../hosts/model-catalog.ts'
import type { Metrics } from '../observe/metrics.ts'
import { endpoints } from '../wire/endpoints.ts'
import { authenticate, type CallerEnv } from './callers.ts'
import { notFound, onError } from './error-response.ts'
import { route } from './methods.ts'
import { healthz, type Readiness, readyz } from './routes/health.ts'
import { type InferenceParts, inference } from './routes/inference.ts'
import { scrape } from './routes/metrics.ts'
import { listModels, retrieveModel } from './routes/models.ts'
import { refuseStrayBody } from './stray-body.ts'

export type App = Hono<CallerEnv>

export interface DataParts extends Readiness, InferenceParts {
  readonly catalog: ModelCatalog
  readonly log: Log
}

/** What clients reach. No middleware here may touch a response: the relayed ones are not Hono's. */
export function dataApp(parts: DataParts): App {
  const app: App = new Hono()
  app.use(refuseStrayBody)
  for (const endpoint of endpoints) {
    route(app, 'POST', endpoint.path, inference(endpoint, parts))
  }
  app.use('/v1/models', authenticate(parts.callers))
  app.use('/v1/models/*', authenticate(parts.callers))
  route(app, 'GET', '/v1/models', listModels(parts.catalog))
  route(app, 'GET', '/v1/models/:id{.+}', retrieveModel(parts.catalog))
  route(app, 'GET', '/healthz', healthz)
  route(app, 'GET', '/readyz', readyz(parts))
  app.notFound(notFound)
  app.onError(onError(parts.log))
  return app
}

export interface AdminParts {
  readonly metrics: Metrics
  readonly log: Log
  /** Null where only this machine can reach the listener. */
  readonly metricsToken: string | null
}

/** What the operator and Prometheus reach. */
export function adminApp(parts: AdminParts): App {
  const app: App = new Hono()
  app.use(refuseStrayBody)
  route(app, 'GET', '/metrics', scrape(parts.metrics, parts.metricsToken))
  app.notFound(notFound)
  app.onError(onError(parts.log))
  return app
}
