/** Ollama (its docs/api.md): loads what a request names and unloads what is idle. */
import type { EndpointName } from '../../wire/endpoints.ts'
import { property } from '../../wire/json-value.ts'
import type { HostKind, ProbeAnswer } from './host-kind.ts'
import { listEntries, modelsPerHostMax, readModelList } from './model-list.ts'
import { requireOk } from './probe-checks.ts'

export const ollama: HostKind = {
  name: 'ollama',
  documentationOnly: true,
  // OLLAMA_NUM_PARALLEL is 1 unless set, and its own line cannot be seen from outside.
  slotsDefault: 1,
  slotsMax: 1,
  loadsOnDemand: true,
  onDisconnect: 'cancel',
  // "If you abort the request Ollama will stop generation" (a maintainer, issue 2876); a prompt is finished first (11889).
  finishesAbandoned: 'never',
  lacks: new Set<EndpointName>(['rerank', 'count_tokens']),

  /** /api/version alone is also had by front ends such as Open WebUI. */
  async recognises(get) {
    if (typeof property((await get('/api/version')).json, 'version') !== 'string') return false
    return listEntries(await get('/api/tags'), 'models') !== null
  },

  /** Three plain lists; /api/show and everything that takes a model's name is left alone, as it may load. */
  async probe(get) {
    requireOk(await get('/api/version'), '/api/version')
    const running = runningNames(await get('/api/ps'))
    return readModelList(await get('/api/tags'), {
      path: '/api/tags',
      member: 'models',
      id: 'name',
      resident: (model) => running.has(property(model, 'name')),
      // Ollama's cloud models are listed among the installed ones but leave the local network (`remote_host`).
      offered: (model) => !property(model, 'remote_host'),
    })
  },
}

/** Empty where the list fails: a request is then given the time to load. */
function runningNames(answer: ProbeAnswer): ReadonlySet<unknown> {
  const running = listEntries(answer, 'models') ?? []
  return new Set(running.slice(0, modelsPerHostMax).map((model) => property(model, 'name')))
}
