/** The one record of what a request used, and the port that takes it. */
import type { TokenCounts, TokenSources, UsageSource } from './usage.ts'

export interface UsageRecord {
  /** Made by the gateway, never twice; the client's own request id may repeat. */
  readonly id: string
  readonly requestId: string
  /** Name of the caller's key. */
  readonly key: string
  readonly endpoint: string
  /** The name the client asked for where it is a known one, else null. */
  readonly model: string | null
  /** Name of the host of the last attempt; null when there was none. */
  readonly host: string | null
  readonly tokens: TokenCounts
  /** Where `tokens` come from. An answer that nobody counted has none, which is not the same as zero. */
  readonly usageSource: UsageSource
  readonly sources: TokenSources
  /** What the client got; 499 when it left first. */
  readonly status: number
  /** Who ended it and in which phase (relay/outcome.ts). */
  readonly end: string
  /** Wall-clock milliseconds since the epoch. */
  readonly endedAtMs: number
  readonly durationMs: number
}

/** Takes each record once, at the end of its request; it must neither throw nor wait. */
export type UsageSink = (record: UsageRecord) => void
