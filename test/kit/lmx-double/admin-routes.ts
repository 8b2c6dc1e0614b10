/** Health, discovery and `/admin`. */
import { eventStream } from './answer.ts'
import type { Call } from './call.ts'
import { header } from './call.ts'
import { detailError, openAiError } from './errors.ts'
import type { DoubleHost, HostEvent } from './host.ts'
import { textAnswer } from './other-routes.ts'
import { isObject } from './prompt.ts'
import { PyFloat, spacedJson } from './python-json.ts'
import { ChunkedBody, sendJson } from './reply.ts'

const version = '0.1.0'
const thresholdPercent = 90
const bytesPerGb = 2 ** 30

export function healthz(call: Call): void {
  sendJson(call.context, 200, { status: 'ok', version })
}

/** Says only whether a model exists: 200 while full, warming, quarantined or shedding. */
export function readyz(call: Call): void {
  const loaded = call.host.models.ids.length
  if (loaded > 0) sendJson(call.context, 200, { status: 'ready', version, models_loaded: loaded })
  else sendJson(call.context, 503, { status: 'unavailable', reason: 'no models loaded' })
}

export function discovery(call: Call): void {
  const { host } = call
  const { options } = host
  const authority = `127.0.0.1:${host.port}`
  sendJson(call.context, 200, {
    schema_version: '2026-03-02',
    instance_id: `${options.hostname ?? 'lmx-double'}:${host.port}`,
    continuity: { event_resume_supported: true },
    service: 'opta-lmx',
    version,
    security_profile: 'lan',
    ready: host.models.ids.length > 0,
    loaded_models: host.models.ids,
    loaded_model_count: host.models.ids.length,
    in_flight_requests: host.gate.running,
    auth: {
      admin_key_required: options.requireAdminKey !== undefined,
      inference_key_required: options.requireKey !== undefined,
      supabase_jwt_enabled: false,
    },
    endpoints: {
      preferred_base_url: `http://${authority}`,
      base_urls: [`http://${authority}`, `http://localhost:${host.port}`],
      openai_base_url: `http://${authority}/v1`,
      admin_base_url: `http://${authority}/admin`,
      websocket_url: `ws://${authority}/v1/chat/stream`,
    },
    client_probe_order: ['/.well-known/opta-lmx', '/v1/discovery', '/healthz', '/v1/models'],
    hardware_summary: { chip: null, memory_gb: null, metal: false },
  })
}

/** The key goes into `X-Admin-Key` alone; only `/admin/events` also takes it from the query. */
export function adminKeyFits(call: Call): boolean {
  const { requireAdminKey } = call.host.options
  if (requireAdminKey === undefined) return true
  const inQuery = call.query.get('admin_key') ?? call.query.get('x_admin_key')
  const given = header(call, 'x-admin-key') ?? (call.path === '/admin/events' ? inQuery : null)
  if (given === requireAdminKey) return true
  detailError(call.context, 403, 'Invalid or missing admin key')
  return false
}

const rounded = (value: number, digits: number) => new PyFloat(Number(value.toFixed(digits)))

export function adminHealth(call: Call): void {
  const { host } = call
  const degraded = host.memoryPercent > 95
  sendJson(call.context, 200, {
    status: degraded ? 'degraded' : 'ok',
    version,
    reason: degraded ? `memory usage at ${host.memoryPercent.toFixed(1)}%` : null,
    memory_usage_percent: rounded(host.memoryPercent, 1),
    metal: null,
    helpers: {},
    models_loaded: host.models.ids.length,
    in_flight_requests: host.gate.running,
  })
}

export function adminStatus(call: Call): void {
  const { host } = call
  sendJson(call.context, 200, {
    version,
    uptime_seconds: rounded(host.uptimeSeconds, 1),
    loaded_models: host.models.ids.length,
    models: host.models.ids,
    memory: {
      total_gb: rounded(host.memoryTotalGb, 2),
      used_gb: rounded(host.memoryUsedGb, 2),
      available_gb: rounded(host.memoryTotalGb - host.memoryUsedGb, 2),
      usage_percent: rounded(host.memoryPercent, 1),
      threshold_percent: thresholdPercent,
    },
    in_flight_requests: host.gate.running,
    // The configured number, whatever limit is really in force.
    max_concurrent_requests: host.gate.advertised,
  })
}

export function adminMemory(call: Call): void {
  const { host } = call
  sendJson(call.context, 200, {
    total_unified_memory_gb: new PyFloat(host.memoryTotalGb),
    used_gb: new PyFloat(host.memoryUsedGb),
    available_gb: new PyFloat(host.memoryTotalGb - host.memoryUsedGb),
    threshold_percent: thresholdPercent,
    models: Object.fromEntries(host.models.ids.map((id) => [id, { memory_gb: 0, loaded: true }])),
  })
}

export function adminModels(call: Call): void {
  const loaded = call.host.models.all.map((model) => ({
    id: model.id,
    loaded: true,
    memory_gb: new PyFloat(0),
    loaded_at: new PyFloat(model.loadedAtMs / 1000),
    use_batching: true,
    request_count: model.requestCount,
    last_used_at: new PyFloat(model.lastUsedAtMs / 1000),
    context_length: call.host.options.contextLength ?? null,
    performance: {},
    speculative: {
      requested: false,
      active: false,
      reason: 'not_requested',
      draft_model: null,
      num_tokens: null,
      telemetry: 'unavailable',
    },
    readiness: { state: 'routable', reason: null, crash_count: 0 },
  }))
  sendJson(call.context, 200, { loaded, count: loaded.length })
}

