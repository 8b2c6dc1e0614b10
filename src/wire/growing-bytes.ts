/** A body as it arrives: one buffer, however small the pieces, since each piece kept apart costs hundreds of bytes. */

const firstBytes = 16_384

export class GrowingBytes {
  #buffer: Buffer = Buffer.alloc(0)
  #size = 0

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
    return this.#buffer.subarray(0, this.#size)
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(firstBytes, bytes, this.#size * 2))
    this.#buffer.copy(grown, 0, 0, this.#size)
    this.#buffer = grown
  }
}
