/** A figure over several seeds: its median, and the worst of them beside it. */
import type { Figure, Figures } from './figures.ts'
import { quantile } from './figures.ts'

export interface Spread {
  readonly median: number
  readonly worst: number
}

export type Spreads<Names extends string> = Readonly<Record<Names, Spread>>

export function spreads<Names extends string>(
  kinds: Readonly<Record<Names, Figure>>,
  runs: readonly Readonly<Record<Names, number>>[],
): Spreads<Names> {
  const names = Object.keys(kinds) as Names[]
  return Object.fromEntries(
    names.map((name) => [
      name,
      spread(
        kinds[name],
        runs.map((run) => run[name]),
      ),
    ]),
  ) as Spreads<Names>
}

function spread({ worse }: Figure, all: readonly number[]): Spread {
  const known = all.filter((value) => !Number.isNaN(value))
  if (known.length === 0) return { median: Number.NaN, worst: Number.NaN }
  return { median: medianOf(known), worst: worse === 'higher' ? Math.max(...known) : Math.min(...known) }
}

export function medianOf(values: readonly number[]): number {
  const upper = quantile(values, (values.length / 2 + 0.5) / values.length)
  return values.length % 2 === 1 ? upper : (quantile(values, 0.5) + quantile(values, 0.5 + 0.5 / values.length)) / 2
}

/** The streams of the runs, in the order of the first. */
export function streamNames(runs: readonly Figures[]): string[] {
  return [...new Set(runs.flatMap(({ streams }) => Object.keys(streams)))]
}
