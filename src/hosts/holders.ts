/**
 * Who holds the slots of a host, or has a model in use, in the order in which they came. A plain list, since a host has
 * some hundred slots at the most; base/chain.ts tells why it is no Set.
 */
export class Holders implements Iterable<object> {
  readonly #holders: object[] = []

  get size(): number {
    return this.#holders.length
  }

  has(holder: object): boolean {
    return this.#holders.includes(holder)
  }

  /** Nothing happens to one that is among them already. */
  add(holder: object): void {
    if (!this.has(holder)) this.#holders.push(holder)
  }

  delete(holder: object): void {
    const at = this.#holders.indexOf(holder)
    if (at >= 0) this.#holders.splice(at, 1)
  }

  /** None may come or go before it is through. */
  [Symbol.iterator](): ArrayIterator<object> {
    return this.#holders.values()
  }
}
