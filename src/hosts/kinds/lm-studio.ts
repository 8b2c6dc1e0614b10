/** LM Studio: a desktop application and service that loads what a request names, if its user lets it. */
import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import { contextTokensFrom } from '../context-length.ts'
import type { HostKind, ProbeGet } from './host-kind.ts'
import { listEntries, modelsPerHostMax, openAiList, readModelList } from './model-list.ts'

export const lmStudio: HostKind = {
  name: 'lm-studio',
  documentationOnly: true,
  slotsDefault: 4,
  slotsMax: 8,
  loadsOnDemand: true,
  // One that was loaded on demand goes when the next one comes, whatever it is doing (bug tracker, 671); one that its user
  // loaded stays, but its list does not tell them apart.
  loadRules: { modelsMax: 1, growsBySight: false, tells: true, listsEarly: false },
  onDisconnect: 'cancel',
  // Its log says "Client disconnected. Stopping generation"; a prompt being processed is finished first (bug tracker, 1143).
  finishesAbandoned: 'never',
  // "Trying to keep the first … tokens when context the overflows" is an error; an answer ends where the context is full.
  overlong: 'refuses_prompt',
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
    const result = readModelList(
      list,
      openAiList(
        (model) => loaded?.has(property(model, 'id')) === true,
        (model) => loaded?.get(property(model, 'id')),
      ),
    )
    return loaded === null ? { ...result, toldResidency: false } : result
  },
}

/**
 * The loaded models by LM Studio's own API, in its first form (0.3.6 on) or its second (0.4 on), each with the context that it
 * was loaded with; null where it has neither.
 */
async function loadedModels(get: ProbeGet): Promise<ReadonlyMap<unknown, unknown> | null> {
  // lmstudio.ai/docs/api/rest-api: "state" is "loaded" or "not-loaded".
  const first = listEntries(await get('/api/v0/models'), 'data')
  if (first?.every((model) => typeof property(model, 'state') === 'string') === true) {
    const loaded = first.filter((model) => property(model, 'state') === 'loaded')
    return byName(loaded, 'id', (model) => property(model, 'loaded_context_length'))
  }
  // GET /api/v1/models has the name in "key", and one entry in "loaded_instances" for each time it is in memory.
  const second = listEntries(await get('/api/v1/models'), 'models')
  if (second?.every((model) => Array.isArray(property(model, 'loaded_instances'))) !== true) return null
  const loaded = second.filter((model) => instancesOf(model).length > 0)
  return byName(loaded, 'key', (model) => shortestContext(instancesOf(model)))
}

function byName(
  models: readonly unknown[],
  member: 'id' | 'key',
  contextOf: (model: unknown) => unknown,
): ReadonlyMap<unknown, unknown> {
  return new Map(models.slice(0, modelsPerHostMax).map((model) => [property(model, member), contextOf(model)]))
}

function instancesOf(model: unknown): readonly unknown[] {
  const instances = property(model, 'loaded_instances')
  return Array.isArray(instances) ? instances.slice(0, modelsPerHostMax) : []
}

/** Which of several instances a request meets is the server's affair. */
function shortestContext(instances: readonly unknown[]): number | undefined {
  const contexts = instances.map((one) => contextTokensFrom(property(property(one, 'config'), 'context_length')))
  const known = contexts.filter((context) => context !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}
