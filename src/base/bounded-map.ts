/** A map that forgets its oldest entries instead of growing without limit. */

export class BoundedMap<K, V> implements Iterable<[K, V]> {
  readonly #entries = new Map<K, V>()
  readonly #sizeMax: number
  /** The key written last. */
  #newest: K | undefined

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Writing an entry again makes it the newest. */
  set(key: K, value: V): void {
    // To delete and add it would leave a gap, and gaps have the whole map copied now and then.
    if (key !== this.#newest) this.#entries.delete(key)
    this.#entries.set(key, value)
    this.#newest = key
    if (this.#entries.size > this.#sizeMax) {
      const oldest = this.#entries.keys().next()
      if (oldest.done === false) this.#entries.delete(oldest.value)
    }
  }

  /** The oldest first. */
  entries(): Iterable<readonly [K, V]> {
    return this.#entries
  }

  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  /** The oldest first. */
  [Symbol.iterator](): Iterator<[K, V]> {
    return this.#entries[Symbol.iterator]()
  }
}
