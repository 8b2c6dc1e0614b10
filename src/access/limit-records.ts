/**
 * An account as it is written down for others: in Redis, where several gateways charge it together, and by each that still
 * knows it when Redis has lost it. Times are milliseconds of the wall clock of Redis.
 */
import type { PeriodKind } from './calendar.ts'
import type { LimitName } from './limits.ts'

/** As text where it has a fraction: Redis writes 14 digits of a number. */
export type Exact = number | string

export interface ClaimRecord {
  readonly who: string
  readonly cost: number
  readonly level: Exact
  readonly from: Exact
  readonly due: Exact
  readonly back: Exact
  readonly lapses: Exact
}

export interface ClaimsRecord {
  readonly claim?: ClaimRecord
  /** When the next one may be made. */
  readonly next?: Exact
  /** Who may not, how often that was, and until when. */
  readonly barred?: readonly (readonly [string, number, Exact])[]
}

export interface WastesRecord {
  /** When each has paid. */
  readonly paid?: Readonly<Record<string, Exact>>
  readonly missed?: readonly [string, number]
  readonly other?: readonly [string, number]
}

export interface AllowanceRecord extends ClaimsRecord, WastesRecord {
  readonly limit: number
  readonly level: Exact
  readonly at: number
  /** Slot, amount and last time, three after three. */
  readonly slots?: readonly number[]
}

/** Label, end, requests and tokens; what else stands there is the store's. */
export type PeriodRecord = readonly [string, number, number, number, ...number[]]

export type LiveRecord = readonly [number, number]

export type PeriodRecords = Readonly<Partial<Record<PeriodKind, readonly PeriodRecord[]>>>

export interface AccountRecord extends PeriodRecords {
  readonly minute: Readonly<Partial<Record<LimitName, AllowanceRecord>>>
  /** Requests at once, by gateway: with those that wait, and those that run. */
  readonly live?: Readonly<Record<string, LiveRecord>>
}

/** What one request takes of one limit, or gives back. */
export interface MinuteChange {
  /** Whatever there is, of what it may draw: room, owed, and when that was. */
  take?: number
  /** What that came to by this gateway's own account. */
  taken?: number
  draw?: readonly [number, number, number]
  /** Amounts, and when they were taken. */
  give?: readonly (readonly [number, number])[]
  /** Reserved, needed, and held for so long. */
  ended?: readonly [number, number, number]
  /** Of many, taken while Redis was not there: what has not been refilled since, and slot, amount, last time of each. */
  owed?: number
  charged?: readonly (readonly [number, number, number])[]
}

/** Kind, label, end; requests and tokens more; 1 where the period may be new to Redis. */
export type PeriodChange = readonly [PeriodKind, string, number, number, number, 0 | 1]

export interface AccountChange {
  readonly who: string
  readonly minute: Readonly<Partial<Record<LimitName, MinuteChange>>>
  readonly periods: readonly PeriodChange[]
}
