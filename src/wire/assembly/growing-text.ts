/** A text that comes in small pieces. */
import type { AssemblySize } from './assembly-size.ts'

/** A string costs tens of bytes beside its characters, so no more than these are kept apart. */
const piecesMax = 64

export class GrowingText {
  readonly #size: AssemblySize
  readonly #blocks: string[] = []
  #pieces: string[] = []

  constructor(size: AssemblySize) {
    this.#size = size
  }

  add(piece: string): void {
    if (piece === '') return
    this.#size.take(Buffer.byteLength(piece))
    this.#pieces.push(piece)
    if (this.#pieces.length < piecesMax) return
    // Joined, not added up: a sum of strings keeps every one of them.
    this.#blocks.push(this.#pieces.join(''))
    this.#pieces = []
  }

  get isEmpty(): boolean {
    return this.#blocks.length === 0 && this.#pieces.length === 0
  }

  text(): string {
    return this.#blocks.join('') + this.#pieces.join('')
  }
}
