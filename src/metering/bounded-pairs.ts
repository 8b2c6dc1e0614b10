/** One of something for each model and host: they are configured or listed by hosts, and past so many pairs all others share one. */

const pairsMax = 1_000
const other = 'other'

export class BoundedPairs<Kept> implements Iterable<Kept> {
  readonly #make: (model: string, host: string) => Kept
  readonly #kept = new Map<string, Kept>()

  constructor(make: (model: string, host: string) => Kept) {
    this.#make = make
  }

  of(model: string, host: string): Kept {
    const id = JSON.stringify([model, host])
    return this.#kept.get(id) ?? (this.#kept.size < pairsMax ? this.#made(id, model, host) : this.#others())
  }

  [Symbol.iterator](): Iterator<Kept> {
    return this.#kept.values()
  }

  #others(): Kept {
    return this.#kept.get(other) ?? this.#made(other, other, other)
  }

  #made(id: string, model: string, host: string): Kept {
    const kept = this.#make(model, host)
    this.#kept.set(id, kept)
    return kept
  }
}
