/**
 * Reads the wish to stop from signals: the first asks to drain, the next to end now, one more not to wait for anything. A
 * SIGHUP is one where a terminal was closed; of everybody else it asks to take the configuration anew.
 */
import type { Clock } from '../base/clock.ts'

const stopSignals = ['SIGTERM', 'SIGINT'] as const

export interface SignalSource {
  on(signal: (typeof stopSignals)[number] | 'SIGHUP', listener: () => void): unknown
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
  /** Called when the configuration is to be taken anew. */
  onReload: () => void = () => {}
  readonly #waiting: (() => void)[] = []
  readonly #clock: Clock
  #lastPressAt = Number.NEGATIVE_INFINITY

  /** `hasHungUp`: the terminal that it was started from is gone. */
  constructor(signals: SignalSource, clock: Clock, hasHungUp: () => boolean) {
    this.#clock = clock
    this.drain = this.#nextPress()
    this.now = this.#nextPress()
    this.atOnce = this.#nextPress()
    // For good: the second signal of a key press may come when all is done, and must not turn exit code 0 into a death by signal.
    for (const signal of stopSignals) signals.on(signal, this.#onSignal)
    signals.on('SIGHUP', () => {
      if (hasHungUp()) this.#onSignal()
      else this.onReload()
    })
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
