/** Every path that clients reach, on one screen; those of the operator are in admin/routes.ts. */
import { Hono } from 'hono'
import type { ModelCatalog } from '../hosts/model-catalog.ts'
import { endpoints } from '../wire/endpoints.ts'
import { authenticate, type CallerEnv, refuseKeyInTarget } from './callers.ts'
import type { InferenceParts } from './direct-inference.ts'
import { notFound, onError } from './error-response.ts'
import { refuseOthers, route } from './methods.ts'
import { healthz, type Readiness, readyz } from './routes/health.ts'
import { inference } from './routes/inference.ts'
import { listModels, retrieveModel } from './routes/models.ts'
import { refuseStrayBody } from './stray-body.ts'

export type App = Hono<CallerEnv>

export interface DataParts extends Readiness, InferenceParts {
  readonly catalog: ModelCatalog
}

/** No middleware here may touch a response: the relayed ones are not Hono's. */
export function dataApp(parts: DataParts): App {
  const app: App = new Hono()
  app.use(refuseStrayBody)
  // Their listener takes most of these by itself (direct-routes.ts); what is written in another way comes here.
  for (const endpoint of endpoints) app.on('POST', endpoint.path, inference(endpoint, parts))
  // Those above ask by themselves, so that a refusal has its line in the log; of all else here a stranger learns nothing.
  app.use(refuseKeyInTarget)
  app.use('/v1/*', authenticate(parts.callers))
  for (const { path } of endpoints) refuseOthers(app, 'POST', path)
  route(app, 'GET', '/v1/models', listModels(parts.catalog))
  route(app, 'GET', '/v1/models/:id{.+}', retrieveModel(parts.catalog))
  route(app, 'GET', '/healthz', healthz)
  route(app, 'GET', '/readyz', readyz(parts))
  app.notFound(notFound)
  app.onError(onError(parts.log))
  return app
}
