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
  // As many as fit (OLLAMA_MAX_LOADED_MODELS, its docs/faq), which only its list shows. A runner that is still being loaded
  // stands in /api/ps already: `PsHandler` gives it an `expires_at` for want of one (its server/routes.go).
  loadRules: { modelsMax: 1, growsBySight: true, tells: true, listsEarly: true },
  onDisconnect: 'cancel',
  // "If you abort the request Ollama will stop generation" (a maintainer, issue 2876); a prompt is finished first (11889).
  finishesAbandoned: 'never',
  // It drops the oldest messages until the prompt fits (chatPrompt in its server/prompt.go).
  overlong: 'trims',
  lacks: new Set<EndpointName>(['rerank', 'count_tokens']),

  /** /api/version alone is also had by front ends such as Open WebUI. */
  async recognises(get) {
    if (typeof property((await get('/api/version')).json, 'version') !== 'string') return false
    return listEntries(await get('/api/tags'), 'models') !== null
  },

  /** Three plain lists; /api/show and everything that takes a model's name is left alone, as it may load. */
  async probe(get) {
    requireOk(await get('/api/version'), '/api/version')
    const running = runningModels(await get('/api/ps'))
    const list = readModelList(await get('/api/tags'), {
      path: '/api/tags',
      member: 'models',
      id: 'name',
      resident: (model) => running?.has(property(model, 'name')) === true,
      // What it was loaded with, which is less than the model could have: OLLAMA_CONTEXT_LENGTH, or 4096 on a small machine.
      contextTokens: (model) => running?.get(property(model, 'name')),
      // Ollama's cloud models are listed among the installed ones but leave the local network (`remote_host`).
      offered: (model) => !property(model, 'remote_host'),
    })
    return running === null ? { ...list, toldResidency: false } : list
  },
}

/** Their contexts by name; null where the list fails. */
function runningModels(answer: ProbeAnswer): ReadonlyMap<unknown, unknown> | null {
  const running = listEntries(answer, 'models')?.slice(0, modelsPerHostMax)
  if (running === undefined) return null
  return new Map(running.map((model) => [property(model, 'name'), property(model, 'context_length')]))
}
