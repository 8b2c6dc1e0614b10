/**
 * Things that come and go all the time, in the order in which they came.
 *
 * A Set would do, but for the garbage collector: each table that a Set outgrows points to the next one, so that one which
 * had become old keeps alive, until the next collection of all, whatever was in those since. Of a busy gateway that was
 * two thirds of each request, copied twice before it was collected. Here who leaves points to nobody.
 */

/** Its neighbours; null at the ends, and where it is in no chain. */
export interface Link<Item> {
  before: Item | null
  after: Item | null
}

export class Chain<Item extends Link<Item>> implements Iterable<Item> {
  #first: Item | null = null
  #last: Item | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** It must be in no chain. */
  add(item: Item): void {
    item.before = this.#last
    if (this.#last === null) this.#first = item
    else this.#last.after = item
    this.#last = item
    this.#size++
  }

  /** It must be in this chain. */
  remove(item: Item): void {
    const { before, after } = item
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    item.before = null
    item.after = null
    this.#size--
  }

  /** Those that are there now, but who leaves before its turn comes; who comes meanwhile is not among them. */
  *[Symbol.iterator](): Generator<Item> {
    const all: Item[] = []
    for (let item = this.#first; item !== null; item = item.after) all.push(item)
    for (const item of all) if (this.#has(item)) yield item
  }

  #has(item: Item): boolean {
    return item.before !== null || item === this.#first
  }
}
