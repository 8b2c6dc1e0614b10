/**
 * What one gateway says to the store of limits that several share: one batch after the other, so that all of it happens in the
 * order in which it was said, and what comes while one is answered goes together with the next.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { BusyAccounts } from './busy-accounts.ts'
import type { SharedLimitEvents } from './events.ts'
import { LanePause, type PauseState } from './lane-pause.ts'
import { type Changed, type LaneAsk, LimitBatches, type Sent, undone } from './limit-batches.ts'
import type { AccountChange, AccountRecord, LiveRecord } from './limit-records.ts'
import type { AccountLane, SharedAccount } from './shared-account.ts'
import { type AskAnswer, type LimitFleet, type LimitReply, type LimitStore, NotCharged } from './shared-limits.ts'

export interface LimitLaneParts {
  readonly clock: Clock
  readonly store: LimitStore
  readonly fleet: LimitFleet
  /** From 0 to 1. */
  readonly chance: () => number
  readonly events: SharedLimitEvents
}

/** What nobody waits for goes with the next ask, or after so long. */
const changesWithinMs = 5
/** Where none is answered, longer: up to some 10 s. */
const doublingsMax = 11
/** What was kept is told by and by after the store is back, so that not all of all gateways comes at once. */
const tellEveryMs = 500
const toldAtOnce = 100
const tellPauseMs = 50
/** Of addresses there are as many as anybody likes. */
const toTellMax = 100_000
const lastRounds = 20
/** What failed, or has changed since it was told, is told once more while all wait for it: so many accounts on top of twice all. */
const settleMoreMax = 5_000
const noneLive: LiveRecord = [0, 0]

export class LimitLane implements AccountLane {
  readonly #parts: LimitLaneParts
  readonly #batches: LimitBatches
  readonly #asks: { readonly ask: LaneAsk; readonly sinceMs: number }[] = []
  readonly #changes: Changed[] = []
  /** Of which others may lack something. */
  readonly #toTell = new Set<SharedAccount>()
  readonly #busyAccounts = new BusyAccounts()
  #known: () => Iterable<SharedAccount> = () => []
  /** A batch is on its way. */
  #isBusy = false
  /** Requests at once began or ended. */
  #placesWait = false
  /** Of which nobody knows whether it was done. */
  #doubt: Sent | null = null
  /** Since the last answer. */
  #failures = 0
  #epoch = 1
  readonly #pause: LanePause
  /** Until asks are sent, and until changes are at the latest. */
  #askTimer: Timer | null = null
  #changeTimer: Timer | null = null
  #telling: Timer | null = null
  /** All is told anew, and so much of it is left. */
  #isSettling = false
  #leftToTell = 0
  #tellTurn = 0
  /** Of the clock of all, before that of this process. */
  #aheadMs: number
  #stopped = false
  #flight: Promise<unknown> = Promise.resolve()

