/** The port of the ledger: one row per admitted request, and what is asked of all of them. */

import type { TokenSource } from './usage.ts'

/** What is known of a request when it is admitted. */
export interface AdmittedRequest {
  /** Made by the gateway, never twice: the primary key. */
  readonly id: string
  /** The client's own where it sent one; it may repeat. */
  readonly requestId: string
  /** Null for a client without a key. */
  readonly keyId: string | null
  readonly keyName: string
  readonly team: string | null
  readonly endpoint: string
  readonly model: string
  readonly stream: boolean
  /** Wall-clock milliseconds since the epoch. */
  readonly startedAtMs: number
}

/** What is known of it now, or at its end. */
export interface RequestFigures {
  readonly host: string | null
  readonly input: number
  readonly cachedInput: number
  readonly output: number
  readonly reasoning: number
  readonly inputSource: TokenSource
  readonly outputSource: TokenSource
  /** In 10^-9 of the currency of the prices; null where the model has none. */
  readonly costNanos: number | null
}

export interface SettledRequest extends RequestFigures {
  readonly endedAtMs: number
  readonly durationMs: number
  readonly queueWaitMs: number | null
  readonly ttftMs: number | null
  readonly attempts: number
  /** What the client got; 499 when it left first. */
  readonly status: number
  /** Who ended it and in which phase (relay/outcome.ts). */
  readonly end: string
  readonly errorCode: string | null
}

/** A row as far as it is known: admitted alone, with the figures so far, or settled. Written again, a later state wins and a settled row stays. */
export interface LedgerRow {
  readonly admitted: AdmittedRequest
  readonly figures: RequestFigures | null
  readonly settled: SettledRequest | null
}

/** What the data path tells the ledger: it neither throws nor waits. */
export interface RequestLedger {
  /** `progress` is asked for checkpoints until the request is settled. */
  admitted(request: AdmittedRequest, progress: () => RequestFigures): void
  settled(id: string, request: SettledRequest): void
}

export const usageGroups = ['key', 'team', 'model', 'host', 'day'] as const
export type UsageGroup = (typeof usageGroups)[number]

export interface UsageQuery {
  /** Columns to group by, in this order; none for one total. */
  readonly by: readonly UsageGroup[]
  /** By the time a request was admitted: from inclusive, to exclusive; null for no end. */
  readonly fromMs: number | null
  readonly toMs: number | null
  /** Ids or names of keys, and names; null for all. */
  readonly key: string | null
  readonly team: string | null
  readonly model: string | null
  readonly host: string | null
  /** IANA name of the zone whose calendar days count. */
  readonly timeZone: string
  /** Most groups of the answer; more reject with TooManyUsageRows. */
  readonly rowsMax?: number
}

/** A report of so many rows would hold up what else the process does. */
export class TooManyUsageRows extends Error {
  override readonly name = 'TooManyUsageRows'
}

export interface UsageSum {
  /** A value for each column of `by`; null where a request has none (no team, no host). Keys by the last of their names. */
  readonly group: Readonly<Partial<Record<UsageGroup, string | null>>>
  /** Of a group by key: two may have had one name. Null for clients without a key. */
  readonly keyId?: string | null
  readonly requests: number
  /** Of them: ended with an error or left. */
  readonly failed: number
  /** Of them: not ended, or of a gateway that died. */
  readonly unfinished: number
  readonly input: number
  readonly cachedInput: number
  readonly output: number
  readonly reasoning: number
  /** Of `input` and `output`: not reported by a host, but counted or estimated. */
  readonly inputUnreported: number
  readonly outputUnreported: number
  readonly costNanos: number
}

/** What requests have used, for limits that must hold across a restart. */
export interface Charge {
  readonly keyId: string | null
  readonly team: string | null
  readonly startedAtMs: number
  readonly requests: number
  readonly input: number
  readonly cachedInput: number
  readonly output: number
}

/** A month begins no later than any of its days. */
export interface CalendarStarts {
  readonly dayMs: number
  readonly monthMs: number
}

export interface CalendarTotals {
  readonly day: readonly Charge[]
  readonly month: readonly Charge[]
}

export interface LedgerStore {
  /** All of them or none; rejects with StoreError. */
  write(rows: readonly LedgerRow[]): Promise<void>
  usage(query: UsageQuery): Promise<readonly UsageSum[]>
  /** One row each for requests admitted since then. */
  charges(sinceMs: number): Promise<readonly Charge[]>
  /** The same since this day and this month began, summed by key and team. */
  totals(since: CalendarStarts): Promise<CalendarTotals>
  /** Removes settled rows admitted before then; resolves with their number. */
  prune(beforeMs: number): Promise<number>
}
