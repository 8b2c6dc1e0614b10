/** What `observe/` is told of a host, and reads at scrape time. */

export type LimitDirection = 'up' | 'down'
/** Time per output token, time to the first token, a host that said it has no room, room for more. */
export type LimitReason = 'tpot' | 'ttft' | 'busy' | 'room'

export interface HostState {
  readonly name: string
  readonly up: boolean
  /** Live leases. */
  readonly inFlight: number
  /** Configured, or as learnt between the bounds of its kind or its configuration. */
  readonly slots: number
  /** Slots that may be used now: fewer than `slots` after a return or a busy answer. */
  readonly limit: number
  /** Its requests failed one after the other: it gets none, or one a second where it is needed all the same. */
  readonly ejected: boolean
  /** By an operator. */
  readonly paused: boolean
  /** Models in the last list; 0 while none was read. */
  readonly models: number
  /** Those of a lower one are filled before. */
  readonly tier: number
  /** It takes no new requests and goes when those it has are over. */
  readonly draining: boolean
  /** What it last said of itself; null where it says nothing. */
  readonly telemetry: HostTelemetry | null
}

/** Hints, each null where the host does not tell. */
export interface HostTelemetry {
  /** Since the host was asked. */
  readonly ageMs: number
  /** Of its memory, from 0 to 1. */
  readonly memoryUsedRatio: number | null
  /** Of what it keeps for prompts and answers under way, from 0 to 1. */
  readonly cacheUsedRatio: number | null
  /** Requests that wait at the host itself. */
  readonly queued: number | null
}

/** One model at one host, by its name there. */
export interface ModelAtHost {
  readonly host: string
  readonly model: string
  /** Null where the host has all of its models in memory at any time. */
  readonly residency: Residency | null
  /** Prompt and answer together; null where it is not known. */
  readonly contextTokensMax: number | null
}

/** In memory, on its way there, or neither. */
export type Residency = 'resident' | 'loading' | 'absent'

/** How loading a model ended: it is there; the host could not; it did not want to (for want of memory, or by its own rules); nobody knows, since it took too long or the host went. */
export const loadResults = ['ok', 'failed', 'refused', 'lost'] as const
export type LoadResult = (typeof loadResults)[number]

export interface LoadEvents {
  /** The gateway has a host load a model: by its admin API, or by a request for it. `model`: its name there. */
  loadBegan(host: string, model: string): void
  loadEnded(host: string, model: string, result: LoadResult, ms: number): void
  /** A model left the memory of its host, at the gateway's wish or at the host's own. */
  evicted(host: string, model: string): void
}
