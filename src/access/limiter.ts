/** Decides whether a request fits the limits of its key and its team, and holds what it takes until it is settled. */
import type { Clock } from '../base/clock.ts'
import type { GatewayError } from '../base/errors.ts'
import { Account, type Now, type Obstacle, type Owner } from './account.ts'
import { Calendar, type PeriodKind, periodKinds } from './calendar.ts'
import type { LimitRest } from './events.ts'
import type { Cost } from './held.ts'
import { type KeyRecord, keyless } from './key-record.ts'
import { lastOf } from './last-obstacle.ts'
import type { LaneAsk } from './limit-batches.ts'
import type { LimitLane } from './limit-lane.ts'
import type { Limits } from './limits.ts'
import { type LimitLeft, limitRests, limitsLeft } from './limits-left.ts'
import type { LimitsOptions, TeamsOptions } from './options.ts'
import type { LimitsOf, Past, PastUse } from './past-use.ts'
import { rateLimitHeaders } from './rate-limit-headers.ts'
import { lineFull, longest, refusal, tooManyWait } from './refusal.ts'
import { Reservation, weighed } from './reservation.ts'
import { SharedAccount } from './shared-account.ts'
import type { AskAnswer } from './shared-limits.ts'

/** Whose limits count: of a key and its team, or of the address of a client without one. */
export type Subject =
  | {
      readonly keyId: string
      readonly name: string
      readonly team: string | null
      /** The same object as long as they are the same. */
      readonly limits: Limits
    }
  | { readonly keyId: null; readonly address: string }

export interface LimiterParts {
  readonly clock: Clock
  readonly limits: LimitsOptions
  readonly teams: TeamsOptions
  /** From 0 to 1. */
  readonly chance: () => number
  /** Null where this gateway stands alone. */
  readonly lane?: LimitLane | null
}

/** How all gateways are asked together. */
export interface AskTogether extends Omit<LaneAsk, 'of' | 'who' | 'cost' | 'answered'> {
  /** As this gateway decides by itself, as one of so many, where nobody can tell. */
  readonly alone?: (gateways: number) => Reservation | Obstacle
}

export type Places = Pick<Account, 'full' | 'takePlace' | 'leavePlace'>

const windowMs = 60_000
/** Of the accounts that were not used for the longest time, so many are looked at for one that can be forgotten. */
const looksMax = 8
const nothing: Limits = {}
/** Of the keys that asked last, and of the addresses, so many are told of in metrics. */
const toldMax = 1_000

export class Limiter {
  readonly #clock: Clock
  /** Not that of all, which may be set while something is waited for. */
  readonly #ownClock: Clock
  #options: LimitsOptions
  #teamLimits: ReadonlyMap<string, Limits>
  readonly #chance: () => number
  readonly #calendar: Calendar
  /** The longest unused first. */
  readonly #keys = new Map<string, Account>()
  readonly #addresses = new Map<string, Account>()
  readonly #teams = new Map<string, Account>()
  /** The one of the two above that was used last: it is at its end already. */
  #newest: Account | null = null
  readonly #lane: LimitLane | null

