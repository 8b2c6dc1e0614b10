/** Opta LMX: MLX models on Apple silicon. */

import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import type { HostKind, ProbeAnswer, ProbeGet } from './host-kind.ts'
import { openAiList, readModelList } from './model-list.ts'
import { requireOk } from './probe-checks.ts'

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
  onDisconnect: 'cancel',
  // Its streams are cancelled and give their slot back at once, as captures show. An answer that is not streamed has a
  // handler that Starlette does not cancel. By its source the threads of its mlx-lm and GGUF backends run on even after
  // a stream, which nothing on the wire tells; the backend it prefers has no such thread.
  finishesAbandoned: 'whole',
  errorsInText: true,
  // It sets uvicorn's to 300 s (its main.py).
  keepAliveMs: 30_000,
  lacks: new Set<EndpointName>(['count_tokens', 'translations']),

  async recognises(get) {
    for (const path of discoveryPaths) {
      const answer = await get(path)
      if (property(answer.json, 'service') === 'opta-lmx') return true
      if (isShedding(answer)) return isHealthy(await get('/healthz'))
    }
    return false
  },

  async probe(get) {
    // Not /readyz: it says 503 while no model is loaded, and 200 for one that is still warming up.
    requireOk(await get('/healthz'), '/healthz')
    const list = await get('/v1/models')
    if (isShedding(list)) return { models: null, shedding: 'refuses requests because its memory is nearly full' }
    // Only loaded models are listed.
    const result = readModelList(
      list,
      openAiList(() => true),
    )
    return { ...result, running: await requestsRunning(get) }
  },
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
