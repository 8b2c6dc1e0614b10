/** A host that says it is busy is not sick: it gets less, after a pause, and then slowly more again. */
import type { Clock } from '../base/clock.ts'

/** The shortest and the longest pause a host can ask for. */
const pauseMsMin = 250
const pauseMsMax = 60_000
/** Without a word on how long: the first pause, doubled at each further busy answer without a success in between. */
const unsaidPauseMs = 1_000
const unsaidPauseMsMax = 30_000
/** After the pause one slot is given back per so much time. */
const slotBackMs = 10_000

export class BackPressure {
  readonly #clock: Clock
  /** Slots at the end of the pause; null while no busy answer lowered them. */
  #lowered: number | null = null
  #pausedUntilMs = 0
  #busyInARow = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `leases`: requests at the host, the one that was answered so included. A wait of 0 says nothing. */
  busy(retryAfterMs: number | null, leases: number, slots: number): void {
    this.#lowered = Math.max(1, Math.min(this.slots(slots), leases - 1))
    const said = retryAfterMs !== null && retryAfterMs > 0
    const unsaidMs = Math.min(unsaidPauseMs * 2 ** Math.min(this.#busyInARow, 16), unsaidPauseMsMax)
    const pauseMs = said ? Math.min(Math.max(retryAfterMs, pauseMsMin), pauseMsMax) : unsaidMs
    this.#busyInARow++
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.now() + pauseMs)
  }

  succeeded(): void {
    this.#busyInARow = 0
  }

  /** Nothing new may go to the host for so long; 0 when it may. */
  get pausedForMs(): number {
    return this.#lowered === null ? 0 : Math.max(0, this.#pausedUntilMs - this.#clock.now())
  }

  /** How many of its slots may be used. */
  slots(slots: number): number {
    if (this.#lowered === null) return slots
    const sinceMs = Math.max(0, this.#clock.now() - this.#pausedUntilMs)
    return Math.min(slots, this.#lowered + Math.floor(sinceMs / slotBackMs))
  }

  /** Until one more may be used; null when all may. */
  msToNextSlot(slots: number): number | null {
    if (this.#lowered === null || this.slots(slots) >= slots) return null
    const sinceMs = Math.max(0, this.#clock.now() - this.#pausedUntilMs)
    return this.pausedForMs + slotBackMs - (sinceMs % slotBackMs)
  }
}
