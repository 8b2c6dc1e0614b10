/** Who goes next: the seam at which first come, first served can be replaced by a fairer order. */

export interface Order<T> {
  readonly size: number
  /** `returning` entries had a slot before and keep their place in front of all who never had one. */
  add(entry: T, returning: boolean): void
  /** False when it was not waiting (any more). Costs the same however many wait. */
  remove(entry: T): boolean
  /** The first in order that satisfies `fits`, still waiting; an entry that does not fit blocks nobody behind it. */
  first(fits: (entry: T) => boolean): T | undefined
  [Symbol.iterator](): Iterator<T>
}

export class FirstCome<T> implements Order<T> {
  // A Set keeps the order of arrival and forgets an entry in constant time.
  readonly #returning = new Set<T>()
  readonly #waiting = new Set<T>()

  get size(): number {
    return this.#returning.size + this.#waiting.size
  }

  add(entry: T, returning: boolean): void {
    ;(returning ? this.#returning : this.#waiting).add(entry)
  }

  remove(entry: T): boolean {
    return this.#returning.delete(entry) || this.#waiting.delete(entry)
  }

  first(fits: (entry: T) => boolean): T | undefined {
    for (const entry of this) if (fits(entry)) return entry
    return undefined
  }

  *[Symbol.iterator](): Iterator<T> {
    yield* this.#returning
    yield* this.#waiting
  }
}
