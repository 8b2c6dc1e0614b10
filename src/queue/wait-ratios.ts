/** How much longer waits were than was reckoned: the last of them, and what half and nine tenths stayed below. */

const kept = 200
/** Until there are so many, what is usual counts. */
const enough = 10
const usual = { p50: 0.8, p90: 2.2 }

export class WaitRatios {
  readonly #ratios: number[] = []
  #oldestAt = 0
  #sorted: readonly number[] | null = null

  add(ratio: number): void {
    this.#ratios[this.#oldestAt] = ratio
    this.#oldestAt = (this.#oldestAt + 1) % kept
    this.#sorted = null
  }

  get p50(): number {
    return this.#quantile(0.5) ?? usual.p50
  }

  get p90(): number {
    return this.#quantile(0.9) ?? usual.p90
  }

  #quantile(share: number): number | null {
    if (this.#ratios.length < enough) return null
    this.#sorted ??= this.#ratios.toSorted((a, b) => a - b)
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor(share * this.#sorted.length))] ?? null
  }
}
