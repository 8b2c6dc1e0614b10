/** When the store of limits would not do what it was asked, it is not asked again and again: longer each time. */
import type { Clock } from '../base/clock.ts'

export interface PauseState {
  readonly why: string
  /** Wall clock: when that began. */
  readonly sinceMs: number
}

const pauseMsMin = 100
const pauseMsMax = 10_000

export class LanePause {
  readonly #clock: Clock
  #state: PauseState | null = null
  #forMs = 0
  #untilMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nothing is asked just now. */
  get isOn(): boolean {
    return this.#state !== null && this.#clock.now() < this.#untilMs
  }

  /** Null where the store did what it was asked last. */
  get state(): PauseState | null {
    return this.#state
  }

  begin(why: string): void {
    this.#forMs = this.#state === null ? pauseMsMin : Math.min(pauseMsMax, 2 * this.#forMs)
    this.#untilMs = this.#clock.now() + this.#forMs
    this.#state = { why, sinceMs: this.#state?.sinceMs ?? this.#clock.wallMs() }
  }

  end(): void {
    this.#state = null
  }
}
