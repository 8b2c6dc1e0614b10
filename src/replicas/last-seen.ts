/** How many gateways there were, kept by each for a start while the store is away: then nobody can tell, and a share would be all. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'

/** What a gateway keeps for its next life. */
export interface KeptCount {
  /** Null where none was ever kept. */
  readonly count: number | null
  /** Rejects where it cannot be written. */
  keep(count: number): Promise<void>
}

/** Gateways that are stopped one after the other begin again as many as they were. */
const lowerAfterMs = 600_000
const writeAgainAfterMs = 60_000
/** Whatever a file says. */
const countMax = 256

export class LastSeen {
  readonly #clock: Clock
  readonly #log: Log
  #kept: KeptCount | null = null
  /** As it is kept. */
  #count = 1
  /** Monotonic: since when there were fewer, and how many at the most. */
  #fewerSinceMs: number | null = null
  #fewer = 1
  #isWriting = false
  #hasFailed = false
  #writesAtMs = Number.NEGATIVE_INFINITY

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock
    this.#log = log
  }

  get count(): number {
    return this.#count
  }

  begin(kept: KeptCount): void {
    this.#kept = kept
    const { count } = kept
    if (count !== null && Number.isInteger(count) && count >= 1) this.#count = Math.min(countMax, count)
  }

  /** So many live by what the store says. */
  see(living: number): void {
    const nowMs = this.#clock.now()
    const count = Math.min(countMax, living)
    if (count === this.#count) this.#fewerSinceMs = null
    else if (count > this.#count) this.#write(count)
    else if (this.#fewerSinceMs === null) {
      this.#fewerSinceMs = nowMs
      this.#fewer = count
    } else {
      this.#fewer = Math.max(this.#fewer, count)
      if (nowMs - this.#fewerSinceMs >= lowerAfterMs) this.#write(this.#fewer)
    }
  }

  #write(count: number): void {
    if (this.#kept === null || this.#isWriting || this.#clock.now() < this.#writesAtMs) return
    this.#isWriting = true
    void this.#written(this.#kept, count)
  }

  async #written(kept: KeptCount, count: number): Promise<void> {
    try {
      await kept.keep(count)
      this.#count = count
      this.#fewerSinceMs = null
      this.#hasFailed = false
    } catch (error) {
      this.#writesAtMs = this.#clock.now() + writeAgainAfterMs
      const problem = error instanceof Error ? error.message : String(error)
      if (!this.#hasFailed)
        this.#log(
          'warn',
          'How many gateways there are cannot be kept: after a start without Redis limits are not shared out',
          {
            problem,
          },
        )
      this.#hasFailed = true
    } finally {
      this.#isWriting = false
    }
  }
}
