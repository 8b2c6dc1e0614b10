/** One of something for each model and host: they are configured or listed by hosts, and past so many pairs all others share one. */

const pairsMax = 1_000
const other = 'other'

export class BoundedPairs<Kept> implements Iterable<Kept> {
  readonly #make: (model: string, host: string) => Kept
  /** By model and host: found for each request, without making a key of both. */
  readonly #byModel = new Map<string, Map<string, Kept>>()
  /** In the order in which they were made. */
  readonly #kept: Kept[] = []

  constructor(make: (model: string, host: string) => Kept) {
    this.#make = make
  }

  of(model: string, host: string): Kept {
    const known = this.#byModel.get(model)?.get(host)
    return known ?? (this.#kept.length < pairsMax ? this.#made(model, host) : this.#others())
  }

  [Symbol.iterator](): Iterator<Kept> {
    return this.#kept.values()
  }

  #others(): Kept {
    return this.#byModel.get(other)?.get(other) ?? this.#made(other, other)
  }

  #made(model: string, host: string): Kept {
    const kept = this.#make(model, host)
    const byHost = this.#byModel.get(model) ?? new Map<string, Kept>()
    this.#byModel.set(model, byHost.set(host, kept))
    this.#kept.push(kept)
    return kept
  }
}
