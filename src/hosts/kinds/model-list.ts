/** Reads the model lists of hosts: what came over the wire becomes a bounded list of well-formed models, or a reason why not. */
import { type JsonObject, property } from '../../wire/json-value.ts'
import { contextTokensFrom } from '../context-length.ts'
import type { HostModel, ProbeAnswer, ProbeResult } from './host-kind.ts'
import { requireKeyTaken, requireReached } from './probe-checks.ts'

/** Models taken from one host; every name is kept, listed and may become a metric label, so a faulty host must not bring millions. */
export const modelsPerHostMax = 2_000
/** Longest name taken; it goes into headers, labels and log lines. Hub names have at most 96 characters, file paths more. */
export const modelIdCharsMax = 256

/** How a kind writes its list. */
export interface ListForm {
  readonly path: string
  /** Where the array is. */
  readonly member: 'data' | 'models'
  /** The member of an entry that requests use as `model`. */
  readonly id: 'id' | 'name' | 'key'
  readonly resident: (entry: JsonObject) => boolean
  /** What it says of the model's context, whatever that is; nothing when absent. */
  readonly contextTokens?: (entry: JsonObject) => unknown
  /** Entries that are listed but must not be offered; all are when absent. */
  readonly offered?: (entry: JsonObject) => boolean
}

/** The form that all of them share: `GET /v1/models` as OpenAI documents it. */
export function openAiList(
  resident: (entry: JsonObject) => boolean,
  contextTokens?: (entry: JsonObject) => unknown,
): ListForm {
  return { path: '/v1/models', member: 'data', id: 'id', resident, ...(contextTokens && { contextTokens }) }
}

/** Of servers that hold one model at a time and say how long its context is. */
export const servedModelList = openAiList(
  () => true,
  (model) => property(model, 'max_model_len'),
)

/** Throws when the host refuses the key or cannot be reached; any other failure is told in the result. */
export function readModelList(answer: ProbeAnswer, form: ListForm): ProbeResult {
  const { path } = form
  requireKeyTaken(answer, path)
  requireReached(answer, path)
  if (answer.status === 503) return { models: null, shedding: `answers GET ${path} with 503` }
  if (answer.status !== 200) return { models: null, listProblem: `answers GET ${path} with ${answer.status}` }
  const entries = listEntries(answer, form.member)
  if (entries === null) return { models: null, listProblem: `gives something other than a model list at GET ${path}` }
  return readEntries(entries, form)
}

/** The entries of a list as they came, or null when the answer is not a list. */
export function listEntries(answer: ProbeAnswer, member: 'data' | 'models' | 'loaded'): readonly unknown[] | null {
  if (answer.status !== 200) return null
  const entries: unknown = property(answer.json, member)
  return Array.isArray(entries) ? entries : null
}

function readEntries(entries: readonly unknown[], form: ListForm): ProbeResult {
  const named = entries.filter((entry): entry is JsonObject => nameOf(property(entry, form.id)) !== null)
  if (named.length === 0 && entries.length > 0) {
    return { models: null, listProblem: `gives a list without one usable name at GET ${form.path}` }
  }
  const models = new Map<string, HostModel>()
  for (const entry of named) {
    const id = nameOf(property(entry, form.id))
    if (id === null || models.has(id) || form.offered?.(entry) === false) continue
    if (models.size === modelsPerHostMax) {
      return {
        models: [...models.values()],
        listProblem: `lists more than ${modelsPerHostMax} models; the rest is left out`,
      }
    }
    const contextTokens = contextTokensFrom(form.contextTokens?.(entry))
    const resident = form.resident(entry)
    models.set(id, { id, created: createdOf(entry), ownedBy: ownerOf(entry), resident, contextTokens })
  }
  return { models: [...models.values()] }
}

/** Null unless the text may stand in a header, a label and a log line. */
function nameOf(value: unknown): string | null {
  if (typeof value !== 'string' || value.length === 0 || value.length > modelIdCharsMax) return null
  return /\p{Cc}/u.test(value) || !value.isWellFormed() ? null : value
}

/** Unix seconds from OpenAI's `created` or Ollama's `modified_at`. */
function createdOf(entry: JsonObject): number | null {
  const created = property(entry, 'created')
  if (typeof created === 'number') return Number.isSafeInteger(created) && created >= 0 ? created : null
  const modifiedAt = property(entry, 'modified_at')
  const modifiedMs = typeof modifiedAt === 'string' ? Date.parse(modifiedAt) : Number.NaN
  return modifiedMs >= 0 ? Math.floor(modifiedMs / 1000) : null
}

function ownerOf(entry: JsonObject): string | null {
  return nameOf(property(entry, 'owned_by'))
}
