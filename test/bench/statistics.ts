/** Figures of a few rounds: their median, and how far it can be trusted. */
import { SeededRandom } from '../soak/seeded-random.ts'

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
  readonly interval: 'bootstrap 95 %' | 'min to max'
}

/** Below it a resampled median takes too few values for its interval to mean anything. */
const roundsForBootstrap = 6
const resamples = 2_000

/** Throws when there is nothing to sum up. */
export function spreadOf(values: readonly number[], seed = 1): Spread {
  if (values.length < roundsForBootstrap) {
    return {
      median: median(values),
      low: Math.min(...values),
      high: Math.max(...values),
      interval: 'min to max',
    }
  }
  const random = new SeededRandom(seed)
  const medians = Array.from({ length: resamples }, () =>
    median(values.map(() => values[Math.floor(random.next() * values.length)]!)),
  ).toSorted((a, b) => a - b)
  const at = (share: number) => medians[Math.round(share * (resamples - 1))]!
  return { median: median(values), low: at(0.025), high: at(0.975), interval: 'bootstrap 95 %' }
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('nothing was measured, so there is no median')
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** What an interval of ratios, after to before, allows to say; a few rounds fall on the same side by chance. */
export function verdictOn({ low, high, interval }: Spread): string {
  if (interval === 'min to max') return 'too few rounds to tell'
  if (low > 1) return 'dearer'
  if (high < 1) return 'cheaper'
  return 'no difference seen'
}

/** In random order, so that no arm always has the colder machine. */
export function shuffled<Item>(items: readonly Item[], random: SeededRandom): Item[] {
  const order = [...items]
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.between(0, last)
    ;[order[last], order[other]] = [order[other]!, order[last]!]
  }
  return order
}
