/** vLLM: continuous batching on GPUs. */
import { property } from '../../wire/json-value.ts'
import type { HostKind } from './host-kind.ts'
import { listEntries, readModelList, servedModelList } from './model-list.ts'
import { requireOk } from './probe-checks.ts'
import { gauge } from './prometheus-text.ts'

export const vllm: HostKind = {
  name: 'vllm',
  documentationOnly: true,
  slotsDefault: 16,
  slotsMax: 64,
  loadsOnDemand: false,
  onDisconnect: 'cancel',
  // Handlers of answers that are not streamed are `with_cancellation` (its entrypoints/utils.py), streams are cancelled anyway.
  finishesAbandoned: 'never',
  overlong: 'refuses_both',
  lacks: new Set<string>(),

  /**
   * `/version` gives {"version": …}, and `owned_by` of a model defaults to "vllm" (ModelCard in vLLM's
   * entrypoints/openai protocol); either alone is found elsewhere too.
   */
  async recognises(get) {
    if (typeof property((await get('/version')).json, 'version') !== 'string') return false
    const models = listEntries(await get('/v1/models'), 'data') ?? []
    return models.some((model) => property(model, 'owned_by') === 'vllm')
  },

  async probe(get) {
    // 200 with an empty body; 503 once the engine behind the server has died, which it does not come back from.
    requireOk(await get('/health'), '/health')
    return readModelList(await get('/v1/models'), servedModelList)
  },

  /** Open without a key; one series of each for every engine behind the server. */
  async signals(get) {
    const { status, text } = await get('/metrics')
    if (status !== 200) return {}
    return {
      running: gauge(text, 'vllm:num_requests_running'),
      queued: gauge(text, 'vllm:num_requests_waiting'),
      cacheUsedRatio:
        gauge(text, 'vllm:kv_cache_usage_perc', 'largest') ?? gauge(text, 'vllm:gpu_cache_usage_perc', 'largest'),
    }
  },
}
