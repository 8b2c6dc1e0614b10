/** A clock that runs faster than the one on the wall, and stands still while this process does: real sockets, virtual time. */
import { setTimeout as pause } from 'node:timers/promises'
import { FakeClock } from './fake-clock.ts'

/** One such step takes a millisecond, or more where the machine is busy. */
const stepMsDefault = 20

export class RunningClock extends FakeClock implements AsyncDisposable {
  readonly #stop = new AbortController()
  readonly #ticking: Promise<void>

  constructor(stepMs: number = stepMsDefault) {
    super()
    this.#ticking = this.#tick(stepMs)
  }

  /** Resolves when so much time has passed on it. */
  passed(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(ms, resolve)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ticking
  }

  async #tick(stepMs: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.advance(stepMs)
      await pause(1)
    }
  }
}
