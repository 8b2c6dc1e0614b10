/** Reads back what events have counted in the table, for pages that tell the same as a scrape. */
import { type MetricName, metricPrefix } from './metric-names.ts'
import { type Family, Histogram, type LabelValues, Scalar } from './series.ts'
import type { CounterName, HistogramName, Labels, SeriesTable } from './series-table.ts'

type Where<N extends MetricName> = Partial<Labels<N>>

/** Series that are alike, added up. */
export interface CountedClasses {
  /** One more than there are edges; not added up from the left. */
  readonly counts: Float64Array
  readonly edges: readonly number[]
  readonly count: number
  readonly sum: number
}

export class Counted {
  readonly #table: Pick<SeriesTable, 'families' | 'foldedCount'>
  readonly #families: ReadonlyMap<string, Family>

  constructor(table: Pick<SeriesTable, 'families' | 'foldedCount'>) {
    this.#table = table
    this.#families = new Map(Array.from(table.families(), (family) => [family.name, family]))
  }

  /** Label values that were counted as another, for want of series. */
  get folded(): number {
    return this.#table.foldedCount
  }

  /** Over all series that have these labels. */
  sum<N extends CounterName>(name: N, where: Where<N> = {}): number {
    let sum = 0
    for (const { value } of this.scalars(name, where)) sum += value
    return sum
  }

  /** The same by the values of one label, without those of which there is nothing. */
  by<N extends CounterName>(
    name: N,
    label: keyof Labels<N> & string,
    where: Where<N> = {},
  ): Readonly<Record<string, number>> {
    const sums = new Map<string, number>()
    for (const { labels, value: count } of this.scalars(name, where)) {
      const value = labels[label] ?? ''
      if (count > 0) sums.set(value, (sums.get(value) ?? 0) + count)
    }
    return Object.fromEntries(sums)
  }

  classes<N extends HistogramName>(name: N, where: Where<N> = {}): CountedClasses {
    const { buckets: edges = [] } = this.#family(name).definition
    const counts = new Float64Array(edges.length + 1)
    let sum = 0
    for (const series of this.histograms(name, where)) {
      sum += series.sum
      for (const [at, count] of series.counts.entries()) counts[at] = (counts[at] ?? 0) + count
    }
    return { counts, edges, count: counts.reduce((all, one) => all + one, 0), sum }
  }

  *scalars<N extends CounterName>(name: N, where: Where<N> = {}): Generator<Scalar> {
    for (const series of this.#series(name, where)) if (series instanceof Scalar) yield series
  }

  *histograms<N extends HistogramName>(name: N, where: Where<N> = {}): Generator<Histogram> {
    for (const series of this.#series(name, where)) if (series instanceof Histogram) yield series
  }

  *#series<N extends MetricName>(name: N, where: Where<N>): Generator<Scalar | Histogram> {
    const wanted = Object.entries<string | undefined>(where)
    const { series: all, ended } = this.#family(name)
    for (const series of all.values()) if (hasAll(series.labels, wanted)) yield series
    for (const series of ended.values()) if (hasAll(series.labels, wanted)) yield series
  }

  #family(name: MetricName): Family {
    const family = this.#families.get(metricPrefix + name)
    if (family === undefined) throw new Error(`no metric ${name}`)
    return family
  }
}

function hasAll(labels: LabelValues, wanted: readonly (readonly [string, string | undefined])[]): boolean {
  return wanted.every(([name, value]) => labels[name] === value)
}

/** As histogram_quantile of Prometheus reads it out of the classes: even within each; null without any. */
export function quantileOf(share: number, counts: ArrayLike<number>, edges: readonly number[]): number | null {
  const all = Array.from(counts)
  const rank = share * all.reduce((sum, count) => sum + count, 0)
  if (rank === 0) return null
  let below = 0
  for (const [at, edge] of edges.entries()) {
    const count = all[at] ?? 0
    const from = at === 0 ? 0 : (edges[at - 1] ?? 0)
    if (count > 0 && below + count >= rank) return from + (edge - from) * ((rank - below) / count)
    below += count
  }
  // Beyond the last edge nothing is known but that.
  return edges.at(-1) ?? null
}
