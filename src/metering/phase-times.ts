/**
 * Seconds that streams spend in each phase, by model and host, added up while they run: counted at their end instead,
 * a long generation would land in one scrape as a spike.
 */
import type { Clock } from '../base/clock.ts'
import { BoundedPairs } from './bounded-pairs.ts'
import type { GeneratingTotals, PhaseTotals } from './events.ts'

/** whole: of an answer that shows nothing before it is whole. */
export type Phase = 'prefill' | 'decode' | 'whole'

interface Account {
  readonly model: string
  readonly host: string
  readonly running: Record<Phase, number>
  readonly ms: Record<Phase | 'busy', number>
  countedToMs: number
}

/** Of a host, over all its models. */
interface HostAccount {
  /** Answers that it makes now: all but those in prefill. */
  running: number
  generatingMs: number
  countedToMs: number
}

/** Hosts are configured; past so many all others are one. */
const hostsMax = 1_000
const other = 'other'

export class PhaseTimes {
  readonly #clock: Clock
  readonly #accounts: BoundedPairs<Account>
  readonly #hosts = new Map<string, HostAccount>()

  constructor(clock: Clock) {
    this.#clock = clock
    this.#accounts = new BoundedPairs((model, host) => newAccount(model, host, clock.now()))
  }

  /** A stream enters the phase; the returned function ends it, once. */
  enter(model: string, host: string, phase: Phase): () => void {
    const account = this.#accounts.of(model, host)
    const hostAccount = phase === 'prefill' ? null : this.#hostAccount(host)
    this.#add(account, phase, hostAccount, 1)
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#add(account, phase, hostAccount, -1)
    }
  }

  *totals(): Generator<PhaseTotals> {
    for (const account of this.#accounts) {
      this.#countUp(account)
      const { model, host, ms, running } = account
      yield {
        model,
        host,
        prefillSeconds: ms.prefill / 1000,
        decodeSeconds: ms.decode / 1000,
        wholeSeconds: ms.whole / 1000,
        busySeconds: ms.busy / 1000,
        running: { ...running },
      }
    }
  }

  *generating(): Generator<GeneratingTotals> {
    for (const [host, account] of this.#hosts) {
      this.#countHostUp(account)
      yield { host, seconds: account.generatingMs / 1000 }
    }
  }

  #add(account: Account, phase: Phase, hostAccount: HostAccount | null, count: 1 | -1): void {
    this.#countUp(account)
    account.running[phase] += count
    if (hostAccount === null) return
    this.#countHostUp(hostAccount)
    hostAccount.running += count
  }

  #hostAccount(host: string): HostAccount {
    const known = this.#hosts.get(host)
    if (known !== undefined) return known
    if (this.#hosts.size >= hostsMax && host !== other) return this.#hostAccount(other)
    const account = { running: 0, generatingMs: 0, countedToMs: this.#clock.now() }
    this.#hosts.set(host, account)
    return account
  }

  #countUp(account: Account): void {
    const now = this.#clock.now()
    const elapsedMs = now - account.countedToMs
    account.countedToMs = now
    account.ms.prefill += elapsedMs * account.running.prefill
    account.ms.decode += elapsedMs * account.running.decode
    account.ms.whole += elapsedMs * account.running.whole
    if (account.running.decode + account.running.whole > 0) account.ms.busy += elapsedMs
  }

  #countHostUp(account: HostAccount): void {
    const now = this.#clock.now()
    if (account.running > 0) account.generatingMs += now - account.countedToMs
    account.countedToMs = now
  }
}

function newAccount(model: string, host: string, countedToMs: number): Account {
  return {
    model,
    host,
    running: { prefill: 0, decode: 0, whole: 0 },
    ms: { prefill: 0, decode: 0, whole: 0, busy: 0 },
    countedToMs,
  }
}
