/** What the generator is told and tells. Times are in nanoseconds of the clock that all processes of a machine share. */

export interface Address {
  /** http://127.0.0.1:port */
  readonly url: string
  readonly key: string | null
  /** Asks to be told how fast each answer was. */
  readonly receipts: boolean
}

/** So many streams at once; they begin spread over `withinMs` and have `tokens` each. */
export interface StreamsOrder extends Address {
  readonly streams: number
  readonly tokens: number
  readonly withinMs: number
}

/** Requests that are sent when they are due, however slowly the others are answered. */
export interface OpenLoopOrder extends Address {
  readonly kind: 'stream' | 'request'
  readonly perSecond: number
  readonly schedule: 'poisson' | 'fixed'
  readonly forMs: number
  /** Of each stream. */
  readonly tokens: number
  readonly seed: number
  /** Of the request. */
  readonly bodyBytes: number
}

/** The next request of each client is sent when the last one was answered: for ceilings and for warming up. */
export interface ClosedLoopOrder extends Address {
  readonly kind: 'stream' | 'request'
  readonly requests: number
  readonly clients: number
  readonly tokens: number
  readonly bodyBytes: number
}

/** One request at a time, in turn to the one and the other. */
export interface PairsOrder {
  readonly one: Address
  readonly other: Address
  readonly kind: 'stream' | 'request'
  readonly pairs: number
  readonly tokens: number
}

export type LoadOrder =
  | ({ readonly ask: 'open streams' } & StreamsOrder)
  | { readonly ask: 'window'; readonly ms: number }
  /** Streams that leave at once; all that are left are awaited where `share` is null. */
  | { readonly ask: 'end streams'; readonly leave: number | null }
  | ({ readonly ask: 'open loop' } & OpenLoopOrder)
  | ({ readonly ask: 'closed loop' } & ClosedLoopOrder)
  | ({ readonly ask: 'pairs' } & PairsOrder)

/** Of one distribution, in ns; zeros where nothing was recorded. */
export interface Delays {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
  /** By tenths of a millisecond, the last one of all beyond: where it has peaks. */
  readonly tenths: readonly number[]
}

/** What arrived in a stretch of time. */
export interface Arrivals {
  readonly tookMs: number
  readonly tokens: number
  /** Whole answers and streams that ended as they should. */
  readonly answers: number
  /** Reads of sockets that had tokens in them. */
  readonly reads: number
  /** From the stamp in an event to its arrival. */
  readonly oneWay: Delays
  /** Between two events of one stream. */
  readonly gap: Delays
  /** From the moment at which a request was due to its first content; to the whole of an answer that is no stream. */
  readonly first: Delays
  /** From the moment at which a request was due to its being sent. */
  readonly late: Delays
  /** What went wrong, by its words; nothing of it may happen in a measurement. */
  readonly failures: Readonly<Record<string, number>>
}

/** Of pairs: each side apart. */
export interface PairArrivals {
  readonly one: Delays
  readonly other: Delays
  readonly failures: Readonly<Record<string, number>>
}
