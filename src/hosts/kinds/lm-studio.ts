/** LM Studio: a desktop application and service that loads what a request names, if its user lets it. */
import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import type { HostKind, ProbeGet } from './host-kind.ts'
import { listEntries, modelsPerHostMax, openAiList, readModelList } from './model-list.ts'

export const lmStudio: HostKind = {
  name: 'lm-studio',
  documentationOnly: true,
  slotsDefault: 4,
  slotsMax: 8,
  loadsOnDemand: true,
  onDisconnect: 'cancel',
  // Its log says "Client disconnected. Stopping generation"; a prompt being processed is finished first (bug tracker, 1143).
  finishesAbandoned: 'never',
  // It answers an endpoint that it lacks with 200 and an error in the body (lmstudio-bug-tracker#618), so this must be complete.
  lacks: new Set<EndpointName>(['rerank', 'count_tokens', 'transcriptions', 'translations', 'speech']),

  async recognises(get) {
    return (await loadedModels(get)) !== null
  },

  /**
   * /v1/models lists what may be asked for: all that is installed, or only what is loaded where loading on demand is off
   * (lmstudio.ai/docs/app/api/headless). Its own API says which of them are loaded. None of the lists loads anything.
   */
  async probe(get) {
    const list = await get('/v1/models')
    const loaded = list.status === 200 ? await loadedModels(get) : null
    return readModelList(
      list,
      openAiList((model) => loaded?.has(property(model, 'id')) === true),
    )
  },
}

/** Names of the loaded models by LM Studio's own API, in its first form (0.3.6 on) or its second (0.4 on); null where it has neither. */
async function loadedModels(get: ProbeGet): Promise<ReadonlySet<unknown> | null> {
  // lmstudio.ai/docs/api/rest-api: "state" is "loaded" or "not-loaded".
  const first = listEntries(await get('/api/v0/models'), 'data')
  if (first?.every((model) => typeof property(model, 'state') === 'string') === true) {
    return namesWhere(first, 'id', (model) => property(model, 'state') === 'loaded')
  }
  // GET /api/v1/models has the name in "key", and one entry in "loaded_instances" for each time it is in memory.
  const second = listEntries(await get('/api/v1/models'), 'models')
  if (second?.every((model) => Array.isArray(property(model, 'loaded_instances'))) !== true) return null
  return namesWhere(second, 'key', (model) => hasEntries(property(model, 'loaded_instances')))
}

function namesWhere(
  models: readonly unknown[],
  member: 'id' | 'key',
  holds: (model: unknown) => boolean,
): ReadonlySet<unknown> {
  return new Set(
    models
      .filter(holds)
      .slice(0, modelsPerHostMax)
      .map((model) => property(model, member)),
  )
}

function hasEntries(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}
