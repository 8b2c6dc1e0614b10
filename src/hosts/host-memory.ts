/** The memory of one host for models: how they come into it there, and who is told of what becomes of them. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { LoadEvents } from './events.ts'
import type { HostKind } from './kinds/host-kind.ts'
import { type LoadsBy, ModelMemory } from './model-memory.ts'

export interface LoadSettings {
  /** Opens its admin API. */
  readonly adminKey?: string | undefined
  /** The gateway may load and unload models there. */
  readonly allowModelLoads?: boolean | undefined
  /** Models that it can hold at once; default: what it says, else by its kind. */
  readonly modelsLoadedMax?: number | undefined
}

export interface HostMemoryParts {
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  readonly kind: () => HostKind | null
  readonly settings: () => LoadSettings
  readonly onChange: () => void
  readonly events: LoadEvents | undefined
}

export function memoryOf({ name: host, clock, log, kind, settings, onChange, events }: HostMemoryParts): ModelMemory {
  return new ModelMemory({
    clock,
    loadsBy: () => loadsBy(kind(), settings()),
    rules: () => kind()?.loadRules,
    modelsMax: () => settings().modelsLoadedMax,
    onChange,
    events: {
      loadBegan(model) {
        log('info', 'a host loads a model', { host, model })
        events?.loadBegan(host, model)
      },
      loadEnded(model, result, ms) {
        const level = result === 'ok' ? 'info' : 'warn'
        const message = result === 'ok' ? 'a host has loaded a model' : 'a host did not load a model'
        log(level, message, { host, model, result, seconds: Math.round(ms / 100) / 10 })
        events?.loadEnded(host, model, result, ms)
      },
      evicted(model) {
        log('info', 'a model left the memory of a host', { host, model })
        events?.evicted(host, model)
      },
    },
  })
}

/** By its admin API only where both were given: leave to do so, and the key to that API. */
function loadsBy(kind: HostKind | null, { allowModelLoads = false, adminKey = '' }: LoadSettings): LoadsBy | null {
  if (kind?.loadsOnDemand === true) return 'request'
  return allowModelLoads && adminKey !== '' && kind?.modelAdmin !== undefined ? 'admin' : null
}
