/** What one gateway remembers of an account that several charge together, beside the account itself. */
import type { Account } from './account.ts'
import { type PeriodKind, periodKinds } from './calendar.ts'
import type { ChargeSink } from './held.ts'
import { KeptCharges } from './kept-charges.ts'
import type { AccountChange, AccountRecord, LiveRecord, PeriodRecord } from './limit-records.ts'
import type { LimitName, Limits } from './limits.ts'
import type { AccountWish, PastTold } from './shared-limits.ts'

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
  /** By the ledger, and what of that was said last. */
  #past: PastTold | null = null
  #pastSaid: PastTold | null = null
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
    // Each batch asks, and mostly there is nothing.
    if (this.#kept.isEmpty && this.#keptBefore.isEmpty) return null
    const nowMs = this.#lane.nowMs()
    if (!this.#keptBefore.isEmpty) {
      if (!this.#isSeedToTell) this.#kept.add(this.#keptBefore.taken(nowMs), () => 0, nowMs)
      this.#keptBefore = new KeptCharges()
    }
    return this.#kept.isEmpty ? null : this.#kept.taken(nowMs)
  }

  /**
   * What the ledger says all have used of days and months. `of`: before that epoch of the store was over; null: until now, and
   * others are told where that is more than this gateway knew.
   */
  recall(told: Readonly<Partial<Record<PeriodKind, PeriodRecord>>>, of: string | null): void {
    if (this.isApart) {
      // What it was charged by itself is in the ledger, too.
      if (of === null) return
      this.goesApart()
    }
    const known = this.#base ?? this.account.written()
    const past: Partial<Record<PeriodKind, [PeriodRecord]>> = {}
    for (const kind of periodKinds) {
      const period = told[kind]
      if (period === undefined) continue
      const more = moreThan(known[kind], period)
      if (more !== null) this.#usedMore(kind, more)
      if (more !== null || of !== null) past[kind] = [period]
    }
    if (past.day !== undefined || past.month !== undefined) this.#tellPast(of === null ? past : { ...past, of })
  }

  #usedMore(kind: PeriodKind, more: PeriodRecord): void {
    this.account.usedMore(kind, more)
    if (this.#base !== null) this.#base = raised(this.#base, kind, more)
  }

  #tellPast(past: PastTold): void {
    // What is of before comes first: to the other nothing is added.
    if (this.#past?.of === undefined || past.of !== undefined) this.#past = past
    this.#lane.kept(this)
  }

  /** What others had of it could not be read, and has begun anew: they are told of the days and months that were known here. */
  wasUnreadable(): void {
    const { day, month } = this.#base ?? this.account.written()
    this.#tellPast({ ...(day && { day }), ...(month && { month }) })
  }

  /** Whether others lack something of it. */
  get isToTell(): boolean {
    return (
      !this.#kept.isEmpty ||
      !this.#keptBefore.isEmpty ||
      this.#isLiveToTell ||
      this.#past !== null ||
      (this.#isSeedToTell && this.account.isUsed)
    )
  }

  wish(): AccountWish {
    const { limits, live, running } = this.account
    this.#pastSaid = this.#past
    return {
      kind: this.kind,
      id: this.id,
      limits,
      // Addresses are as many as anybody likes.
      kept: this.kind !== 'address' || hasBudget(limits),
      ...(limits.concurrentRequests === undefined ? {} : { live: [live, running] as const }),
      ...this.#seed(),
      ...(this.#past === null ? {} : { past: this.#past }),
    }
  }

  #seed(): Pick<AccountWish, 'seed' | 'of'> {
    if (!this.#isSeedToTell || !this.account.isUsed) return {}
    const seed = this.#base ?? this.account.written()
    const of = this.#knownEpoch ?? this.#past?.of
    return of === undefined ? { seed } : { seed, of }
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
    if (this.#past === this.#pastSaid) this.#past = null
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

function hasBudget({ requestsPerDay, requestsPerMonth, tokensPerDay, tokensPerMonth }: Limits): boolean {
  return (requestsPerDay ?? requestsPerMonth ?? tokensPerDay ?? tokensPerMonth) !== undefined
}

/** Null where it is not. */
function moreThan(
  known: readonly PeriodRecord[] = [],
  [label, endsMs, requests, tokens]: PeriodRecord,
): PeriodRecord | null {
  const [, , knownRequests = 0, knownTokens = 0] = known.find(([one]) => one === label) ?? []
  const more = [Math.max(0, requests - knownRequests), Math.max(0, tokens - knownTokens)] as const
  return more[0] === 0 && more[1] === 0 ? null : [label, endsMs, ...more]
}

function raised(
  record: AccountRecord,
  kind: PeriodKind,
  [label, endsMs, requests, tokens]: PeriodRecord,
): AccountRecord {
  const periods = record[kind] ?? []
  const before = periods.find(([one]) => one === label)
  const use = [label, endsMs, (before?.[2] ?? 0) + requests, (before?.[3] ?? 0) + tokens] as const
  return { ...record, [kind]: [use, ...periods.filter((one) => one !== before)] }
}
