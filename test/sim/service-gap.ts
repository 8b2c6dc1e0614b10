/**
 * How far apart the service of two keys gets while both have requests waiting, in cost: 1 for a token of a prompt that was
 * read, 2 for one of an answer. And Jain's index of that service over windows of a minute.
 */

const windowMs = 60_000

export class ServiceGap {
  readonly #keys: number
  readonly #served: Float64Array
  readonly #waiting: Int32Array
  /** Since when each key has had requests waiting without a break. */
  readonly #sinceMs: Float64Array
  /** Of each pair, the difference when both began to wait, the least and the largest since. */
  readonly #start: Float64Array
  readonly #least: Float64Array
  readonly #largest: Float64Array
  readonly #servedAtWindow: Float64Array
  #backlogged: number[] = []
  #nowMs = 0
  #windowMs = 0
  #gapMax = 0
  #leadMax = 0
  #gapNow = 0
  #gapTime = 0
  #pairMs = 0
  readonly #jain: number[] = []

  constructor(keys: number) {
    this.#keys = keys
    this.#served = new Float64Array(keys)
    this.#waiting = new Int32Array(keys)
    this.#sinceMs = new Float64Array(keys)
    this.#servedAtWindow = new Float64Array(keys)
    this.#start = new Float64Array(keys * keys)
    this.#least = new Float64Array(keys * keys)
    this.#largest = new Float64Array(keys * keys)
  }

  /** The largest difference in service of any two keys, over any time in which both had requests waiting. */
  get max(): number {
    return this.#gapMax
  }

  /** The largest difference of any two keys from what it was when both began to wait. */
  get leadMax(): number {
    return this.#leadMax
  }

  /** The mean over the time in which at least two keys had, of the largest difference since then. */
  get mean(): number {
    return this.#pairMs === 0 ? 0 : this.#gapTime / this.#pairMs
  }

  /** Jain's index of each minute through which at least two keys had requests waiting. */
  get jain(): readonly number[] {
    return this.#jain
  }

  /** Service is given between observations, at a constant rate. */
  serve(key: number, cost: number): void {
    this.#served[key]! += cost
  }

  waits(key: number, more: 1 | -1): void {
    const before = this.#waiting[key]!
    this.#waiting[key] = before + more
    if (before === 0) this.#begins(key)
    else if (before + more === 0) this.#backlogged = this.#backlogged.filter((one) => one !== key)
  }

  observe(nowMs: number): void {
    const passedMs = nowMs - this.#nowMs
    this.#nowMs = nowMs
    if (this.#backlogged.length > 1) {
      this.#look()
      this.#gapTime += passedMs * this.#gapNow
      this.#pairMs += passedMs
    }
    while (nowMs - this.#windowMs >= windowMs) this.#endWindow()
  }

  #begins(key: number): void {
    this.#sinceMs[key] = this.#nowMs
    for (const other of this.#backlogged) {
      const [a, b] = key < other ? [key, other] : [other, key]
      const at = a * this.#keys + b
      const difference = this.#served[a]! - this.#served[b]!
      this.#start[at] = difference
      this.#least[at] = difference
      this.#largest[at] = difference
    }
    this.#backlogged = [...this.#backlogged, key].toSorted((a, b) => a - b)
  }

  #look(): void {
    this.#gapNow = 0
    for (const [position, a] of this.#backlogged.entries()) {
      for (const b of this.#backlogged.slice(position + 1)) {
        const at = a * this.#keys + b
        const difference = this.#served[a]! - this.#served[b]!
        if (difference < this.#least[at]!) this.#least[at] = difference
        if (difference > this.#largest[at]!) this.#largest[at] = difference
        this.#gapMax = Math.max(this.#gapMax, this.#largest[at]! - this.#least[at]!)
        this.#gapNow = Math.max(this.#gapNow, Math.abs(difference - this.#start[at]!))
        this.#leadMax = Math.max(this.#leadMax, this.#gapNow)
      }
    }
  }

  #endWindow(): void {
    const through = this.#backlogged.filter((key) => this.#sinceMs[key]! <= this.#windowMs)
    if (through.length > 1) {
      this.#jain.push(jainIndex(through.map((key) => this.#served[key]! - this.#servedAtWindow[key]!)))
    }
    this.#windowMs += windowMs
    this.#servedAtWindow.set(this.#served)
  }
}

/** 1 where all are equal, 1 ÷ their number where one has everything. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0)
  const squares = shares.reduce((total, share) => total + share ** 2, 0)
  return squares === 0 ? 1 : sum ** 2 / (shares.length * squares)
}