  constructor({ clock, limits, teams, chance, lane = null }: LimiterParts) {
    this.#lane = lane
    this.#clock = lane?.clock ?? clock
    this.#ownClock = clock
    lane?.knows(() => this.#shared())
    this.#options = limits
    this.#teamLimits = new Map(Object.entries(teams))
    this.#chance = chance
    this.#calendar = new Calendar(limits.timeZone)
  }

  /** What was charged stays charged. The calendar stays as it is: another one would begin its days anew. */
  adopt(limits: LimitsOptions, teams: TeamsOptions): void {
    this.#options = limits
    this.#teamLimits = new Map(Object.entries(teams))
  }

  /** All limits or none are charged: what is held of them, or the one that keeps the request away for the longest. */
  ask(subject: Subject, cost: Cost, apart = this.#apart): Reservation | Obstacle {
    const now = this.#now()
    const who = whoOf(subject)
    const accounts = this.#accounts(subject, now, apart)
    if (apart !== null) this.#lane?.decidedAlone()
    const worst = lastOf({ accounts, cost, who, now })
    if (worst !== undefined) return worst
    const helds = accounts.map((account) => account.hold(cost, who, now))
    return new Reservation(helds, cost, this.#clock, this.#options.cachedInputWeight)
  }

  /** Whether others charge the same limits, and can be asked. */
  get isShared(): boolean {
    return this.#lane?.isShared === true
  }

  /** As `ask`, of all gateways; where nobody can tell this one decides by its share. Null: another of its line goes first. */
  askTogether(
    subject: Subject,
    cost: Cost,
    how: AskTogether,
    answered: (answer: Reservation | Obstacle | null) => void,
  ): void {
    const lane = this.#lane
    if (lane === null) return answered(this.ask(subject, cost))
    const who = whoOf(subject)
    const accounts = this.#accounts(subject, this.#now(), null)
    const of = accounts.map(({ sharing }) => sharing).filter((sharing) => sharing !== null)
    const told = ({ held, behind, limit, cost: amount = 0, wait = 0, account = 0 }: AskAnswer) => {
      if (behind === true) return null
      if (held === undefined) {
        const by = accounts[account] ?? accounts[0]
        return { ...by.obstacle(limit ?? 'requestsPerMinute', amount, wait), isClaimed: true as const }
      }
      const now = this.#now()
      const helds = accounts.map((one, i) => one.holdTold({ cost, held: held[i] ?? {} }, who, now))
      return new Reservation(helds, cost, this.#clock, this.#options.cachedInputWeight)
    }
    const { alone = (gateways: number) => this.ask(subject, cost, gateways) } = how
    const sinceMs = this.#ownClock.now()
    const decided = (answer: Reservation | Obstacle | null): void => {
      if (answer instanceof Reservation) answer.askedForMs = this.#ownClock.now() - sinceMs
      answered(answer)
    }
    lane.ask({
      ...how,
      of,
      who,
      cost,
      answered: (answer) => decided(answer === null ? alone(lane.gateways) : told(answer)),
    })
  }

  /** Those that are known, as others charge them too. */
  *#shared(): Generator<SharedAccount> {
    for (const accounts of [this.#keys, this.#addresses, this.#teams]) {
      for (const { sharing } of accounts.values()) if (sharing !== null) yield sharing
    }
  }

  /** The request waits in its key's line and asks again then: among others of its team, some of the refill is put aside. */
  waits(subject: Subject, cost: Cost, { waitMs, isClaimed }: Obstacle): void {
    if (isClaimed === true) return
    const now = this.#now()
    for (const account of this.#accounts(subject, now)) {
      if (account.owner.kind === 'team') account.claim(cost, whoOf(subject), now.ms, waitMs)
    }
  }

  /** The request is refused and told to come back then, and some of the refill is put aside for it. Of 429. */
  refuse(subject: Subject, cost: Cost, obstacle: Obstacle): GatewayError {
    const now = this.#now()
    const accounts = obstacle.isClaimed === true ? [] : this.#accounts(subject, now)
    for (const account of accounts) account.claim(cost, whoOf(subject), now.ms, obstacle.waitMs)
    return refusal(obstacle, 0, this.#chance)
  }

  /** What keeps a request away for the longest that goes behind others of its key; undefined where nothing would. */
  behind(subject: Subject, cost: Cost, ahead: Cost): Obstacle | undefined {
    const now = this.#now()
    return longest(this.#accounts(subject, now).flatMap((account) => account.obstaclesBehind(cost, ahead, now)))
  }

  /** Where its requests at once are counted: those that wait for its limits among them. */
  placesOf(subject: Subject): Places {
    return this.#ownAccount(subject, this.#now())
  }

  /** Of 429, for a request of whose key so many wait already and go first. */
  refuseBehind(ahead: number, obstacle: Obstacle): GatewayError {
    return refusal(obstacle, ahead, this.#chance)
  }

  /** Of 429: `most` of the same key wait already, and the next would for so long. */
  tooManyWait(most: number, waitMs: number): GatewayError {
    return tooManyWait(most, waitMs, this.#chance)
  }

  /** Of 503: as many requests wait in all as may. Its own limits would have admitted it after so long. */
  lineFull(waitMs: number): GatewayError {
    return lineFull(waitMs, this.#chance)
  }

  headers(subject: Subject): Readonly<Record<string, string>> {
    const now = this.#now()
    const who = whoOf(subject)
    const accounts = this.#accounts(subject, now)
    const [own] = accounts
    // Most have no team with limits of its own, and every answer has these headers.
    return rateLimitHeaders(
      accounts.length === 1 ? own.rests(now, who) : accounts.flatMap((one) => one.rests(now, who)),
    )
  }

  /** Whether the team has limits, or a place where they would be. */
  hasTeam(team: string): boolean {
    return this.#teamLimits.has(team)
  }

  /** What is left of each limit of a key and of its team, for whoever administers them. */
  left(subject: Subject): readonly LimitLeft[] {
    const now = this.#now()
    return this.#accounts(subject, now).flatMap((account) => limitsLeft(account, now, whoOf(subject)))
  }

  /**
   * What is left to those who asked most lately, 1,000 keys and as many addresses: a limit that a key shares with its
   * team comes twice where it has one of its own, too. Nobody is remembered for it, or for longer. `keyOf`: null for
   * one of which nothing is to be told.
   */
  *rests(keyOf: (keyId: string) => Pick<KeyRecord, 'name' | 'team'> | null): Generator<LimitRest> {
    for (const [keyId, account] of latest(this.#keys)) {
      const key = keyOf(keyId)
      if (key === null) continue
      const team = this.#teams.get(key.team ?? '')
      yield* limitRests(key.name, team === undefined ? [account] : [account, team], this.#now(), keyId)
    }
    for (const [address, account] of latest(this.#addresses)) {
      yield* limitRests(keyless, [account], this.#now(), address)
    }
  }

  /** Since when the ledger is to say what was used. */
  pastFrom(): { readonly minuteMs: number; readonly dayMs: number; readonly monthMs: number } {
    const wallMs = this.#clock.wallMs()
    return {
      minuteMs: wallMs - windowMs,
      dayMs: this.#calendar.period('day', wallMs).startsMs,
      monthMs: this.#calendar.period('month', wallMs).startsMs,
    }
  }

  /** Once, before the first request. `limitsOf` a key by its id, null where there is none such any more. */
  restore(past: Past, limitsOf: LimitsOf): void {
    const now = this.#now()
    const charge = (use: PastUse, take: (account: Account, cost: Cost) => void) => {
      for (const account of this.#chargedBy(use, limitsOf, now, null)) take(account, this.#costOf(use))
    }
    for (const use of past.day) charge(use, (account, cost) => account.restorePeriod('day', cost, now.wallMs))
    for (const use of past.month) charge(use, (account, cost) => account.restorePeriod('month', cost, now.wallMs))
    for (const use of past.minute.toSorted((a, b) => a.startedAtMs - b.startedAtMs)) {
      const ageMs = Math.min(windowMs, Math.max(0, now.wallMs - use.startedAtMs))
      charge(use, (account, cost) => account.restoreMinute(cost, now.ms - ageMs))
    }
  }

  /** The same while it runs, where others may know less: see `SharedAccount.recall`. */
  recall(past: Omit<Past, 'minute'>, limitsOf: LimitsOf, of: string | null): void {
    const now = this.#now()
    const sums = new Map<Account, Record<PeriodKind, { requests: number; tokens: number }>>()
    for (const kind of periodKinds) {
      for (const use of past[kind]) {
        const { requests, input, output } = this.#costOf(use)
        for (const account of this.#chargedBy(use, limitsOf, now, this.#apart)) {
          const known = sums.get(account) ?? { day: { requests: 0, tokens: 0 }, month: { requests: 0, tokens: 0 } }
          known[kind].requests += requests
          known[kind].tokens += input + output
          sums.set(account, known)
        }
      }
    }
    for (const [account, { day, month }] of sums) {
      const told = (kind: PeriodKind, { requests, tokens }: typeof day) => {
        const { label, endsMs } = account.periodOf(kind, now.wallMs)
        return requests === 0 && tokens === 0 ? {} : { [kind]: [label, endsMs, requests, tokens] as const }
      }
      account.sharing?.recall({ ...told('day', day), ...told('month', month) }, of)
    }
  }

  /** Of what was used before: its key, where there still is one, and its team. */
  #chargedBy({ keyId, team }: PastUse, limitsOf: LimitsOf, now: Now, apart: number | null): readonly Account[] {
    const fullSinceMs = now.ms - windowMs
    const key = keyId === null ? null : limitsOf(keyId)
    const own = keyId === null || key === null ? null : this.#keyAccount({ keyId, ...key }, fullSinceMs, now, apart)
    const teams = team === null ? null : this.#teamAccount(team, fullSinceMs, apart)
    return [own, teams].filter((account) => account !== null)
  }

  /** The key is gone for good. */
  forget(keyId: string): void {
    this.#keys.delete(keyId)
  }

  /** Of how many gateways this one keeps a share by itself just now; null of none. */
  get #apart(): number | null {
    return this.#lane === null || this.#lane.isShared ? null : this.#lane.gateways
  }

  #now(): Now {
    return { ms: this.#clock.now(), wallMs: this.#clock.wallMs() }
  }

  /** Its own, and that of its team where it has limits. */
  #accounts(subject: Subject, now: Now, apart = this.#apart): readonly [Account, ...Account[]] {
    const own = this.#ownAccount(subject, now, apart)
    if (subject.keyId === null || subject.team === null) return [own]
    const team = this.#teamAccount(subject.team, now.ms, apart)
    return team === null ? [own] : [own, team]
  }

  #ownAccount(subject: Subject, now: Now, apart = this.#apart): Account {
    if (subject.keyId !== null) return this.#keyAccount(subject, now.ms, now, apart)
    const { address } = subject
    const account = this.#found(this.#addresses, address, { kind: 'address', name: address, now })
    account.use(nothing, this.#options.default, now.ms, apart)
    return account
  }

  #keyAccount(
    key: { readonly keyId: string; readonly name: string; readonly limits: Limits },
    sinceMs: number,
    now: Now,
    apart: number | null,
  ): Account {
    const account = this.#found(this.#keys, key.keyId, { kind: 'key', name: key.name, now })
    account.use(key.limits, this.#options.default, sinceMs, apart)
    return account
  }

  /** Null for a team that has no limits. */
  #teamAccount(team: string, sinceMs: number, apart: number | null): Account | null {
    const limits = this.#teamLimits.get(team)
    if (limits === undefined) return null
    let account = this.#teams.get(team)
    if (account === undefined) {
      account = this.#newAccount({ kind: 'team', name: team }, team)
      this.#teams.set(team, account)
    }
    account.use(limits, nothing, sinceMs, apart)
    return account
  }

  #found(accounts: Map<string, Account>, id: string, { kind, name, now }: Owner & { readonly now: Now }): Account {
    let account = accounts.get(id)
    if (account !== undefined && account === this.#newest && account.owner.name === name) return account
    if (account === undefined) {
      if (accounts.size >= this.#options.clientsMax) this.#makeRoom(accounts, now)
      account = this.#newAccount({ kind, name }, id)
    } else {
      accounts.delete(id)
      if (account.owner.name !== name) account.owner = { kind, name }
    }
    accounts.set(id, account)
    this.#newest = account
    return account
  }

  #newAccount(owner: Owner, id: string): Account {
    const lane = this.#lane
    const sharing = lane === null ? null : (account: Account) => new SharedAccount(owner.kind, id, account, lane)
    return new Account(owner, this.#calendar, sharing)
  }

  /**
   * Forgets one that nobody would miss. Where there is none, a key is kept, since there are only as many as were
   * created; an address is forgotten all the same, or whoever has many could fill the memory.
   */
  #makeRoom(accounts: Map<string, Account>, now: Now): void {
    let idle: string | null = null
    let looks = 0
    for (const [id, account] of accounts) {
      accounts.delete(id)
      if (account.isForgettable(now)) return
      // To the other end, so that the next look is at others.
      accounts.set(id, account)
      if (account.live === 0) idle ??= id
      looks += 1
      if (looks === looksMax) break
    }
    if (accounts === this.#addresses && idle !== null) accounts.delete(idle)
  }

  #costOf(use: PastUse): Cost {
    return { requests: use.requests, ...weighed(use, this.#options.cachedInputWeight) }
  }
}

function latest(accounts: ReadonlyMap<string, Account>): Iterable<readonly [string, Account]> {
  return accounts
    .entries()
    .drop(Math.max(0, accounts.size - toldMax))
    .take(toldMax)
}

function whoOf(subject: Subject): string {
  return subject.keyId ?? subject.address
}
