/** What became of one request in a simulation. */
import type { Arrival } from './workload.ts'

/** `lost`: hosts failed on it. `running` and `waiting`: so it was when the simulated time was over. */
export type Ending = 'done' | 'left' | 'refused' | 'lost' | 'running' | 'waiting'

export interface Ended {
  readonly arrival: Arrival
  readonly ending: Ending
  /** When it ended, or the simulated time was over. */
  readonly atMs: number
  /** Of the last attempt. */
  readonly grantedAtMs: number | null
  readonly firstTokenAtMs: number | null
  /** The host that had it last. */
  readonly host: string | null
  /** Tokens of its prompt that were read for it, by all of its attempts. */
  readonly read: number
  /** Tokens of its prompt that its last host had kept. */
  readonly cached: number
  readonly written: number
}

/** What a request was told of its wait, and what it was. */
export interface ToldWait {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly waitMs: number
}

export interface Run {
  readonly ended: readonly Ended[]
  readonly told: readonly ToldWait[]
  readonly durationMs: number
  readonly blockTokens: number
  /** Tokens of answers, by all hosts. */
  readonly written: number
  /** The largest gap in service between two keys that both wait; NaN where there is one key alone. */
  readonly gapMax: number
  /** What the line promises it to be at the most: all slots times the dearest request. */
  readonly gapBound: number
  readonly gapMean: number
  readonly jain: readonly number[]
  readonly hosts: number
  /** Of models, and the time of all hosts that they took; NaN where all models are always in memory. */
  readonly loads: number
  readonly loadingMs: number
  /** Requests whose model was put out while they were at work. */
  readonly killed: number
}
