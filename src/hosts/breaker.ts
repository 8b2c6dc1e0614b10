/** Passive ejection: a host that fails request after request is left alone for a while, whatever its probes say. */
import type { Clock } from '../base/clock.ts'

export interface BreakerOptions {
  /** The first ejection; the n-th is n times as long, up to eight times. */
  readonly ejectMs: number
  /** So long after a return, with a success and no new ejection, the earlier ejections are forgotten. */
  readonly proofMs: number
}

/** Connections lost in a row. */
const lostMax = 3
/** Failed answers in a row. */
const failedMax = 5
const timesLongerMax = 8
/** ± this share, so that hosts which failed together do not come back together. */
const spread = 0.2

export class Breaker {
  #options: BreakerOptions
  readonly #clock: Clock
  readonly #chance: () => number
  #lostInARow = 0
  #failedInARow = 0
  #ejections = 0
  /** End of the last ejection, past or to come; null while there was none. */
  #untilMs: number | null = null
  /** Since the last ejection nothing has succeeded: the next failure ejects again at once. */
  #onTrial = false

  constructor(options: BreakerOptions, clock: Clock, chance: () => number) {
    this.#options = options
    this.#clock = clock
    this.#chance = chance
  }

  /** An ejection that is under way ends as it was to. */
  adopt(options: BreakerOptions): void {
    this.#options = options
  }

  /** 0 when the host is not ejected. */
  get openForMs(): number {
    return this.#untilMs === null ? 0 : Math.max(0, this.#untilMs - this.#clock.now())
  }

  get open(): boolean {
    return this.openForMs > 0
  }

  /** When the last ejection ended; null while one is under way or there was none. */
  get returnedAtMs(): number | null {
    return this.open ? null : this.#untilMs
  }

  /** `endsEjection`: the request was let through to an ejected host, to see whether it works again. */
  succeeded(endsEjection: boolean): void {
    this.#lostInARow = 0
    this.#failedInARow = 0
    if (this.open) {
      if (!endsEjection) return
      this.#untilMs = this.#clock.now()
    }
    this.#onTrial = false
  }

  /** True when this failure ejects the host. While it is ejected, failures change nothing. */
  failed(kind: 'lost' | 'failed'): boolean {
    if (this.open) return false
    if (kind === 'lost') this.#lostInARow++
    else this.#failedInARow++
    if (!this.#onTrial && this.#lostInARow < lostMax && this.#failedInARow < failedMax) return false
    this.#eject()
    return true
  }

  #eject(): void {
    const now = this.#clock.now()
    const { ejectMs, proofMs } = this.#options
    if (!this.#onTrial && this.#untilMs !== null && now >= this.#untilMs + proofMs) this.#ejections = 0
    this.#ejections++
    const longestMs = ejectMs * timesLongerMax
    const spreadMs = Math.round(ejectMs * this.#ejections * (1 - spread + 2 * spread * this.#chance()))
    this.#untilMs = now + Math.min(spreadMs, longestMs)
    this.#onTrial = true
    this.#lostInARow = 0
    this.#failedInARow = 0
  }
}
