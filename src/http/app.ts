/** Every path of both listeners, on one screen. */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ModelCatalog } from '../hosts/model-catalog.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Relay } from '../relay/relay.ts'
import { endpoints } from '../wire/endpoints.ts'
import { notFound, onError } from './error-response.ts'
import { route } from './methods.ts'
import { healthz, type Readiness, readyz } from './routes/health.ts'
import { inference } from './routes/inference.ts'
import { scrape } from './routes/metrics.ts'
import { listModels, retrieveModel } from './routes/models.ts'
import { refuseStrayBody } from './stray-body.ts'

export type App = Hono<{ Bindings: HttpBindings }>

export interface DataParts extends Readiness {
  readonly relay: Relay
  readonly catalog: ModelCatalog
  readonly clock: Clock
  readonly log: Log
}

/** What clients reach. No middleware here may touch a response: the relayed ones are not Hono's. */
export function dataApp(parts: DataParts): App {
  const app: App = new Hono()
  app.use(refuseStrayBody)
  for (const endpoint of endpoints) {
    route(app, 'POST', endpoint.path, inference(endpoint, parts.relay, parts.clock))
  }
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
