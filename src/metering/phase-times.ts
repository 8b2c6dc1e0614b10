/**
 * Seconds that streams spend in each phase, by model and host, added up while they run: counted at their end instead,
 * a long generation would land in one scrape as a spike.
 */
import type { Clock } from '../base/clock.ts'
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

/** Models and hosts are configured or listed by hosts; past so many pairs of them, or hosts, all others are one. */
const accountsMax = 1_000
const other = 'other'

export class PhaseTimes {
  readonly #clock: Clock
  readonly #accounts = new Map<string, Account>()
  readonly #hosts = new Map<string, HostAccount>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A stream enters the phase; the returned function ends it, once. */
  enter(model: string, host: string, phase: Phase): () => void {
    const account = this.#account(model, host)
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
    for (const account of this.#accounts.values()) {
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

  #account(model: string, host: string): Account {
    const id = JSON.stringify([model, host])
    return this.#accounts.get(id) ?? (this.#accounts.size < accountsMax ? this.#made(id, model, host) : this.#others())
  }

  #others(): Account {
    return this.#accounts.get(other) ?? this.#made(other, other, other)
  }

  #made(id: string, model: string, host: string): Account {
    const account = {
      model,
      host,
      running: { prefill: 0, decode: 0, whole: 0 },
      ms: { prefill: 0, decode: 0, whole: 0, busy: 0 },
      countedToMs: this.#clock.now(),
    }
    this.#accounts.set(id, account)
    return account
  }

  #hostAccount(host: string): HostAccount {
    const known = this.#hosts.get(host)
    if (known !== undefined) return known
    if (this.#hosts.size >= accountsMax && host !== other) return this.#hostAccount(other)
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
