/** Chance for workloads, with a seed: lengths of prompts and answers, and gaps between arrivals. */
import { SeededRandom } from '../soak/seeded-random.ts'

/** A log-normal length by two of its quantiles, as traces are described. */
export interface Lengths {
  readonly p50: number
  readonly p95: number
}

/** The standard normal's 95 % quantile. */
const normalP95 = 1.6448536269514722

export class Random {
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  /** At least 0, less than 1. */
  readonly next = (): number => this.#random.next()

  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next())
  }

  /** Whole tokens, 1 at the least. */
  tokens({ p50, p95 }: Lengths, most = Number.POSITIVE_INFINITY): number {
    return Math.min(most, Math.max(1, Math.round(p50 * Math.exp(sigmaOf({ p50, p95 }) * this.normal()))))
  }

  /** Something known to within a factor: `sigma` 0 is known exactly, 1 is off by 2.7 in every third case. */
  mistaken(truth: number, sigma: number): number {
    return Math.max(1, Math.round(truth * Math.exp(sigma * this.normal())))
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean
  }

  /** Gaps of that mean whose standard deviation is `variation` times as large: long silences between dense bursts. */
  burstyGap(mean: number, variation: number): number {
    const squared = variation ** 2
    const shareInBurst = (1 + Math.sqrt((squared - 1) / (squared + 1))) / 2
    return this.next() < shareInBurst
      ? this.exponential(mean / (2 * shareInBurst))
      : this.exponential(mean / (2 * (1 - shareInBurst)))
  }
}

function sigmaOf({ p50, p95 }: Lengths): number {
  return Math.log(p95 / p50) / normalP95
}

export function meanOf(lengths: Lengths): number {
  return lengths.p50 * Math.exp(sigmaOf(lengths) ** 2 / 2)
}
