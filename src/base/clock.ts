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
  /** Calls back once after one more turn of the event loop: what waits in the sockets by now has been read then. */
  afterTurn(callback: () => void): Timer
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs)
    handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
  afterTurn(callback) {
    // Runs after the sockets are read, where a timer of 0 ms may still come before them.
    const handle = setImmediate(callback)
    return { cancel: () => clearImmediate(handle) }
  },
}
