/** A body as it arrives: one buffer, however small the pieces, since each piece kept apart costs hundreds of bytes. */

const firstBytes = 16_384

const none = Buffer.alloc(0)

export class GrowingBytes {
  readonly #expectedBytes: number
  #buffer: Buffer = none
  #size = 0

  /** So many will come if all goes well, and no room is made for more than that; NaN where it is not known. */
  constructor(expectedBytes = Number.NaN) {
    this.#expectedBytes = expectedBytes
  }

  get size(): number {
    return this.#size
  }

  add(chunk: Buffer): void {
    // The first piece is the whole body more often than not, so it is not copied; it is full, so the next one moves it.
    if (this.#size === 0) this.#buffer = chunk
    else {
      this.#reserve(this.#size + chunk.length)
      chunk.copy(this.#buffer, this.#size)
    }
    this.#size += chunk.length
  }

  bytes(): Buffer {
    return this.#size === this.#buffer.length ? this.#buffer : this.#buffer.subarray(0, this.#size)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    // So that small pieces are not moved each time; never all that was announced at once, which is easily said. Where it
    // is not known how much will come, less stays unused.
    const ahead = Math.max(firstBytes, this.#size * (this.#expectedBytes > 0 ? 4 : 2))
    const grown = Buffer.allocUnsafe(Math.max(bytes, ahead > this.#expectedBytes ? this.#expectedBytes : ahead))
    this.#buffer.copy(grown, 0, 0, this.#size)
    this.#buffer = grown
  }
}
