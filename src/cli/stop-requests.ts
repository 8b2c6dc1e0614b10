/** Reads the wish to stop from signals: the first asks to drain, the next to end now, one more not to wait for anything. */
import type { Clock } from '../base/clock.ts'

/** A terminal that is closed hangs up: what runs may end as well. */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export interface SignalSource {
  on(signal: (typeof stopSignals)[number], listener: () => void): unknown
}

/** npm hands on the Ctrl-C that the terminal has sent to us as well: both come from one press of the key. */
const samePressMs = 1_000

export class StopRequests {
  /** Finish what is running, then end. */
  readonly drain: Promise<void>
  /** End what is running. */
  readonly now: Promise<void>
  /** End without a word. */
  readonly atOnce: Promise<void>
  readonly #waiting: (() => void)[] = []
  readonly #clock: Clock
  #lastPressAt = Number.NEGATIVE_INFINITY

  constructor(signals: SignalSource, clock: Clock) {
    this.#clock = clock
    this.drain = this.#nextPress()
    this.now = this.#nextPress()
    this.atOnce = this.#nextPress()
    // For good: the second signal of a key press may come when all is done, and must not turn exit code 0 into a death by signal.
    for (const signal of stopSignals) signals.on(signal, this.#onSignal)
  }

  readonly #onSignal = (): void => {
    const now = this.#clock.now()
    if (now - this.#lastPressAt < samePressMs) return
    this.#lastPressAt = now
    this.#waiting.shift()?.()
  }

  #nextPress(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
    })
  }
}
