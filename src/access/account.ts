/** All limits of one key, team or address, and what is charged to it. */
import { Allowance } from './allowance.ts'
import { type Calendar, type Period, type PeriodKind, periodKinds } from './calendar.ts'
import { type Cost, Held, type MinuteLimit, noCost, type ToldCharge } from './held.ts'
import type { AccountChange, AccountRecord, PeriodRecord } from './limit-records.ts'
import { type LimitName, type Limits, limitKinds, limitNames } from './limits.ts'
import { fitsBudget, PeriodCounts, type PeriodUse } from './quota.ts'
import type { SharedAccount } from './shared-account.ts'

export interface Owner {
  readonly kind: 'key' | 'team' | 'address'
  readonly name: string
}

/** One limit that a request does not fit now. */
export interface Obstacle {
  readonly owner: Owner
  readonly limit: LimitName
  readonly most: number
  /** What the request takes of it. */
  readonly cost: number
  /** Until it fits, if nobody else is charged. */
  readonly waitMs: number
  /** All gateways found it together, and some of the refill has been put aside already. */
  readonly isClaimed?: true
}

/** What is left of one limit. */
export interface Rest {
  readonly name: LimitName
  readonly counts: 'requests' | 'tokens'
  readonly limit: number
  readonly remaining: number
  /** What is left, of what may be used at once: 0 to 1. */
  readonly share: number
  /** Until all of it is there again. */
  readonly resetMs: number
}

export interface Now {
  readonly ms: number
  readonly wallMs: number
}

const minuteLimits: readonly Pick<MinuteLimit, 'name' | 'amountOf'>[] = [
  { name: 'requestsPerMinute', amountOf: ({ requests }) => requests },
  { name: 'tokensPerMinute', amountOf: ({ input, output }) => input + output },
  { name: 'inputTokensPerMinute', amountOf: ({ input }) => input },
  { name: 'outputTokensPerMinute', amountOf: ({ output }) => output },
]

/** A limit per day or month. */
interface Budget {
  readonly limit: LimitName
  readonly kind: PeriodKind
  readonly most: number
}

const budgets = [
  { limit: 'requestsPerDay', kind: 'day' },
  { limit: 'requestsPerMonth', kind: 'month' },
  { limit: 'tokensPerDay', kind: 'day' },
  { limit: 'tokensPerMonth', kind: 'month' },
] as const satisfies readonly Pick<Budget, 'limit' | 'kind'>[]

const none: readonly MinuteLimit[] = []
const nothing: readonly Obstacle[] = []

/** Nothing tells when a running request ends; most clients come back after so long. */
const concurrencyWaitMs = 1_000

export class Account {
  /** A key may get another name. */
  owner: Owner
  readonly #calendar: Calendar
  /** Null where this gateway stands alone. */
  readonly sharing: SharedAccount | null
  /** Of so many gateways each keeps a share by itself; null while they charge together. */
  #apart: number | null = null
  /** Requests at once of other gateways, when that was last told. */
  #elsewhere = 0
  #given: Limits | null = null
  #defaults: Limits | null = null
  #limits: Limits = {}
  /** Those that are set. */
  #minute: readonly MinuteLimit[] = none
  #budgets: readonly Budget[] = []
  readonly #counts = { day: new PeriodCounts(), month: new PeriodCounts() }
  /** Requests that hold a reservation, and those that have a place while they wait for one. */
  #running = 0
  #waiting = 0

  constructor(owner: Owner, calendar: Calendar, sharing: ((account: Account) => SharedAccount) | null = null) {
    this.owner = owner
    this.#calendar = calendar
    this.sharing = sharing?.(this) ?? null
  }

  /** Requests that hold a reservation, or a place while they wait for one. */
  get live(): number {
    return this.#running + this.#waiting
  }

  /** Those of them that hold one. */
  get running(): number {
    return this.#running
  }

