/** The state of one simulated host, which all of its routes share. */

import type { Clock } from '../../../src/base/clock.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { FaultBoard } from './faults.ts'
import type { EngineState, Generation } from './generation.ts'
import { Journal } from './journal.ts'
import { LoadedModels } from './models.ts'
import type { LmxDoubleOptions } from './options.ts'
import { defaultModel, instantCost } from './options.ts'
import { PrefixCache } from './prefix-cache.ts'
import { RequestMetrics } from './request-metrics.ts'
import { SlotGate } from './slots.ts'

export interface HostEvent {
  type: string
  data: unknown
}

export class DoubleHost {
  readonly options: LmxDoubleOptions
  readonly clock: Clock
  readonly startedMs: number
  readonly models: LoadedModels
  readonly faults: FaultBoard
  readonly journal: Journal
  readonly gate: SlotGate
  readonly engine: EngineState
  readonly metrics = new RequestMetrics()
  /** Subscribers of `/admin/events`. */
  readonly subscribers = new Set<(event: HostEvent) => void>()
  /** Answers under way. */
  readonly generations = new Set<Generation>()
  /** Null where each prompt is read anew. */
  readonly prefixes: PrefixCache | null
  memoryTotalGb: number
  memoryUsedGb: number
  port = 0

  constructor(options: LmxDoubleOptions) {
    const clock = options.clock ?? systemClock
    this.options = options
    this.clock = clock
    this.startedMs = clock.now()
    this.models = new LoadedModels(options.models ?? [defaultModel], options.aliases ?? {}, clock)
    this.models.onChange = (type, id) => this.publish({ type, data: { model_id: id } })
    this.faults = new FaultBoard(options.faults)
    this.journal = new Journal(options.journalMax ?? 1_000, clock, options.onTokens)
    this.prefixes = options.keepsPrefixes === true ? new PrefixCache() : null
    this.memoryTotalGb = options.memory?.totalGb ?? 512
    this.memoryUsedGb = options.memory?.usedGb ?? 172
    const advertised = options.slots ?? 4
    const effective = options.effectiveSlots ?? advertised
    this.gate = new SlotGate({ advertised, effective, waitMs: options.slotWaitMs ?? 30_000, clock })
    this.engine = {
      clock,
      gate: this.gate,
      cost: { ...instantCost, ...options.cost },
      inferenceTimeoutMs: options.inferenceTimeoutMs ?? 300_000,
      random: seeded(options.seed ?? 1),
      decoding: 0,
      readsUntilMs: 0,
    }
  }

  get uptimeSeconds(): number {
    return (this.clock.now() - this.startedMs) / 1000
  }

  get memoryPercent(): number {
    return (this.memoryUsedGb / this.memoryTotalGb) * 100
  }

  publish(event: HostEvent): void {
    for (const subscriber of this.subscribers) subscriber(event)
  }
}

/** mulberry32: small, and the same everywhere for one seed. */
function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
