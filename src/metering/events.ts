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
  /** Of streams, the output that came behind each one's first piece: may be a fraction where a piece holds several tokens. */
  readonly decoded: number
  /** In which it came: between the first piece and the last, counted with each. */
  readonly decodedSeconds: number
  /** Of streams, the input that hosts computed: reported, and not from a cache. */
  readonly prefilled: number
  /** Between dispatch and first content of the same streams, counted with it. */
  readonly prefilledSeconds: number
  /** Output that nobody got: of attempts that were lost, and of answers that were kept back. */
  readonly discarded: number
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
  /** Of streams, since their first content. */
  readonly decodeSeconds: number
  /** Of answers that show nothing before they are whole. */
  readonly wholeSeconds: number
  /** In which at least one stream was decoding, or one such answer was made. */
  readonly busySeconds: number
  /** How many are in each phase now. */
  readonly running: Readonly<Record<'prefill' | 'decode' | 'whole', number>>
}

/** Of one host, whatever the model: the seconds of two models that are made at once are the same. */
export interface GeneratingTotals {
  readonly host: string
  /** Wall seconds in which at least one stream was decoding, or one whole answer was made. */
  readonly seconds: number
}

/** Upper edges in seconds of the classes in which gaps between pieces of content are counted; the last has none. */
export const gapEdgesSeconds = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.0125, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.125, 0.15, 0.2,
  0.3, 0.5, 1, 2, 5, 10, 30,
] as const

/** Of one gap in this many, on the average, the length is counted: the sum of a stream's gaps is known anyway. */
export const gapSampleEvery = 8

/** Gaps between the pieces of content of the streams of one (model, host). */
export interface GapTotals {
  readonly model: string
  readonly host: string
  /** Of a sample, by class: one more than there are edges. */
  readonly counts: ArrayLike<number>
  /** Of the same sample. */
  readonly sumSeconds: number
  /** All that were longer than a stream may stand still. */
  readonly stalls: number
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

/** How gateways of one fleet give each other their rows of the ledger. */
export interface HandOverState {
  /** Own rows that the others have yet to be given. */
  readonly waitingRows: number
  /** How long the oldest of these has waited; 0 where there is none. */
  readonly lagMs: number
  /** Since the start, as the two below. */
  readonly handedRows: number
  /** Of others. */
  readonly takenInRows: number
  /** Of others: they were gone before this gateway could take them in. */
  readonly missedRows: number
}
