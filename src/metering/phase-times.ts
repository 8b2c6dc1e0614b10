/**
 * Seconds that streams spend in each phase, by model and host, added up while they run: counted at their end instead,
 * a long generation would land in one scrape as a spike.
 */
import type { Clock } from '../base/clock.ts'
import type { PhaseTotals } from './events.ts'

/** whole: of an answer that shows nothing before it is whole. */
export type Phase = 'prefill' | 'decode' | 'whole'

interface Account {
  readonly model: string
  readonly host: string
  readonly running: Record<Phase, number>
  readonly ms: Record<Phase | 'busy', number>
  countedToMs: number
}

/** Models and hosts are configured or listed by hosts; past so many pairs of them all others are one. */
const pairsMax = 1_000
const other = 'other'

export class PhaseTimes {
  readonly #clock: Clock
  readonly #accounts = new Map<string, Account>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A stream enters the phase; the returned function ends it, once. */
  enter(model: string, host: string, phase: Phase): () => void {
    const account = this.#account(model, host)
    this.#countUp(account)
    account.running[phase]++
    let ended = false
    return () => {
      if (ended) return
      ended = true
      this.#countUp(account)
      account.running[phase]--
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

  #account(model: string, host: string): Account {
    const id = JSON.stringify([model, host])
    return this.#accounts.get(id) ?? (this.#accounts.size < pairsMax ? this.#made(id, model, host) : this.#others())
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

  #countUp(account: Account): void {
    const now = this.#clock.now()
    const elapsedMs = now - account.countedToMs
    account.countedToMs = now
    account.ms.prefill += elapsedMs * account.running.prefill
    account.ms.decode += elapsedMs * account.running.decode
    account.ms.whole += elapsedMs * account.running.whole
    if (account.running.decode + account.running.whole > 0) account.ms.busy += elapsedMs
  }
}
