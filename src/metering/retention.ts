/** Removes rows of the ledger that are older than they are kept. */
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { LedgerStore } from './ledger-store.ts'

const dayMs = 86_400_000
/** At a start there is enough to do. */
const firstMs = 60_000
const everyMs = 6 * 3_600_000

export interface RetentionParts {
  readonly store: Pick<LedgerStore, 'prune'>
  readonly clock: Clock
  readonly log: Log
  /** Asked again each time. */
  readonly retentionDays: number
}

export class Retention {
  readonly #parts: RetentionParts
  #timer: Timer | null = null

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  start(): void {
    this.#after(firstMs)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #after(delayMs: number): void {
    this.#timer = this.#parts.clock.after(delayMs, () => {
      void this.#prune()
      this.#after(everyMs)
    })
  }

  async #prune(): Promise<void> {
    const { store, clock, log, retentionDays } = this.#parts
    try {
      const rows = await store.prune(clock.wallMs() - retentionDays * dayMs)
      if (rows > 0) log('info', 'Old rows of the ledger were removed', { rows, retentionDays })
    } catch (error) {
      // Tried again in some hours; that the store fails is told by whoever needs it sooner.
      log('warn', 'Old rows of the ledger could not be removed', {
        problem: error instanceof Error ? error.message : String(error),
      })
    }
  }
}
