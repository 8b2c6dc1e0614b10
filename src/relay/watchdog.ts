/** One deadline at a time; fed by content, it is moved without touching a timer. */
import type { Clock, Timer } from '../base/clock.ts'

/** Timers of a healthy process are a few milliseconds late; beyond this the loop was blocked, or the machine slept. */
const lateMsOrdinary = 25

/**
 * A timer that fires says nothing about what has arrived: after a block of the event loop, or a sleep of the machine,
 * timers come first and the sockets after them. So what waits in the sockets is read before anybody is judged, and the
 * time that was lost is granted anew: the other side may not have been able to send while nobody took anything.
 */
export class Watchdog {
  readonly #clock: Clock
  #timer: Timer | null = null
  #limitMs = 0
  #fedAtMs = 0
  /** Added to the limit since it was last fed, for time that was lost. */
  #grantedMs = 0
  #onExpire: () => void = () => {}
  #paused = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Replaces the deadline: `onExpire` is called once when `limitMs` have passed since now or since the last `feed`. */
  set(limitMs: number, onExpire: () => void): void {
    this.#timer?.cancel()
    this.#limitMs = limitMs
    this.#onExpire = onExpire
    this.feed()
    this.#arm(limitMs)
  }

  /** The deadline counts from now: a number is written, the timer looks at it when it fires. */
  feed(nowMs: number = this.#clock.now()): void {
    this.#fedAtMs = nowMs
    this.#grantedMs = 0
  }

  /** Time does not count until `resume`: a client that does not read is no fault of the host. */
  pause(): void {
    this.#paused = true
  }

  /** The whole deadline counts anew. */
  resume(): void {
    this.#paused = false
    this.feed()
  }

  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(delayMs: number): void {
    const dueMs = this.#clock.now() + delayMs
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#armAgain()) return
      const lostMs = this.#clock.now() - dueMs
      this.#timer = this.#clock.afterTurn(() => this.#judge(lostMs))
    })
  }

  /** What waited in the sockets was read. */
  #judge(lostMs: number): void {
    if (this.#armAgain()) return
    // The limit once more at the most, so that a loop that is blocked again and again does not wait for ever.
    const grantMs = lostMs > lateMsOrdinary ? Math.min(lostMs, this.#limitMs - this.#grantedMs) : 0
    if (grantMs > 0) {
      this.#grantedMs += grantMs
      this.#arm(grantMs)
    } else {
      this.#timer = null
      this.#onExpire()
    }
  }

  /** True when the deadline was moved while the timer ran. */
  #armAgain(): boolean {
    const leftMs = this.#paused ? this.#limitMs : this.#fedAtMs + this.#limitMs - this.#clock.now()
    if (leftMs > 0) this.#arm(leftMs)
    return leftMs > 0
  }
}
