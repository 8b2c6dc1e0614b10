/** Which handler answers which path, and what unknown paths, wrong methods and trailing slashes get. */
import * as admin from './admin-routes.ts'
import type { Call, Handler } from './call.ts'
import { chatCompletions } from './chat-route.ts'
import { completions } from './completions-route.ts'
import { detailError } from './errors.ts'
import { messages } from './messages-route.ts'
import { embeddings, listModels, oneModel, rerank, speech, transcriptions } from './other-routes.ts'
import { ChunkedBody, sendBody } from './reply.ts'
import { responses } from './responses-route.ts'

interface Route {
  method: 'GET' | 'POST'
  handler: Handler
}

const get = (handler: Handler): Route => ({ method: 'GET', handler })
const post = (handler: Handler): Route => ({ method: 'POST', handler })

const routes: Readonly<Record<string, Route>> = {
  '/v1/chat/completions': post(chatCompletions),
  '/v1/completions': post(completions),
  '/v1/responses': post(responses),
  '/v1/messages': post(messages),
  '/v1/models': get(listModels),
  '/v1/embeddings': post(embeddings),
  '/v1/rerank': post(rerank),
  '/v1/audio/transcriptions': post(transcriptions),
  '/v1/audio/speech': post(speech),
  '/v1/discovery': get(admin.discovery),
  '/.well-known/opta-lmx': get(admin.discovery),
  '/healthz': get(admin.healthz),
  '/readyz': get(admin.readyz),
  '/admin/health': get(guarded(admin.adminHealth)),
  '/admin/status': get(guarded(admin.adminStatus)),
  '/admin/memory': get(guarded(admin.adminMemory)),
  '/admin/models': get(guarded(admin.adminModels)),
  '/admin/models/available': get(guarded(admin.availableModels)),
  '/admin/models/load': post(guarded(admin.loadModel)),
  '/admin/models/unload': post(guarded(admin.unloadModel)),
  '/admin/metrics': get(guarded(admin.metricsText)),
  '/admin/metrics/json': get(guarded(admin.metricsJson)),
  '/admin/events': get(guarded(admin.events)),
}

const oneModelPath = /^\/v1\/models\/[^/]+$/
const keptWhileShedding = new Set(['/healthz', '/readyz', '/admin/health'])

export function isInference(method: string | undefined, path: string): boolean {
  return method === 'POST' && path.startsWith('/v1/') && Object.hasOwn(routes, path)
}

export async function answer(call: Call): Promise<void> {
  const { method } = call.request
  const { path, host } = call
  if (host.faults.standing.shedding === true && !keptWhileShedding.has(path)) return shed(call)
  if (method === 'OPTIONS' && call.request.headers['access-control-request-method'] !== undefined)
    return preflight(call)
  const route = routeOf(path)
  if (route === undefined) {
    if (path.endsWith('/') && routeOf(path.slice(0, -1)) !== undefined) return redirect(call)
    return detailError(call.context, 404, 'Not Found')
  }
  if (method !== route.method) return sendBody(call.context, { ...methodNotAllowed, extra: [['allow', route.method]] })
  await route.handler(call)
}

const methodNotAllowed = { status: 405, type: 'application/json', body: '{"detail":"Method Not Allowed"}' }

function routeOf(path: string): Route | undefined {
  if (Object.hasOwn(routes, path)) return routes[path]
  return oneModelPath.test(path) ? get(oneModel) : undefined
}

function guarded(handler: Handler): Handler {
  return (call) => (admin.adminKeyFits(call) ? handler(call) : undefined)
}

function shed(call: Call): void {
  call.host.journal.ended(call.entry, 'fault')
  const body = new ChunkedBody(call.context, { status: 503, type: 'application/json', extra: [['retry-after', '30']] })
  body.frame('{"error": {"message": "Server under memory pressure", "type": "server_error", "code": "overloaded"}}')
  body.end()
}

function preflight(call: Call): void {
  const asked = call.request.headers['access-control-request-headers']
  sendBody(
    { ...call.context, requestId: null },
    {
      status: 200,
      type: 'text/plain; charset=utf-8',
      body: 'OK',
      extra: [
        ['access-control-allow-methods', 'DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT'],
        ['access-control-max-age', '600'],
        ['access-control-allow-origin', '*'],
        ...(asked === undefined ? [] : [['access-control-allow-headers', asked] as const]),
      ],
    },
  )
}

function redirect(call: Call): void {
  const location = `http://${call.request.headers.host ?? `127.0.0.1:${call.host.port}`}${call.path.slice(0, -1)}`
  sendBody(call.context, { status: 307, body: '', extra: [['location', location]] })
}
