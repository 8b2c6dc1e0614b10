/** A path that exists answers other methods with 405 and says which it takes. */
import type { Env, Handler, Hono } from 'hono'
import { GatewayError } from '../base/errors.ts'
import { errorResponse, isAnthropicPath } from './error-response.ts'

/** Serves `path` for one method; Hono answers HEAD by the handler of GET. */
export function route<E extends Env>(app: Hono<E>, method: 'GET' | 'POST', path: string, handler: Handler<E>): void {
  app.on(method, path, handler)
  refuseOthers(app, method, path)
}

/** To be called behind what serves the one. */
export function refuseOthers<E extends Env>(app: Hono<E>, method: 'GET' | 'POST', path: string): void {
  const allow = method === 'GET' ? 'GET, HEAD' : 'POST'
  app.all(path, (c) =>
    errorResponse(
      new GatewayError('method_not_allowed', `This path takes ${allow}, not ${c.req.method}.`, { allow }),
      isAnthropicPath(c.req.path),
    ),
  )
}
