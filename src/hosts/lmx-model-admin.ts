/** How an Opta LMX host loads and unloads models: by its admin API alone, never by a request for one. */
import { property } from '../wire/json-value.ts'
import type { AdminCall, LoadAnswer, ModelAdmin, ModelOnDisk, ProbeAnswer } from './kinds/host-kind.ts'

const bytesPerGb = 2 ** 30
/** More is a fault of the host. */
const modelsMax = 2_000
const nameCharsMax = 256
const word = /^[a-z_]{1,64}$/

export const lmxModelAdmin: ModelAdmin = {
  async onDisk(call) {
    const answer = await call({ method: 'GET', path: '/admin/models/available' })
    if (answer.status === 403) throw new Error('the host refused the admin key')
    if (answer.status !== 200 || !Array.isArray(answer.json)) {
      throw new Error(`answers GET /admin/models/available with ${answer.status} and no list`)
    }
    return answer.json.slice(0, modelsMax).flatMap(modelOf)
  },

  /** It loads up to its threshold, and sheds requests above it. */
  async headroom(call) {
    const { status, json } = await call({ method: 'GET', path: '/admin/memory' })
    const [total, used, percent] = ['total_unified_memory_gb', 'used_gb', 'threshold_percent'].map((name) => {
      const value = property(json, name)
      return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
    })
    if (status !== 200 || total == null || used == null || percent == null) return null
    return Math.max(0, (total * percent) / 100 - used) * bytesPerGb
  },

  /** Answered once it is loaded and was tried. What would have to be downloaded first is never confirmed. */
  async load(call, model) {
    const body = { model_id: model, auto_download: false }
    return loadAnswer(await call({ method: 'POST', path: '/admin/models/load', body, mayLoad: true }))
  },

  async running(call) {
    const { status, json } = await call({ method: 'GET', path: '/admin/health' })
    const running = property(json, 'in_flight_requests')
    return status === 200 && typeof running === 'number' && running >= 0 ? running : null
  },

  async unload(call: AdminCall, model: string) {
    const { status } = await call({ method: 'POST', path: '/admin/models/unload', body: { model_id: model } })
    // 404: it is out already.
    return status === 200 || status === 404 ? null : `the host did not unload "${model}" (${status})`
  },
}

function modelOf(entry: unknown): ModelOnDisk[] {
  const id = property(entry, 'repo_id')
  const bytes = property(entry, 'size_bytes')
  if (typeof id !== 'string' || id === '' || id.length > nameCharsMax || /\p{Cc}/u.test(id)) return []
  const isSize = typeof bytes === 'number' && Number.isFinite(bytes) && bytes > 0
  return [{ id, bytes: isSize ? bytes : null }]
}

function loadAnswer({ status, json }: ProbeAnswer): LoadAnswer {
  const code = property(property(json, 'error'), 'code')
  const said = typeof code === 'string' && word.test(code) ? ` (${code})` : ''
  switch (status) {
    case 200:
      return { kind: 'ok' }
    case 202:
      return { kind: 'refused', problem: 'it is not on the disk of the host, and the gateway downloads nothing' }
    case 403:
      return {
        kind: 'refused',
        problem:
          code === 'downloads_disabled'
            ? 'it is not on the disk of the host, which downloads nothing'
            : 'the host refused the admin key',
      }
    case 507:
      return { kind: 'no_room', problem: 'the host has not enough memory for it' }
    case 400:
    case 404:
    case 409:
    case 422:
      return { kind: 'refused', problem: `the host does not load it${said}` }
    default:
      return { kind: 'failed', problem: `the host failed to load it (${status})` }
  }
}