/** A bare array, whether the models are loaded or not. */
export function availableModels(call: Call): void {
  const { onDisk = {} } = call.host.options
  const listed = Object.entries(onDisk).map(([id, { gigabytes }]) => ({
    repo_id: id,
    local_path: `/models/${id}`,
    size_bytes: Math.round(gigabytes * bytesPerGb),
    downloaded_at: new PyFloat(call.host.startedMs / 1000),
  }))
  sendJson(call.context, 200, listed)
}

/** Answered when it is loaded; several at once take what the others leave. */
export async function loadModel(call: Call): Promise<void> {
  const id = modelIdOf(call)
  if (id === null) return
  const { models, options } = call.host
  models.ordered.push(id)
  const already = models.has(id)
  const size = options.onDisk === undefined ? { gigabytes: 0 } : options.onDisk[id]
  if (size === undefined && !already) return notOnDisk(call, id)
  const { gigabytes = 0 } = already ? {} : (size ?? {})
  if (call.host.memoryUsedGb + gigabytes > (call.host.memoryTotalGb * thresholdPercent) / 100) return noMemory(call, id)
  call.host.memoryUsedGb += gigabytes
  if (options.holdLoads === true && !already) await models.held()
  models.load(id)
  const fresh = { memory_after_load_gb: new PyFloat(call.host.memoryUsedGb), time_to_load_ms: new PyFloat(1) }
  const known = { memory_after_load_gb: null, time_to_load_ms: null }
  sendJson(call.context, 200, { success: true, model_id: id, ...(already ? known : fresh) })
}

/** Off by default; else a token is given out by which the download can be confirmed. */
function notOnDisk(call: Call, id: string): void {
  if (call.host.options.downloadsEnabled !== true) {
    const message = 'Model downloads are disabled by security.downloads_enabled'
    openAiError(call.context, 403, { message, type: 'invalid_request_error', code: 'downloads_disabled' })
    return
  }
  sendJson(call.context, 202, {
    status: 'download_required',
    model_id: id,
    confirmation_token: 'dl-double',
    confirm_url: '/admin/models/load/confirm',
  })
}

function noMemory(call: Call, id: string): void {
  const message = `Insufficient memory to load '${id}'`
  openAiError(call.context, 507, { message, type: 'insufficient_memory', code: 'insufficient_memory' })
}

export function unloadModel(call: Call): void {
  const id = modelIdOf(call)
  if (id === null) return
  if (!call.host.models.has(id)) {
    const message = `Model '${id}' is not loaded`
    return openAiError(call.context, 404, {
      message,
      type: 'invalid_request_error',
      param: 'model_id',
      code: 'model_not_found',
    })
  }
  call.host.models.unloaded.push(id)
  call.host.models.unload(id)
  call.host.memoryUsedGb -= call.host.options.onDisk?.[id]?.gigabytes ?? 0
  sendJson(call.context, 200, { success: true, model_id: id, memory_freed_gb: new PyFloat(0) })
}

function modelIdOf(call: Call): string | null {
  let body: unknown
  try {
    body = JSON.parse(call.body.toString('utf8'))
  } catch {
    body = {}
  }
  if (isObject(body) && typeof body['model_id'] === 'string') return body['model_id']
  detailError(call.context, 422, [{ type: 'missing', loc: ['body', 'model_id'], msg: 'Field required', input: body }])
  return null
}

export function metricsText(call: Call): void {
  const { host } = call
  const text = host.metrics.text({
    uptimeSeconds: host.uptimeSeconds,
    loadedModels: host.models.ids.length,
    memoryUsedGb: host.memoryUsedGb,
    memoryTotalGb: host.memoryTotalGb,
    inFlight: host.gate.running,
    limit: host.gate.advertised,
    queued: host.gate.waiting,
  })
  textAnswer(call, 'text/plain; version=0.0.4; charset=utf-8', text)
}

export function metricsJson(call: Call): void {
  const { host } = call
  sendJson(call.context, 200, host.metrics.summary(Number(host.uptimeSeconds.toFixed(1))))
}

/** Not even the headers go out before the first event or heartbeat. */
export function events(call: Call): void {
  const { host, response } = call
  let body: ChunkedBody | undefined
  const send = (event: HostEvent) => {
    body ??= new ChunkedBody(call.context, { type: eventStream })
    body.textFrame(`event: ${event.type}\ndata: ${spacedJson(event.data)}\n\n`)
    restart()
  }
  let beat = heartbeat(host, send)
  const restart = () => {
    beat.cancel()
    beat = heartbeat(host, send)
  }
  host.subscribers.add(send)
  response.once('close', () => {
    beat.cancel()
    host.subscribers.delete(send)
  })
}

const heartbeatMsDefault = 30_000

function heartbeat(host: DoubleHost, send: (event: HostEvent) => void) {
  return host.clock.after(host.options.heartbeatMs ?? heartbeatMsDefault, () => {
    send({ type: 'heartbeat', data: { timestamp: host.clock.wallMs() / 1000 } })
  })
}
