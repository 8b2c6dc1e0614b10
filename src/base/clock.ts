/** Time as a dependency: everything that waits or measures takes a Clock, so that tests can own time. */

export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds with a fraction; only differences mean anything. */
  now(): number
  /** Wall-clock milliseconds since the epoch, for timestamps that people or other programs read. */
  wallMs(): number
  /** Calls back once after `delayMs`; a waiting timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
