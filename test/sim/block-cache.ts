/** What a machine keeps of prompts it has read: blocks of them, the longest unused given up first. */

export class BlockCache {
  readonly #most: number
  /** A block stands for all of the prompt up to its end, so that no other prompt has it by chance. */
  readonly #kept = new Set<number>()

  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#kept.size
  }

  /** How many of the first blocks of a prompt it has. */
  match(blocks: readonly number[]): number {
    let count = 0
    while (count < blocks.length && this.#kept.has(blocks[count]!)) count++
    return count
  }

  /** The beginnings are used last, so that no block outlives one that it stands on. */
  keep(blocks: readonly number[]): void {
    const kept = this.#kept
    for (let at = blocks.length - 1; at >= 0; at--) {
      kept.delete(blocks[at]!)
      kept.add(blocks[at]!)
    }
    if (kept.size <= this.#most) return
    for (const oldest of kept) {
      kept.delete(oldest)
      if (kept.size <= this.#most) return
    }
  }

  clear(): void {
    this.#kept.clear()
  }
}
