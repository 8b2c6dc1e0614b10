/**
 * Digests in the order of their last use. In typed arrays, since they are looked for in each choice of a host, in lists of
 * many hosts: a map of numbers takes half as much memory again, and several times as long to say that one is not there.
 */

const capacityAtFirst = 64

/** Entries have numbers from 1 on; 0 is none, and where the ring of the order begins and ends. */
export class DigestList {
  #size = 0
  #capacity = capacityAtFirst
  /** Of each entry. */
  #digests = new Float64Array(capacityAtFirst + 1)
  #usedAtS = new Uint32Array(capacityAtFirst + 1)
  /** The entries that were used just before and just after it; of 0 the newest and the oldest of all. */
  #older = new Int32Array(capacityAtFirst + 1)
  #newer = new Int32Array(capacityAtFirst + 1)
  /** Another one with the same last bits, or the next one of those that are free. */
  #next = new Int32Array(capacityAtFirst + 1)
  /** By last bits of digests, which are as good as random: the first entry. */
  #firsts = new Int32Array(capacityAtFirst)
  #free = 0

  get size(): number {
    return this.#size
  }

  /** It is there, and was used no longer ago. */
  has(digest: number, sinceS: number): boolean {
    const entry = this.#find(digest)
    return entry !== 0 && (this.#usedAtS[entry] ?? 0) >= sinceS
  }

  /** From now on it is the newest. When it was used before; less than 0 where it is new. */
  use(digest: number, nowS: number): number {
    let entry = this.#find(digest)
    let beforeS = -1
    if (entry === 0) entry = this.#added(digest)
    else {
      this.#unlink(entry)
      beforeS = this.#usedAtS[entry] ?? 0
    }
    this.#usedAtS[entry] = nowS
    const newest = this.#older[0] ?? 0
    this.#newer[newest] = entry
    this.#older[entry] = newest
    this.#newer[entry] = 0
    this.#older[0] = entry
    return beforeS
  }

  /** The newest first, back to those that were used so long ago. */
  *newest(sinceS: number): Iterable<number> {
    for (let entry = this.#older[0] ?? 0; entry !== 0; entry = this.#older[entry] ?? 0) {
      if ((this.#usedAtS[entry] ?? 0) < sinceS) return
      yield this.#digests[entry] ?? 0
    }
  }

  dropOldest(): void {
    const entry = this.#newer[0] ?? 0
    if (entry === 0) return
    this.#unlink(entry)
    const last = this.#lastBits(this.#digests[entry] ?? 0)
    const next = this.#next[entry] ?? 0
    if (this.#firsts[last] === entry) {
      this.#firsts[last] = next
    } else {
      let before = this.#firsts[last] ?? 0
      while (before !== 0 && this.#next[before] !== entry) before = this.#next[before] ?? 0
      this.#next[before] = next
    }
    this.#next[entry] = this.#free
    this.#free = entry
    this.#size--
  }

  #find(digest: number): number {
    let entry = this.#firsts[this.#lastBits(digest)] ?? 0
    while (entry !== 0 && this.#digests[entry] !== digest) entry = this.#next[entry] ?? 0
    return entry
  }

  #lastBits(digest: number): number {
    return digest & (this.#capacity - 1)
  }

  #added(digest: number): number {
    if (this.#size === this.#capacity) this.#grow()
    this.#size++
    let entry = this.#free
    if (entry === 0) entry = this.#size
    else this.#free = this.#next[entry] ?? 0
    this.#digests[entry] = digest
    this.#enter(entry)
    return entry
  }

  #enter(entry: number): void {
    const last = this.#lastBits(this.#digests[entry] ?? 0)
    this.#next[entry] = this.#firsts[last] ?? 0
    this.#firsts[last] = entry
  }

  #unlink(entry: number): void {
    const [older, newer] = [this.#older[entry] ?? 0, this.#newer[entry] ?? 0]
    this.#newer[older] = newer
    this.#older[newer] = older
  }

  /** To twice as many; none is free. */
  #grow(): void {
    this.#capacity *= 2
    const length = this.#capacity + 1
    const [digests, usedAtS, older, newer] = [this.#digests, this.#usedAtS, this.#older, this.#newer]
    this.#digests = new Float64Array(length)
    this.#digests.set(digests)
    this.#usedAtS = new Uint32Array(length)
    this.#usedAtS.set(usedAtS)
    this.#older = new Int32Array(length)
    this.#older.set(older)
    this.#newer = new Int32Array(length)
    this.#newer.set(newer)
    this.#next = new Int32Array(length)
    this.#firsts = new Int32Array(this.#capacity)
    for (let entry = 1; entry <= this.#size; entry++) this.#enter(entry)
  }
}
