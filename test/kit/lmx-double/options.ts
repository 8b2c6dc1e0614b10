/** What a double can be told when it starts. */
import type { Clock } from '../../../src/base/clock.ts'
import type { FaultPlan } from './faults.ts'
import type { OnTokens } from './journal.ts'

/** How long an answer takes. A speed of 0 means at once; everything at 0 is the default, so tests wait for nothing. */
export interface CostModel {
  /** Fixed part of the time to the first token, in milliseconds. */
  ttftMs: number
  prefillTokensPerSecond: number
  /** One prompt is read after the other, as engines do; else each as if it were alone. */
  readsInTurn: boolean
  /** Speed of one stream alone. */
  decodeTokensPerSecond: number
  /** β of t_step(n) = t1 · (1 + β(n−1)), where n streams decode at once. */
  batchSlowdown: number
  /** Tokens in one engine chunk, LMX's `stream_interval`. */
  tokensPerChunk: number
  /** Each step varies by up to this share of itself, from a generator seeded with `seed`. */
  jitter: number
}

/** What the engine sees of a request. */
export interface PromptView {
  readonly model: string
  readonly lastUserText: string
  readonly body: Readonly<Record<string, unknown>>
}

export interface LmxDoubleOptions {
  host?: string
  /** 0, the default, takes a free port. */
  port?: number
  /** Loaded models. */
  models?: readonly string[]
  /** Models on its disk, with their size, which it may be told to load; any name may be where it is absent. */
  onDisk?: Readonly<Record<string, { gigabytes: number }>>
  /** Loads end when the test says so (`LoadedModels.endLoads`); at once unless said. */
  holdLoads?: boolean
  /** `security.downloads_enabled`: what is not on the disk is offered for download. */
  downloadsEnabled?: boolean
  /** Names that resolve to loaded models, as LMX's configured aliases do. */
  aliases?: Readonly<Record<string, readonly string[]>>
  /** Serves `/v1/embeddings`; null answers 503 as a host without one does. */
  embeddingModel?: string | null
  /** What its admin API says of the context of each model; nothing by default, as where LMX found no configuration of it. */
  contextLength?: number | null
  rerankModel?: string | null
  /** The advertised limit. */
  slots?: number
  /** The limit that really holds; LMX lowers it silently. Default: the advertised one. */
  effectiveSlots?: number
  slotWaitMs?: number
  inferenceTimeoutMs?: number
  keepAliveMs?: number
  heartbeatMs?: number
  cost?: Partial<CostModel>
  /** Messages at the beginning of a prompt that were read before take no time again; never told in `usage`, as LMX has it. */
  keepsPrefixes?: boolean
  seed?: number
  /** Words of an answer to a request without `max_tokens`. */
  answerTokens?: number
  /** Chunks of the engine for a request, in place of the words `w0 w1 …`; null for those words. */
  reply?: (prompt: PromptView) => readonly string[] | null
  /** Answers with the last user text. */
  echo?: boolean
  /** Inference key; without it requests get 401. */
  requireKey?: string
  requireAdminKey?: string
  faults?: FaultPlan
  memory?: { totalGb?: number; usedGb?: number }
  /** The name in discovery's `instance_id`. */
  hostname?: string
  journalMax?: number
  onTokens?: OnTokens
  clock?: Clock
}

export const instantCost: CostModel = {
  ttftMs: 0,
  prefillTokensPerSecond: 0,
  readsInTurn: false,
  decodeTokensPerSecond: 0,
  batchSlowdown: 0,
  tokensPerChunk: 1,
  jitter: 0,
}

export const defaultModel = 'org/stub-a'
/** LMX's own default for a request that names no limit; also the most the double's engine makes unasked. */
export const maxTokensUnasked = 2048