  constructor(parts: LimitLaneParts) {
    const { clock, fleet } = parts
    this.#parts = parts
    this.#batches = new LimitBatches(fleet.id, clock)
    this.#pause = new LanePause(clock)
    this.#aheadMs = clock.wallMs() - clock.now()
    fleet.onEpoch(() => this.#begunAnew())
    this.#tellLater()
  }

  /** All accounts that this gateway knows. */
  knows(accounts: () => Iterable<SharedAccount>): void {
    this.#known = accounts
  }

  get isShared(): boolean {
    return this.#parts.fleet.isShared && !this.#pause.isOn
  }

  /** Why limits are not those of all, though others can be asked; null where that is not so. */
  get paused(): PauseState | null {
    return this.#pause.state
  }

  /** Of how many gateways each keeps a share where all together cannot be asked. */
  get gateways(): number {
    return this.#parts.fleet.count
  }

  get epoch(): number {
    return this.#epoch
  }

  /** Accounts of which others lack something. */
  get waiting(): number {
    return this.#toTell.size
  }

  /** All that it holds was told since the store was emptied: nothing is granted before all gateways have. */
  get hasTold(): boolean {
    return !this.#isSettling
  }

  /** What was found out since then is told as early. */
  tellMore(): void {
    this.#leftToTell += 2 * this.#toTell.size
    if (this.#isSettling || this.#parts.fleet.isShared) return
    this.#telling?.cancel()
    void this.#tell(true)
  }

  /** This gateway decided by its share. */
  decidedAlone(): void {
    this.#parts.events.limitsAsked('local')
  }

  /** Timers are those of this process. */
  get clock(): Clock {
    const { clock } = this.#parts
    return {
      now: () => this.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (delayMs, callback) => clock.after(delayMs, callback),
      afterTurn: (callback) => clock.afterTurn(callback),
    }
  }

  /** By the clock of all, as far as it is known: whole milliseconds. */
  nowMs(): number {
    return Math.floor(this.#parts.clock.now() + this.#aheadMs)
  }

  /** Answered within what a request waits for the store at the most. */
  ask(ask: LaneAsk): void {
    if (this.#stopped || !this.isShared) return ask.answered(null)
    this.#asks.push({ ask, sinceMs: this.#parts.clock.now() })
    this.#sendSoon(true)
  }

  changed(of: SharedAccount, change: AccountChange): void {
    this.#changes.push({ of, change, isAfterBase: of.base !== null })
    this.#sendSoon(false)
  }

  kept(of: SharedAccount): void {
    this.#toTell.add(of)
    if (this.#toTell.size <= toTellMax) return
    for (const oldest of this.#toTell) {
      this.#toTell.delete(oldest)
      break
    }
  }

  placesChanged(of: SharedAccount): void {
    if (of.account.limits.concurrentRequests === undefined) return
    this.#toTell.add(of)
    this.#busyAccounts.add(of)
    this.#placesWait = true
    if (this.isShared) this.#sendSoon(false)
  }

  /** What is not told yet, in one go. */
  async tellNow(): Promise<void> {
    if (this.isShared && !this.#isBusy) await this.#send()
  }

  /** Tells what is not told yet, as far as it can. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#telling?.cancel()
    this.#askTimer?.cancel()
    this.#changeTimer?.cancel()
    await this.#flight
    for (let round = 0; round < lastRounds && this.#isUntold; round++) await this.tellNow()
  }

  get #isUntold(): boolean {
    return this.isShared && (this.#isToSend || this.#asks.length > 0 || this.#toTell.size > 0)
  }

  #sendSoon(isForAsks: boolean): void {
    if (this.#isBusy || this.#stopped) return
    const { clock } = this.#parts
    if (isForAsks) {
      this.#askTimer ??= clock.afterTurn(() => {
        this.#askTimer = null
        void this.#send()
      })
    } else {
      // It goes on where asks have taken the changes along: to begin and to end one for each request costs more.
      this.#changeTimer ??= clock.after(
        changesWithinMs * 2 ** Math.min(Math.max(0, this.#failures - 1), doublingsMax),
        () => {
          this.#changeTimer = null
          if (this.#isToSend) void this.#send()
        },
      )
    }
  }

  get #isToSend(): boolean {
    return this.#changes.length > 0 || this.#placesWait || this.#doubt !== null
  }

  async #send(): Promise<void> {
    if (this.#isBusy) return
    if (!this.isShared) return this.#giveUp()
    const sent = this.#doubt ?? this.#next()
    if (sent !== null) await this.#charge(sent)
  }

  #next(): Sent | null {
    // Who changed its mind meanwhile has seen to itself.
    const asks = this.#asks.splice(0).filter(({ ask }) => ask.isStill())
    const tells = this.#toTell.values().take(toldAtOnce).toArray()
    this.#placesWait = false
    return this.#batches.next({ asks, changes: this.#changes.splice(0), tells })
  }

  async #charge(sent: Sent): Promise<void> {
    const { store, clock } = this.#parts
    const isAgain = this.#doubt === sent
    const sinceMs = Math.min(isAgain ? clock.now() : sent.sinceMs, this.#asks[0]?.sinceMs ?? clock.now())
    const epoch = this.#epoch
    this.#isBusy = true
    let reply: LimitReply | null | 'unknown' = 'unknown'
    try {
      const answer = store.charge(sent.batch, Math.max(1, store.answerMsMax - (clock.now() - sinceMs)))
      this.#flight = answer.catch(() => {})
      reply = await answer
    } catch (error) {
      // Whoever keeps the connection tells of it.
      if (error instanceof NotCharged) {
        this.#pause.begin(error.message)
        reply = null
      }
    }
    this.#isBusy = false
    if (epoch !== this.#epoch) this.#lost(sent, isAgain)
    else if (reply === 'unknown') this.#failed(sent, isAgain)
    else if (reply === null) this.#refused(sent, isAgain)
    else this.#answered(sent, reply, isAgain)
    if (this.#asks.length > 0) this.#sendSoon(true)
    else if (this.#isToSend) this.#sendSoon(false)
  }

  #answered(sent: Sent, reply: LimitReply, isAgain: boolean): void {
    this.#doubt = null
    this.#failures = 0
    this.#pause.end()
    this.#aheadMs = reply.nowMs - this.#parts.clock.now()
    for (const at of reply.unreadable ?? []) sent.of[at]?.wasUnreadable()
    for (const [i, one] of sent.of.entries()) {
      this.#toTell.add(one)
      if (isAgain) one.told(null, reply.epoch)
      else this.#toldAll(one, sent.batch.accounts[i]?.live, reply.accounts[i] ?? null, reply.epoch)
    }
    for (const [i, ask] of sent.asks.entries()) this.#toldOrUndone(ask, reply.answers[i], isAgain)
    for (const one of sent.of) if (!one.isToTell) this.#toTell.delete(one)
    this.#placesWait = sent.of.some((one) => one.isToTell)
  }

  #toldOrUndone(ask: LaneAsk, answer: AskAnswer | undefined, isAgain: boolean): void {
    if (!isAgain) this.#told(ask, answer)
    else if (answer?.held !== undefined) this.#undo(ask, answer.held)
  }

  #told(ask: LaneAsk, answer: AskAnswer | undefined): void {
    if (answer !== undefined && answer.behind !== true) this.#parts.events.limitsAsked('shared')
    ask.answered(answer ?? null)
  }

  #toldAll(one: SharedAccount, live: LiveRecord | undefined, record: AccountRecord | null, epoch: string): void {
    one.told((record === null ? live : record.live?.[this.#parts.fleet.id]) ?? noneLive, epoch)
    if (record === null) return
    one.account.read(record, this.#parts.fleet.id)
    // What has happened here meanwhile is on its way.
    for (const { of, change } of this.#changes) if (of === one) one.account.change(change, this.nowMs())
  }

  /** It was charged when nobody waited for it any more, and each has decided for itself. */
  #undo(ask: LaneAsk, held: Parameters<typeof undone>[1]): void {
    const wallMs = this.#parts.clock.wallMs()
    this.#parts.events.limitAnswerUndone()
    for (const { of, change } of undone(ask, held, wallMs)) this.changed(of, change)
  }

  /** It may have been done all the same: it is sent again, without the asks, until that is known. */
  #failed(sent: Sent, isAgain: boolean): void {
    this.#failures += 1
    for (const one of sent.of) one.tellLiveAgain()
    if (!isAgain) this.#doubt = { ...sent, batch: { ...sent.batch, asks: [] } }
    this.#decideAlone(sent, isAgain)
  }

  /** Nothing of it was done: the store has been emptied and this gateway has not heard of it yet, or will not do it. */
  #refused(sent: Sent, isAgain: boolean): void {
    this.#doubt = null
    this.#keep(sent.changes)
    this.#decideAlone(sent, isAgain)
  }

  /** The store was emptied while it was answered, or is another one. What was charged there is gone, but not from here. */
  #lost(sent: Sent, isAgain: boolean): void {
    // What was in doubt was kept when that was heard.
    if (!isAgain) this.#keep(sent.changes.filter(({ isAfterBase }) => isAfterBase))
    this.#decideAlone(sent, isAgain)
  }

  #decideAlone({ asks }: Sent, isAgain: boolean): void {
    const waiting = this.#asks.splice(0).map(({ ask }) => ask)
    for (const ask of isAgain ? waiting : [...asks, ...waiting]) ask.answered(null)
    if (!this.isShared) this.#giveUp()
  }

  /** Each decides by itself until all together can be asked again. */
  #giveUp(): void {
    for (const { ask } of this.#asks.splice(0)) ask.answered(null)
    this.#keep(this.#changes.splice(0))
  }

  #keep(changes: readonly Changed[]): void {
    for (const { of, change, isAfterBase } of changes) of.keep(change, isAfterBase)
  }

