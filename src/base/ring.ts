/** The last so many of what was added. */

export class Ring<T> {
  readonly #max: number
  readonly #kept: T[] = []
  #oldest = 0

  /** 0 keeps none. */
  constructor(max: number) {
    this.#max = max
  }

  add(value: T): void {
    if (this.#kept.length < this.#max) this.#kept.push(value)
    else if (this.#max > 0) {
      this.#kept[this.#oldest] = value
      this.#oldest = (this.#oldest + 1) % this.#max
    }
  }

  /** As of its first step: what is added while they are gone through moves none of them. */
  *newestFirst(): Generator<T, undefined> {
    const [kept, oldest] = [[...this.#kept], this.#oldest]
    for (let back = 1; back <= kept.length; back++) {
      const value = kept[(oldest + kept.length - back) % kept.length]
      if (value !== undefined) yield value
    }
  }
}
