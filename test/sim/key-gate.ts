/** At most so many requests of one key at once in the line and on hosts; the others wait before it, in order. */

export interface Gate {
  /** Calls `enter` now, or when there is room. Returns what takes it out again while it waits there; false: it had entered. */
  ask(key: string, enter: () => void): () => boolean
  /** One that had entered has ended. */
  ended(key: string): void
}

export const openGate: Gate = {
  ask(_key, enter) {
    enter()
    return () => false
  },
  ended: () => {},
}

export class KeyGate implements Gate {
  readonly #most: number
  readonly #inside = new Map<string, number>()
  readonly #before = new Map<string, Set<() => void>>()

  constructor(most: number) {
    this.#most = most
  }

  ask(key: string, enter: () => void): () => boolean {
    const inside = this.#inside.get(key) ?? 0
    if (inside < this.#most) {
      this.#inside.set(key, inside + 1)
      enter()
      return () => false
    }
    const before = this.#before.get(key) ?? new Set()
    this.#before.set(key, before)
    before.add(enter)
    return () => before.delete(enter)
  }

  ended(key: string): void {
    const [next] = this.#before.get(key) ?? []
    if (next === undefined) {
      this.#inside.set(key, (this.#inside.get(key) ?? 1) - 1)
      return
    }
    this.#before.get(key)?.delete(next)
    next()
  }
}
