/** llama-server of llama.cpp, with one model or as a router before many (its tools/server/README.md). */
import { isObject, type JsonObject, property } from '../../wire/json-value.ts'
import type { HostKind, ProbeAnswer } from './host-kind.ts'
import { modelsPerHostMax, openAiList, readModelList } from './model-list.ts'
import { requireKeyTaken, requireOk, serverHeader } from './probe-checks.ts'
import { gauge } from './prometheus-text.ts'

/** More than this is a fault of the host, not a number of slots; the bound of the configured number too. */
const slotsReportedMax = 1_024

export const llamaCpp: HostKind = {
  name: 'llama-cpp',
  documentationOnly: true,
  // `--parallel` has been 1 and is now chosen by the server; /props tells it, except of a router. Its slots are a fixed
  // number for which it set memory aside, and more than these only wait in a line of its own.
  slotsDefault: 4,
  slotsMax: 4,
  // A router loads the model that a request names, and `--sleep-idle-seconds` unloads one until the next request.
  loadsOnDemand: true,
  // A router tells by `max_instances` how many it holds, and puts the one out that was used least lately, also while that
  // one generates (issue 21678).
  loadRules: { modelsMax: 1, growsBySight: false, tells: true, listsEarly: false },
  onDisconnect: 'cancel',
  // The reader of a task's results cancels it once the connection is closed, streamed or not (tools/server).
  finishesAbandoned: 'never',
  // 400 with `exceed_context_size_error`; an answer ends where the context of its slot is full.
  overlong: 'refuses_prompt',
  lacks: new Set<string>(),

  /** Every answer has the header (tools/server/server-http.cpp), 401 and 503 too, unless a proxy changes it. */
  async recognises(get) {
    const props = await get('/props')
    return serverHeader(props) === 'llama.cpp' || isObject(property(props.json, 'default_generation_settings'))
  },

  /** /health, /props and /v1/models neither wake a sleeping model nor reset its timer (README, "Sleeping on Idle"). */
  async probe(get) {
    const health = await get('/health')
    if (isLoading(health)) return { models: null, shedding: 'is still loading its model' }
    requireOk(health, '/health')
    // Never with ?model=, which makes a router load that model.
    const props = await get('/props')
    // The list is open to all and /props is not, so only here a wrong key shows.
    requireKeyTaken(props, '/props')
    const asleep = property(props.json, 'is_sleeping') === true
    const autoload = property(props.json, 'models_autoload') !== false
    const form = {
      ...openAiList(
        (model: JsonObject) => (routerStatus(model) ?? 'loaded') === 'loaded' && !asleep,
        (model: JsonObject) => contextOf(model, props),
      ),
      offered: (model: JsonObject) => isOffered(routerStatus(model), autoload),
    }
    return { ...readModelList(await get('/v1/models'), form), slots: slotsOf(props), modelsMax: modelsMaxOf(props) }
  },

  /**
   * Both are tasks for the thread that computes, and may wake it or keep it from sleep: they are asked only while it is at work
   * for us anyway. A router has neither without the name of a model, which would load that one.
   */
  async signals(get, { isBusy }) {
    if (!isBusy) return {}
    const metrics = await get('/metrics')
    if (metrics.status === 200) {
      return {
        running: gauge(metrics.text, 'llamacpp:requests_processing'),
        queued: gauge(metrics.text, 'llamacpp:requests_deferred'),
        cacheUsedRatio: gauge(metrics.text, 'llamacpp:kv_cache_usage_ratio'),
      }
    }
    const { status, json } = await get('/slots')
    if (status !== 200 || !Array.isArray(json)) return {}
    const slots = json.slice(0, slotsReportedMax)
    return { running: slots.filter((slot) => property(slot, 'is_processing') === true).length }
  },
}

/** Of one slot, as /props has it; of the models behind a router each has its own, which its arguments may tell. */
function contextOf(model: JsonObject, props: ProbeAnswer): unknown {
  if (routerStatus(model) === undefined) return property(property(props.json, 'default_generation_settings'), 'n_ctx')
  return undefined
}

/** "503 … Loading model" on every path until the model is there (README, "GET /health"). */
function isLoading(answer: ProbeAnswer): boolean {
  return answer.status === 503 && property(property(answer.json, 'error'), 'type') === 'unavailable_error'
}

/** Undefined where one server serves one model; README, "GET /models: List available models", has the values. */
function routerStatus(model: JsonObject): unknown {
  return property(property(model, 'status'), 'value')
}

/** A model that is being downloaded is not there yet; without `--models-autoload` only a loaded one is served. */
function isOffered(status: unknown, autoload: boolean): boolean {
  if (status === undefined || status === 'loaded' || status === 'sleeping') return true
  return autoload && status !== 'downloading'
}

function slotsOf(props: ProbeAnswer): number | undefined {
  const slots = property(props.json, 'total_slots')
  return typeof slots === 'number' && Number.isInteger(slots) && slots >= 1 && slots <= slotsReportedMax
    ? slots
    : undefined
}

/** Of a router: `--models-max`, where 0 is no bound. */
function modelsMaxOf(props: ProbeAnswer): number | undefined {
  const most = property(props.json, 'max_instances')
  if (typeof most !== 'number' || !Number.isInteger(most) || most < 0) return undefined
  return most === 0 ? modelsPerHostMax : most
}
