/** mlx_lm.server of mlx-lm (its mlx_lm/server.py): one model at a time, swapped for the one that a request names. */
import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import type { HostKind, ProbeAnswer } from './host-kind.ts'
import { listEntries, openAiList, readModelList } from './model-list.ts'
import { requireOk, serverHeader } from './probe-checks.ts'

export const mlxLm: HostKind = {
  name: 'mlx-lm',
  documentationOnly: true,
  slotsDefault: 1,
  slotsMax: 1,
  loadsOnDemand: true,
  loadRules: { modelsMax: 1, growsBySight: false, tells: false, listsEarly: false },
  // A stream whose client goes away ends the whole process with a BrokenPipeError (reported in its issue 677).
  onDisconnect: 'drain',
  // Its generating thread learns of a stop from the request's handler alone, which does not tell it of a lost client.
  finishesAbandoned: 'always',
  // It has no bound of its own: what is too long is computed, badly or until the memory is full.
  overlong: 'refuses_prompt',
  // do_POST knows chat and text completions alone; newer forks add responses and messages, so those are left to the host.
  lacks: new Set<EndpointName>(['embeddings', 'rerank', 'count_tokens', 'transcriptions', 'translations', 'speech']),

  /** It has no mark of its own: Python's http.server answers {"status": "ok"}, and its models have no owner. */
  async recognises(get) {
    const health = await get('/health')
    if (!isPythonHttpServer(health) || property(health.json, 'status') !== 'ok') return false
    const models = listEntries(await get('/v1/models'), 'data')
    return models !== null && models.every((model) => property(model, 'owned_by') === undefined)
  },

  async probe(get) {
    requireOk(await get('/health'), '/health')
    // The list is of what is in the download cache, and nothing says which of it is in memory.
    const list = readModelList(
      await get('/v1/models'),
      openAiList(() => false),
    )
    return { ...list, toldResidency: false }
  },
}

/** BaseHTTPRequestHandler sends `Server: BaseHTTP/0.6 Python/3.12.1` (Python's Lib/http/server.py). */
function isPythonHttpServer(answer: ProbeAnswer): boolean {
  return serverHeader(answer).startsWith('BaseHTTP/')
}
