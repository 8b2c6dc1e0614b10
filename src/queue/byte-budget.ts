/** The bytes of request bodies that may be held at the same time: over all requests, and of these by one caller. */

/** What keeps bytes from being taken: the caller's own, which are the most of all that is held, or those of many. */
export type NoRoom = 'own' | 'all'

/** What one caller takes of a budget. */
export interface ByteShare {
  /** Null, or why nothing was taken. */
  take(bytes: number): NoRoom | null
  give(bytes: number): void
}

/** For a single body that has its bound already. */
export const unshared: ByteShare = { take: () => null, give: () => {} }

export class ByteBudget {
  bytesMax: number
  readonly #onRefused: () => void
  /** Callers that hold some, and how many bytes. */
  readonly #byOwner = new Map<string, number>()
  #held = 0

  constructor(bytesMax: number, onRefused: () => void) {
    this.bytesMax = bytesMax
    this.#onRefused = onRefused
  }

  get held(): number {
    return this.#held
  }

  shareOf(owner: string): ByteShare {
    return { take: (bytes) => this.#take(owner, bytes), give: (bytes) => this.#give(owner, bytes) }
  }

  /**
   * No caller may hold more than half of what is left free then: a third of all where it is alone, less where others
   * hold some too. However many fill it together, there is room for the next.
   */
  #take(owner: string, bytes: number): NoRoom | null {
    const own = (this.#byOwner.get(owner) ?? 0) + bytes
    const held = this.#held + bytes
    if (own * 2 > this.bytesMax - held) {
      this.#onRefused()
      return own > held / 2 ? 'own' : 'all'
    }
    this.#byOwner.set(owner, own)
    this.#held = held
    return null
  }

  #give(owner: string, bytes: number): void {
    this.#held -= bytes
    const left = (this.#byOwner.get(owner) ?? 0) - bytes
    if (left > 0) this.#byOwner.set(owner, left)
    else this.#byOwner.delete(owner)
  }
}
