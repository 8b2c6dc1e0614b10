/** What was used before, as the ledger of this gateway has it, which is that of all. */
import type { Limits } from './limits.ts'

/** Of a key by its id; null where there is none such any more. */
export type LimitsOf = (keyId: string) => { readonly name: string; readonly limits: Limits } | null
/** What the ledger says was used: of one request, or summed up. */
export interface PastUse {
  readonly keyId: string | null
  readonly team: string | null
  readonly startedAtMs: number
  readonly requests: number
  readonly input: number
  readonly cachedInput: number
  readonly output: number
}

export interface Past {
  /** One row for each request of the last minute. */
  readonly minute: readonly PastUse[]
  /** Sums since the day and the month began. */
  readonly day: readonly PastUse[]
  readonly month: readonly PastUse[]
}