  #begunAnew(): void {
    this.#epoch += 1
    // What was charged here before the base is in what is told of the account now.
    const changes = [...(this.#doubt?.changes ?? []), ...this.#changes.splice(0)]
    this.#keep(changes.filter(({ isAfterBase }) => isAfterBase))
    this.#doubt = null
    for (const one of this.#known()) {
      one.tellLiveAgain()
      if (one.isToTell) this.#toTell.add(one)
    }
    this.#telling?.cancel()
    void this.#tell(true)
  }

  #tellLater(): void {
    if (this.#stopped) return
    const inMs = tellEveryMs * (1 + this.#parts.chance())
    this.#telling = this.#parts.clock.after(inMs, () => void this.#tell(false))
  }

  /** By and by, all that others lack. `isSettling`: at once, as nothing is granted before. */
  async #tell(isSettling: boolean): Promise<void> {
    const turn = ++this.#tellTurn
    this.#isSettling = isSettling
    this.#leftToTell = this.#untold() + (isSettling ? settleMoreMax + this.#toTell.size : 0)
    // Others are told of each once here, and what fails comes with the next time; while all wait for it, until nothing is left.
    for (; this.#leftToTell > 0 && this.#mayTell; this.#leftToTell -= toldAtOnce) {
      const isTold = await this.#tellSome()
      await this.#wait(isSettling && isTold ? 1 : tellPauseMs * (1 + this.#parts.chance()))
      if (turn !== this.#tellTurn) return
    }
    this.#isSettling = false
    if (this.#doubt !== null && this.isShared) this.#sendSoon(false)
    this.#tellLater()
  }

  #untold(): number {
    for (const one of this.#busyAccounts.toSayAgain(this.#parts.clock.now())) this.#toTell.add(one)
    for (const one of this.#toTell) if (!one.isToTell) this.#toTell.delete(one)
    return this.#toTell.size
  }

  get #mayTell(): boolean {
    return !this.#stopped && (this.#isSettling ? this.#toTell.size > 0 : this.isShared)
  }

  async #tellSome(): Promise<boolean> {
    if (this.#isBusy) return false
    await (this.#isSettling ? this.#settle() : this.#send())
    return this.#doubt === null
  }

  async #settle(): Promise<void> {
    const tells = this.#toTell.values().take(toldAtOnce).toArray()
    const sent = this.#doubt ?? this.#batches.next({ asks: [], changes: [], tells, isSettling: true })
    if (sent !== null) await this.#charge(sent)
    else for (const one of tells) this.#toTell.delete(one)
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#parts.clock.after(ms, resolve)
    })
  }
}
