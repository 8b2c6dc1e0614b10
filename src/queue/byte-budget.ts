/** The bytes of request bodies that may be held at the same time, over all requests. */

export class ByteBudget {
  readonly #bytesMax: number
  readonly #onRefused: () => void
  #held = 0

  constructor(bytesMax: number, onRefused: () => void) {
    this.#bytesMax = bytesMax
    this.#onRefused = onRefused
  }

  get held(): number {
    return this.#held
  }

  /** False when the budget would be exceeded; nothing is taken then. */
  take(bytes: number): boolean {
    if (this.#held + bytes > this.#bytesMax) {
      this.#onRefused()
      return false
    }
    this.#held += bytes
    return true
  }

  give(bytes: number): void {
    this.#held -= bytes
  }
}
