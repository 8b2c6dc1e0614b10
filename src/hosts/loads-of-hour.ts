/** When a host began to load models in the last hour. */
import type { Clock } from '../base/clock.ts'

const hourMs = 3_600_000
/** As many as are told apart; one more a minute would be no use to anybody. */
const loadsMax = 1_000

export class LoadsOfHour {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #atMs: number[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  began(): void {
    this.#atMs.push(this.#clock.now())
    if (this.#atMs.length > loadsMax) this.#atMs.shift()
  }

  get count(): number {
    this.#forget()
    return this.#atMs.length
  }

  /** Until there were fewer than so many in an hour; 0 when there were now. */
  nextInMs(countMax: number): number {
    this.#forget()
    const oldest = this.#atMs[this.#atMs.length - countMax]
    return oldest === undefined ? 0 : Math.max(0, oldest + hourMs - this.#clock.now())
  }

  #forget(): void {
    const from = this.#clock.now() - hourMs
    while ((this.#atMs[0] ?? Number.POSITIVE_INFINITY) <= from) this.#atMs.shift()
  }
}
