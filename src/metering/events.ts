/** What `observe/` reads of the live counters, at scrape time. */

/** Counters of one (model, host, key); they only ever grow. */
export interface TokenTotals {
  readonly model: string
  readonly host: string
  readonly key: string
  readonly input: number
  readonly cachedInput: number
  readonly output: number
  readonly reasoning: number
  /** Answers whose usage, or a part of it, could not be believed. */
  readonly usageRejected: number
  /** Frames that were no JSON. */
  readonly badFrames: number
}

/** Seconds of streams in each phase of one (model, host), added up to now. */
export interface PhaseTotals {
  readonly model: string
  readonly host: string
  readonly prefillSeconds: number
  readonly decodeSeconds: number
  readonly busySeconds: number
}

/** How the ledger is written. */
export interface LedgerState {
  /** Rows that are to be written. */
  readonly pendingRows: number
  readonly lostRows: number
  /** Batches that could not be written. */
  readonly errors: number
  /** Why the last one could not; null when it could. */
  readonly problem: string | null
}
