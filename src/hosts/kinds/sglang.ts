/** SGLang: continuous batching on GPUs, with a tree of cached prefixes. */
import { property } from '../../wire/json-value.ts'
import type { HostKind } from './host-kind.ts'
import { listEntries, readModelList, servedModelList } from './model-list.ts'
import { requireKeyTaken } from './probe-checks.ts'
import { gauge } from './prometheus-text.ts'

const listPath = '/v1/models'

export const sglang: HostKind = {
  name: 'sglang',
  documentationOnly: true,
  slotsDefault: 16,
  slotsMax: 64,
  loadsOnDemand: false,
  onDisconnect: 'cancel',
  // A request whose client went away is aborted, streamed or not (its tokenizer_manager asks is_disconnected while it waits).
  finishesAbandoned: 'never',
  overlong: 'refuses_both',
  lacks: new Set<string>(['transcriptions', 'translations', 'speech']),

  /** `owned_by` of a model is "sglang" (ModelCard in its srt/entrypoints/openai/protocol.py). */
  async recognises(get) {
    const models = listEntries(await get(listPath), 'data') ?? []
    return models.some((model) => property(model, 'owned_by') === 'sglang')
  },

  /** Not /health, which generates a token unless it was told not to; the list comes from the same process. */
  async probe(get) {
    const answer = await get(listPath)
    requireKeyTaken(answer, listPath)
    return readModelList(answer, servedModelList)
  },

  /** Where it was started with --enable-metrics. */
  async signals(get) {
    const { status, text } = await get('/metrics')
    if (status !== 200) return {}
    return {
      running: gauge(text, 'sglang:num_running_reqs'),
      queued: gauge(text, 'sglang:num_queue_reqs'),
      cacheUsedRatio: gauge(text, 'sglang:token_usage', 'largest'),
    }
  },
}
