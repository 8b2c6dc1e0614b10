/** Opta LMX: MLX models on Apple silicon. */
import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import { lmxModelAdmin } from '../lmx-model-admin.ts'
import type { HostKind, ProbeAnswer, ProbeGet } from './host-kind.ts'
import { listEntries, modelsPerHostMax, openAiList, readModelList } from './model-list.ts'
import { requireOk } from './probe-checks.ts'
import { gauge } from './prometheus-text.ts'

/** The same document under two paths, both open without a key. */
const discoveryPaths = ['/.well-known/opta-lmx', '/v1/discovery'] as const

export const lmx: HostKind = {
  name: 'lmx',
  documentationOnly: false,
  // It has 4, or 2 in its stable profile, and quietly takes some away under load; what waits should wait in our line.
  slotsDefault: 2,
  // Its own number unless it was told another: more would wait in its line, which is not fair and gives up after 30 s.
  slotsMax: 4,
  // A model that is not loaded is a 404; loading is an administrator's business.
  loadsOnDemand: false,
  // Several at once, as far as its memory goes; it unloads the one that was used least lately when that is full.
  loadRules: { modelsMax: 1, growsBySight: false, tells: true, listsEarly: true },
  modelAdmin: lmxModelAdmin,
  onDisconnect: 'cancel',
  // Its streams are cancelled and give their slot back at once, as captures show. An answer that is not streamed has a
  // handler that Starlette does not cancel. By its source the threads of its mlx-lm and GGUF backends run on even after
  // a stream, which nothing on the wire tells; the backend it prefers has no such thread.
  finishesAbandoned: 'whole',
  errorsInText: true,
  // It sets uvicorn's to 300 s (its main.py).
  keepAliveMs: 30_000,
  overlong: 'trims_by_characters',
  lacks: new Set<EndpointName>(['count_tokens', 'translations']),

  async recognises(get) {
    for (const path of discoveryPaths) {
      const answer = await get(path)
      if (property(answer.json, 'service') === 'opta-lmx') return true
      if (isShedding(answer)) return isHealthy(await get('/healthz'))
    }
    return false
  },

  async probe(get, { hasAdminKey } = { hasAdminKey: false, isBusy: false }) {
    // Not /readyz: it says 503 while no model is loaded, and 200 for one that is still warming up.
    requireOk(await get('/healthz'), '/healthz')
    const list = await get('/v1/models')
    if (isShedding(list)) return { models: null, shedding: 'refuses requests because its memory is nearly full' }
    const contexts = hasAdminKey ? await contextsOfLoaded(get) : new Map<unknown, unknown>()
    // Only loaded models are listed.
    const result = readModelList(
      list,
      openAiList(
        () => true,
        (model) => contexts.get(property(model, 'id')),
      ),
    )
    return { ...result, running: await requestsRunning(get) }
  },

  /** Its exposition does not escape what clients call themselves, so that of it only series without labels are read. */
  async signals(get, { hasAdminKey }) {
    if (!hasAdminKey) return {}
    const { status, text } = await get('/admin/metrics')
    if (status !== 200) return {}
    const [used, total] = [gauge(text, 'lmx_memory_used_gb'), gauge(text, 'lmx_memory_total_gb')]
    return {
      running: gauge(text, 'lmx_in_flight_requests'),
      queued: gauge(text, 'lmx_queued_requests'),
      memoryUsedRatio: used === undefined || total === undefined || total === 0 ? undefined : used / total,
    }
  },
}

/** Empty where the host refuses the admin key or has no such list: that is no reason to give it no work. */
async function contextsOfLoaded(get: ProbeGet): Promise<ReadonlyMap<unknown, unknown>> {
  const answer = await get('/admin/models').catch(() => null)
  const loaded = answer === null ? null : listEntries(answer, 'loaded')
  const models = (loaded ?? []).slice(0, modelsPerHostMax)
  return new Map(models.map((model) => [property(model, 'id'), property(model, 'context_length')]))
}

/** Those that hold one of its slots; who waits for one is not counted. */
async function requestsRunning(get: ProbeGet): Promise<number | undefined> {
  const running = property((await get(discoveryPaths[0])).json, 'in_flight_requests')
  return typeof running === 'number' && Number.isSafeInteger(running) && running >= 0 ? running : undefined
}

/** From 95 % of memory on, every path but the health checks is answered so, discovery and the model list too. */
function isShedding(answer: ProbeAnswer): boolean {
  return answer.status === 503 && property(property(answer.json, 'error'), 'code') === 'overloaded'
}

function isHealthy(answer: ProbeAnswer): boolean {
  return property(answer.json, 'status') === 'ok' && typeof property(answer.json, 'version') === 'string'
}
