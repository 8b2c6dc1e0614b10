/** The port through which several gateways charge the same limits, so that they never exceed them together. */
import type { AccountChange, AccountRecord, LiveRecord, PeriodRecords } from './limit-records.ts'
import type { LimitName, Limits } from './limits.ts'

export interface AccountWish {
  readonly kind: 'key' | 'team' | 'address'
  /** Of all of its kind. */
  readonly id: string
  readonly limits: Limits
  /** Requests at once of this gateway, whatever was said before; absent where they are not limited. */
  readonly live?: LiveRecord
  /** What this gateway knows of it, where it has not said so since Redis was emptied. */
  readonly seed?: AccountRecord
  /** The epoch of the store in which it knew that; absent where that is from a ledger. */
  readonly of?: string
  /** What the ledger of this gateway says was used of its day and its month, where others may know less. */
  readonly past?: PastTold
  /** Until its day and its month are over. */
  readonly kept: boolean
}

export interface PastTold extends PeriodRecords {
  /** It is of before this epoch of the store was over; absent where it is of all until now. */
  readonly of?: string
}

/** Label and end, by the wall clock. */
export type PeriodTold = readonly [string, number]

export interface AskWish {
  /** Of the batch, from 1 on: its own, and that of its team. */
  readonly accounts: readonly number[]
  readonly who: string
  /** Requests, prompt, answer. */
  readonly cost: readonly [number, number, number]
  readonly day: PeriodTold
  readonly month: PeriodTold
  /** It waits for its limits so long, where it must. */
  readonly patience: number
  /** The most urgent has the least number. */
  readonly class: number
  /** It does not wait yet. */
  readonly newcomer?: true
  /** 1: it waits, so that it is one of its account's requests at once already. */
  readonly placed?: 1
  /** It looks before the time that it was told, so that a refusal says nothing of it. */
  readonly looks?: true
}

export interface LimitBatch {
  /** Of the gateway. */
  readonly id: string
  /** One that is sent again is not done twice. */
  readonly seq: number
  readonly accounts: readonly AccountWish[]
  readonly changes: readonly (AccountChange & { readonly account: number })[]
  readonly asks: readonly AskWish[]
  /** Also in the first second of an epoch. */
  readonly tells?: true
}

/** What may be drawn (room, owed, since when), and what was taken. */
export type HeldTold = readonly [number | string, number | string, number, number]

export interface AskAnswer {
  /** By account of the ask: it was charged to all of them. */
  readonly held?: readonly Readonly<Partial<Record<LimitName, HeldTold>>>[]
  /** Of the limit that keeps it away for the longest, of that account of the ask, from 0 on. */
  readonly wait?: number
  readonly limit?: LimitName
  readonly cost?: number
  readonly account?: number
  /** Nobody was asked: another of its holder waits, and goes first. */
  readonly behind?: true
}

export interface LimitReply {
  /** By the clock of all. */
  readonly nowMs: number
  /** The store has another one when it was emptied. */
  readonly epoch: string
  /** By ask. */
  readonly answers: readonly AskAnswer[]
  /** By account: what it is now, where somebody asked for it. */
  readonly accounts: readonly (AccountRecord | null)[]
  /** Accounts of the batch, from 0 on, of which the store had something that nobody can read: they have begun anew. */
  readonly unreadable?: readonly number[]
}

/** Nothing of the batch was done, and it would not be if it came again: the message says why. */
export class NotCharged extends Error {
  override readonly name = 'NotCharged'
}

export interface LimitStore {
  /** What a request waits for it at the most. */
  readonly answerMsMax: number
  /**
   * All of it or nothing. Rejects within `answerMsMax` where nobody can tell, with NotCharged where it was not done; null
   * while nobody is granted anything.
   */
  charge(batch: LimitBatch, answerMsMax: number): Promise<LimitReply | null>
}

/** Who stands before the same hosts. */
export interface LimitFleet {
  readonly id: string
  /** Those that live, or did when that was last known. */
  readonly count: number
  /** Whether limits are those of all together just now. */
  readonly isShared: boolean
  /** What all had charged is gone, and is to be told anew. */
  onEpoch(listener: () => void): void
}