  /** What keeps one more request away, by their number at once alone; null where nothing does. */
  full(): Obstacle | null {
    const { concurrentRequests } = this.#limits
    if (concurrentRequests === undefined || this.live + this.#elsewhere < concurrentRequests) return null
    return this.obstacle('concurrentRequests', 1, concurrencyWaitMs)
  }

  /** A request that waits counts among those at once, until it leaves its place. */
  takePlace(): void {
    this.#waiting += 1
    this.sharing?.placesChanged()
  }

  leavePlace(): void {
    this.#waiting -= 1
    this.sharing?.placesChanged()
  }

  /** One that held a reservation is over. */
  ended(): void {
    this.#running -= 1
    this.sharing?.placesChanged()
  }

  /**
   * New numbers hold from the next request on. `since`: since when an allowance that is new is full. `apart`: of so many
   * gateways each keeps a share; null where they charge together, or there is only one.
   */
  use(given: Limits, defaults: Limits, sinceMs: number, apart: number | null = null): void {
    if (given === this.#given && defaults === this.#defaults && apart === this.#apart) return
    if (apart !== null && this.#apart === null) this.sharing?.goesApart()
    this.#given = given
    this.#defaults = defaults
    this.#apart = apart
    if (apart !== null) this.#elsewhere = 0
    const limits = ownLimits(given, defaults, apart)
    this.#limits = limits
    this.#minute = minuteLimits.flatMap(({ name, amountOf }) => {
      const limit = limits[name]
      return limit === undefined ? [] : [{ name, amountOf, allowance: this.#allowance(name, limit, sinceMs) }]
    })
    this.#budgets = budgets.flatMap(({ limit, kind }) => {
      const most = limits[limit]
      return most === undefined ? [] : [{ limit, kind, most }]
    })
  }

  /** Empty when the request fits all limits; changes nothing. `elsewhereMs`: so long another account keeps it away. */
  obstacles(cost: Cost, who: string, now: Now, elsewhereMs = 0): readonly Obstacle[] {
    let found: Obstacle[] | null = null
    for (const { name, amountOf, allowance } of this.#minute) {
      const amount = amountOf(cost)
      if (allowance.fitsInMs(amount, who, now.ms, elsewhereMs) <= elsewhereMs) continue
      const waitMs = allowance.comeBackInMs(amount, who, now.ms, elsewhereMs)
      found = added(found, this.obstacle(name, amount, waitMs))
    }
    const full = this.full()
    if (full !== null) found = added(found, full)
    return this.#overBudget(cost, noCost, now, found) ?? nothing
  }

  /** What keeps a request away that goes behind others of its owner, which take `ahead` first; changes nothing. */
  obstaclesBehind(cost: Cost, ahead: Cost, now: Now): readonly Obstacle[] {
    let found: Obstacle[] | null = null
    for (const { name, amountOf, allowance } of this.#minute) {
      const waitMs = allowance.fitsBehindInMs(amountOf(ahead), amountOf(cost), now.ms)
      if (waitMs > 0) found = added(found, this.obstacle(name, amountOf(cost), waitMs))
    }
    return this.#overBudget(cost, ahead, now, found) ?? nothing
  }

  /** The request was told to come back then; its large parts have some of the refill put aside. */
  claim(cost: Cost, who: string, nowMs: number, toldMs: number): void {
    for (const { amountOf, allowance } of this.#minute) {
      // Where another limit keeps it away for much longer, what is put aside would only be missing for others.
      const amount = amountOf(cost)
      const waitMs = allowance.comeBackInMs(amount, who, nowMs)
      if (waitMs === 0) continue
      allowance.missed(amount, who, nowMs)
      if (waitMs >= toldMs / 2) allowance.claim(amount, who, nowMs, toldMs)
    }
  }

  /** Charges what was found to fit. */
  hold(cost: Cost, who: string, now: Now): Held {
    const held = this.#held(who, now, null)
    held.add(cost, now.ms)
    for (const { amountOf, allowance } of this.#minute) allowance.admitted(amountOf(cost), who, now.ms)
    return held
  }

  /** What was charged to it where all gateways charge together; it has been read since. */
  holdTold(told: ToldCharge, who: string, now: Now): Held {
    return this.#held(who, now, told)
  }

  #held(who: string, now: Now, told: ToldCharge | null): Held {
    this.#running += 1
    const day = this.#period('day', now.wallMs)
    const month = this.#period('month', now.wallMs)
    return new Held({ minute: this.#minute, day, month, who, running: this, sink: this.sharing }, now.ms, told)
  }

  /** As it is, for others to take over. */
  written(): AccountRecord {
    const minute = Object.fromEntries(this.#minute.map(({ name, allowance }) => [name, allowance.written()]))
    return { minute, day: this.#counts.day.written(), month: this.#counts.month.written() }
  }

  /** As all gateways have charged it together, of which this is one. */
  read({ minute, day = [], month = [], live = {} }: AccountRecord, ownId: string): void {
    // Of a share that was kept by itself nothing holds any more.
    if (this.#apart !== null) this.#given = null
    this.#apart = null
    for (const { name, allowance } of this.#minute) {
      const record = minute[name]
      if (record !== undefined) allowance.read(record)
    }
    this.#counts.day.read(day)
    this.#counts.month.read(month)
    this.#elsewhere = 0
    for (const [id, [many]] of Object.entries(live)) if (id !== ownId) this.#elsewhere += many
  }

  /** What was charged here and is not in what was read. */
  change({ minute, periods, who }: AccountChange, nowMs: number): void {
    for (const { name, allowance } of this.#minute) {
      const { take, draw, give = [], ended } = minute[name] ?? {}
      if (take !== undefined && draw !== undefined) {
        allowance.take(take, nowMs, { room: draw[0], owed: draw[1], owedAtMs: draw[2] })
      }
      for (const [amount, atMs] of give) allowance.give(amount, atMs, nowMs)
      if (ended === undefined) continue
      allowance.ended({ reserved: ended[0], needed: ended[1], heldMs: ended[2] }, who, nowMs)
    }
    for (const [kind, label, , requests, tokens] of periods) this.#counts[kind].add(label, requests, tokens)
  }

  /** So much more was used of that day or month than this gateway knew. */
  usedMore(kind: PeriodKind, [label, endsMs, requests, tokens]: PeriodRecord): void {
    const use = this.#counts[kind].during({ label, startsMs: 0, endsMs })
    use.requests += requests
    use.tokens += tokens
  }

  /** Those that hold now. */
  get limits(): Limits {
    return this.#limits
  }

  /** By the wall clock. */
  periodOf(kind: PeriodKind, wallMs: number): Period {
    return this.#calendar.period(kind, wallMs)
  }

  /** Whether anybody would miss it. */
  get isUsed(): boolean {
    return this.live > 0 || periodKinds.some((kind) => this.#counts[kind].written().length > 0)
  }

  /** What was used before this process was there. */
  restoreMinute(cost: Cost, atMs: number): void {
    for (const { amountOf, allowance } of this.#minute) allowance.take(amountOf(cost), atMs)
  }

  restorePeriod(kind: PeriodKind, cost: Cost, wallMs: number): void {
    const use = this.#period(kind, wallMs)
    use.requests += cost.requests
    use.tokens += cost.input + cost.output
  }

  /** What is left to one who uses it, of each limit that is set, but for requests at once. */
  rests(now: Now, who: string): readonly Rest[] {
    const rests = this.#minute.map(({ name, allowance }) => {
      const { remaining, capacity, resetMs } = allowance.state(now.ms, who)
      const { counts } = limitKinds[name]
      return { name, counts, limit: allowance.limit, remaining, share: remaining / capacity, resetMs }
    })
    return this.#budgets.length === 0
      ? rests
      : [...rests, ...this.#budgets.map((budget) => this.#budgetRest(budget, now))]
  }

  #budgetRest({ limit, kind, ...budget }: Budget, now: Now): Rest {
    const { counts } = limitKinds[limit]
    const period = this.#calendar.period(kind, now.wallMs)
    const most = this.#shareOf({ limit, kind, ...budget }, period)
    const used = this.#counts[kind].during(period)[counts]
    const remaining = Math.max(0, most - used)
    const resetMs = used === 0 ? 0 : period.endsMs - now.wallMs
    return { name: limit, counts, limit: most, remaining, share: remaining / most, resetMs }
  }

  /** Requests that wait or run, of those that may at once; null where that is not limited. */
  atOnce(): { readonly limit: number; readonly live: number } | null {
    const limit = this.#limits.concurrentRequests
    return limit === undefined ? null : { limit, live: this.live }
  }

  /** Whether nobody could tell if it were forgotten and made anew. Gives back memory where that is not so, but nearly. */
  isForgettable(now: Now): boolean {
    if (this.live > 0 || this.sharing?.isToTell === true) return false
    if (this.#minute.some(({ allowance }) => !allowance.isUntouched(now.ms))) return false
    // Untouched ones are made again when they are needed.
    this.#minute = none
    this.#given = null
    return periodKinds.every((kind) => this.#counts[kind].isUnusedAt(now.wallMs))
  }

  #allowance(name: LimitName, limit: number, nowMs: number): Allowance {
    const known = this.#minute.find((other) => other.name === name)?.allowance
    if (known === undefined) {
      const traits = { evens: limitKinds[name].counts === 'tokens', shared: this.owner.kind === 'team' }
      return new Allowance(limit, traits, nowMs)
    }
    if (known.limit !== limit) known.setLimit(limit, nowMs)
    return known
  }

  #period(kind: PeriodKind, wallMs: number): PeriodUse {
    return this.#counts[kind].during(this.#calendar.period(kind, wallMs))
  }

  /** Adds the limits per day and month that have no room for the cost behind what goes first. */
  #overBudget(cost: Cost, ahead: Cost, now: Now, others: Obstacle[] | null): Obstacle[] | null {
    let found = others
    for (const { limit, kind, most } of this.#budgets) {
      const { counts } = limitKinds[limit]
      const amount = counted(cost, counts)
      const period = this.#calendar.period(kind, now.wallMs)
      const used = this.#counts[kind].during(period)[counts] + counted(ahead, counts)
      if (fitsBudget(used, amount, this.#shareOf({ limit, kind, most }, period))) continue
      found = added(found, this.obstacle(limit, amount, period.endsMs - now.wallMs))
    }
    return found
  }

  /** What is left of a budget is shared by all, where each keeps a share by itself. */
  #shareOf({ limit, kind, most }: Budget, { label }: Period): number {
    if (this.#apart === null) return most
    const known = this.sharing?.base?.[kind]?.find(([one]) => one === label)
    const used = known?.[limitKinds[limit].counts === 'requests' ? 2 : 3] ?? 0
    return Math.min(most, used + Math.floor(Math.max(0, most - used) / this.#apart))
  }

  /** As this account says it. */
  obstacle(limit: LimitName, cost: number, waitMs: number): Obstacle {
    return { owner: this.owner, limit, most: this.#limits[limit] ?? 0, cost, waitMs }
  }
}

function ownLimits(given: Limits, defaults: Limits, apart: number | null): Limits {
  const limits: Partial<Record<LimitName, number>> = {}
  for (const name of limitNames) {
    const value = given[name] ?? defaults[name]
    if (value !== undefined) limits[name] = apart === null ? value : shareOf(name, value, apart)
  }
  return limits
}

/** Of limits per day and month what is left is shared, and not the whole. */
function shareOf(name: LimitName, limit: number, gateways: number): number {
  return budgets.some((budget) => budget.limit === name) ? limit : Math.max(1, Math.floor(limit / gateways))
}

function counted({ requests, input, output }: Cost, what: 'requests' | 'tokens'): number {
  return what === 'requests' ? requests : input + output
}

function added(list: Obstacle[] | null, obstacle: Obstacle): Obstacle[] {
  if (list === null) return [obstacle]
  list.push(obstacle)
  return list
}
