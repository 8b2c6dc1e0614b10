/** The bound of what is kept of one streamed answer that is put together. */

/** The answer is larger than the bound. */
export class AssemblyTooLargeError extends Error {
  override readonly name = 'AssemblyTooLargeError'
}

export class AssemblySize {
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** Counts what is kept from now on; less than 0 where it takes the place of something larger. */
  take(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#bytesMax) {
      throw new AssemblyTooLargeError(`an answer that is put together exceeds ${this.#bytesMax} bytes`)
    }
  }
}
