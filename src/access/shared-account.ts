/** What one gateway remembers of an account that several charge together, beside the account itself. */
import type { Account } from './account.ts'
import type { ChargeSink } from './held.ts'
import { KeptCharges } from './kept-charges.ts'
import type { AccountChange, AccountRecord, LiveRecord } from './limit-records.ts'
import type { LimitName } from './limits.ts'
import type { AccountWish } from './shared-limits.ts'

const noneLive: LiveRecord = [0, 0]

/** Who sends it. */
export interface AccountLane {
  readonly isShared: boolean
  /** Of the store as it is, since it was emptied last. */
  readonly epoch: number
  nowMs(): number
  changed(account: SharedAccount, change: AccountChange): void
  /** Something of it could not be told. */
  kept(account: SharedAccount): void
  placesChanged(account: SharedAccount): void
}

export class SharedAccount implements ChargeSink {
  readonly kind: AccountWish['kind']
  readonly id: string
  readonly account: Account
  readonly #lane: AccountLane
  /** As it was when this gateway began to decide by itself; null while it does not. */
  #base: AccountRecord | null = null
  /** What was charged since then, and before it. */
  #kept = new KeptCharges()
  #keptBefore = new KeptCharges()
  #toldEpoch = 0
  /** Of the store; null where it has never had this account from here. */
  #knownEpoch: string | null = null
  /** Requests at once as all know them; null where that is not certain. */
  #toldLive: LiveRecord | null = noneLive

  constructor(kind: AccountWish['kind'], id: string, account: Account, lane: AccountLane) {
    this.kind = kind
    this.id = id
    this.account = account
    this.#lane = lane
  }

  get base(): AccountRecord | null {
    return this.#base
  }

  get isApart(): boolean {
    return !this.#lane.isShared
  }

  /** This gateway keeps a share of the limits by itself from now on. */
  goesApart(): void {
    this.#base ??= this.account.written()
  }

  willChange(): void {
    if (this.isApart) this.goesApart()
  }

  changed(change: AccountChange): void {
    if (this.#lane.isShared) this.#lane.changed(this, change)
    else this.keep(change, true)
  }

  placesChanged(): void {
    this.#lane.placesChanged(this)
  }

  /** Until it can be told. `isAfterBase`: it was charged since this gateway decides by itself. */
  keep(change: AccountChange, isAfterBase: boolean): void {
    this.goesApart()
    const limitOf = (name: LimitName) => this.account.limits[name] ?? 0
    const kept = isAfterBase ? this.#kept : this.#keptBefore
    kept.add(change, limitOf, this.#lane.nowMs())
    this.#lane.kept(this)
  }

  /** What is to be told beside what is asked: it is told once. What was charged before the base is in the base. */
  takeKept(): AccountChange | null {
    const nowMs = this.#lane.nowMs()
    if (!this.#isSeedToTell && !this.#keptBefore.isEmpty) {
      this.#kept.add(this.#keptBefore.taken(nowMs), () => 0, nowMs)
    }
    this.#keptBefore = new KeptCharges()
    return this.#kept.isEmpty ? null : this.#kept.taken(nowMs)
  }

  /** Whether others lack something of it. */
  get isToTell(): boolean {
    return (
      !this.#kept.isEmpty ||
      !this.#keptBefore.isEmpty ||
      this.#isLiveToTell ||
      (this.#isSeedToTell && this.account.isUsed)
    )
  }

  wish(): AccountWish {
    const { limits, live, running } = this.account
    const { concurrentRequests, requestsPerDay, requestsPerMonth, tokensPerDay, tokensPerMonth } = limits
    const hasBudget = (requestsPerDay ?? requestsPerMonth ?? tokensPerDay ?? tokensPerMonth) !== undefined
    const seed = this.#isSeedToTell && this.account.isUsed ? (this.#base ?? this.account.written()) : null
    return {
      kind: this.kind,
      id: this.id,
      limits,
      // Addresses are as many as anybody likes.
      kept: hasBudget || this.kind !== 'address',
      ...(concurrentRequests === undefined ? {} : { live: [live, running] as const }),
      ...(seed === null ? {} : { seed }),
      ...(seed === null || this.#knownEpoch === null ? {} : { of: this.#knownEpoch }),
    }
  }

  /** How many requests run here is not what all know of it, or not for certain. */
  tellLiveAgain(): void {
    this.#toldLive = null
  }

  /** As it was told in the wish. */
  told(live: LiveRecord | null, epoch: string): void {
    this.#knownEpoch = epoch
    this.#toldEpoch = this.#lane.epoch
    this.#toldLive = live
    this.#base = null
    // What was charged while it was told is in what will be told of it the next time.
    if (!this.#kept.isEmpty) [this.#keptBefore, this.#kept] = [this.#kept, new KeptCharges()]
  }

  get #isSeedToTell(): boolean {
    return this.#toldEpoch !== this.#lane.epoch
  }

  get #isLiveToTell(): boolean {
    const { limits, live, running } = this.account
    if (limits.concurrentRequests === undefined) return false
    return this.#toldLive === null || live !== this.#toldLive[0] || running !== this.#toldLive[1]
  }
}
