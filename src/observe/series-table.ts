/** The metric table come alive: labels checked against it by the compiler, one budget of series, nothing but additions to count. */
import type { Clock } from '../base/clock.ts'
import type { Steps } from '../base/steps.ts'
import { sharingMetrics } from './definitions/sharing.ts'
import { type MetricDefinition, type MetricName, metricDefinitions, metricPrefix } from './metric-names.ts'
import {
  type Exemplar,
  Family,
  type Followed,
  Histogram,
  isAmount,
  type LabelValues,
  otherLabel,
  Scalar,
  type Series,
} from './series.ts'

export { type Exemplar, otherLabel } from './series.ts'

type Definitions = typeof metricDefinitions
type NameOf<T extends MetricDefinition['type']> = {
  [N in MetricName]: Definitions[N]['type'] extends T ? N : never
}[MetricName]

export type CounterName = NameOf<'counter'>
export type GaugeName = NameOf<'gauge'>
export type HistogramName = NameOf<'histogram'>
export type Labels<N extends MetricName> = Readonly<Record<Definitions[N]['labels'][number], string>>
/** One label set and its value. */
export type Row<N extends MetricName, V = number> = readonly [labels: Labels<N>, value: V]

/** A histogram whose classes are counted elsewhere, with one more than there are edges. */
export interface Classes {
  readonly counts: ArrayLike<number>
  readonly sum: number
}

/** The labels whose values come from hosts and clients; hosts are configured, and the values of all others are written in the code. */
const openLabels: ReadonlySet<string> = new Set(['model', 'key'])
/** What is folded is that of no host either: its own series would be as many as hosts. */
const foldedLabels: ReadonlySet<string> = new Set([...openLabels, 'host'])
const labelCharsMax = 200
/** Of the budget; from there on what is of no use any more goes. */
const tightShare = 0.9
/** Of each metric. */
const endedMax = 1_000

/** One value of two that share a label set. */
const folds = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min }

export interface SeriesTableOptions {
  readonly clock: Pick<Clock, 'wallMs'>
  /** Over all metrics together, a histogram's buckets counted singly, as Prometheus does. */
  readonly seriesMax: number
  /** Name of this gateway among several, which each series has for a label; null where it stands alone. */
  readonly replica?: string | null
  knownModel(name: string): boolean
}

export class SeriesTable {
  readonly #families = new Map<string, Family>()
  readonly #options: SeriesTableOptions
  #lines = 0
  #folded = 0
  #generation = 0

  constructor(options: SeriesTableOptions) {
    this.#options = options
    const { replica = null } = options
    for (const [name, definition] of Object.entries<MetricDefinition>(metricDefinitions)) {
      if (replica === null && name in sharingMetrics) continue
      const family = new Family(metricPrefix + name, definition, replicaLabel(replica))
      this.#families.set(name, family)
      if (definition.labels.length === 0) this.#find(family, {})
    }
  }

  /** What may come is not made ready any more: what is left is for what does. */
  get isHalfFull(): boolean {
    return this.#lines * 2 >= this.#options.seriesMax
  }

  get seriesCount(): number {
    return this.#lines
  }

  /** Series that were not made for want of room, each counted as often as something would have been new in it. */
  get foldedCount(): number {
    return this.#folded
  }

  /** Another one: whoever keeps a series looks it up again, since it may be gone, or there may be room for its own. */
  get generation(): number {
    return this.#generation
  }

  /** Models that were not known before may have been counted as other. */
  renew(): void {
    this.#generation++
  }

  /** Makes room where little is left: the series of models that nobody knows any more end, as those of a counter may. */
  *free(): Steps {
    if (this.#lines < tightShare * this.#options.seriesMax) return
    let isFreed = false
    for (const family of this.#families.values()) {
      if (!family.definition.labels.includes('model')) continue
      for (const [key, series] of family.series) {
        const { model = otherLabel } = series.labels
        if (model !== otherLabel && !this.#options.knownModel(model)) {
          if (family.definition.type === 'counter' && series instanceof Scalar) keepEnded(family, series)
          this.#remove(family, key)
          isFreed = true
        }
        yield
      }
    }
    if (isFreed) this.renew()
  }

  families(): Iterable<Family> {
    return this.#families.values()
  }

  increase<N extends CounterName>(name: N, labels: Labels<N>, by = 1): void {
    if (isAmount(by)) this.#scalar(name, labels).value += by
  }

  observe<N extends HistogramName>(name: N, labels: Labels<N>, value: number, exemplar: Exemplar | null = null): void {
    if (!isAmount(value)) return
    const histogram = this.#histogram(name, labels)
    if (exemplar === null) return histogram.observe(value, null)
    histogram.observe(value, { labels: exemplar, value, atSeconds: this.#options.clock.wallMs() / 1_000 })
  }

  set<N extends GaugeName>(name: N, labels: Labels<N>, value: number): void {
    if (isAmount(value)) this.#scalar(name, labels).value = value
  }

  /** Is there from now on, at 0: rate() and increase() miss the increment with which a series appears. */
  start<N extends CounterName | HistogramName>(name: N, labels: Labels<N>): void {
    this.#find(this.#family(name), labels)
  }

  /** Whether there is a series of its own for them. */
  has<N extends MetricName>(name: N, labels: Labels<N>): boolean {
    const family = this.#family(name)
    return family.asked(labels) !== undefined || family.series.has(keyOf(family, labels))
  }

  /** For whoever adds to it often: it stays what it is as long as the table's generation does. */
  counter<N extends CounterName>(name: N, labels: Labels<N>): Scalar {
    return this.#scalar(name, labels)
  }

  /**
   * Lets a counter follow totals that are kept elsewhere, each known by its labels; those that share a series are added up.
   * A total that fell (its keeper forgot a part) leaves the counter where it is, and what grows from there counts.
   */
  *mirror<N extends CounterName>(name: N, rows: Iterable<Row<N>>): Steps {
    const family = this.#family(name)
    for (const [labels, total] of rows) {
      const { series, seen } = this.#follow(family, labels, 1)
      if (series instanceof Scalar && isAmount(total)) {
        series.add(total - (seen[0] ?? 0))
        seen[0] = total
      }
      yield
    }
  }

  /** The same for a histogram. */
  *mirrorHistogram<N extends HistogramName>(name: N, rows: Iterable<Row<N, Classes>>): Steps {
    const family = this.#family(name)
    for (const [labels, { counts, sum }] of rows) {
      const { series, seen } = this.#follow(family, labels, family.edgeTexts.length + 2)
      if (series instanceof Histogram) series.catchUp(counts, sum, seen)
      yield
    }
  }

  /** Writes a gauge anew; rows that share a label set are folded into one. A series without a row becomes 0 or goes. */
  *rewrite<N extends GaugeName>(
    name: N,
    rows: Iterable<Row<N>>,
    absent: 'zero' | 'gone',
    fold: keyof typeof folds = 'sum',
  ): Steps {
    const values = new Map<Series, number>()
    for (const [labels, value] of rows) {
      const series = this.#scalar(name, labels)
      const before = values.get(series)
      if (isAmount(value)) values.set(series, before === undefined ? value : folds[fold](before, value))
      yield
    }
    const family = this.#family(name)
    for (const [key, series] of family.series) {
      const value = values.get(series)
      if (value === undefined && absent === 'gone') this.#remove(family, key)
      else if (series instanceof Scalar) series.value = value ?? 0
      yield
    }
  }

  /** Looked up once in each generation: figures that are divided by each other move to series of their own together. */
  #follow(family: Family, labels: LabelValues, figures: number): Followed {
    const key = keyOf(family, labels)
    const generation = this.#generation
    const known = family.followed.get(key)
    if (known?.generation === generation) return known
    const series = this.#find(family, labels)
    const followed = { series, generation, seen: known?.seen ?? new Float64Array(figures) }
    family.followed.set(key, followed)
    return followed
  }

  #remove(family: Family, key: string): void {
    family.remove(key)
    this.#lines -= family.linesPerSeries
  }

  #scalar(name: CounterName | GaugeName, labels: LabelValues): Scalar {
    const series = this.#find(this.#family(name), labels)
    if (series instanceof Scalar) return series
    throw new Error(`${name} is a histogram`)
  }

  #histogram(name: HistogramName, labels: LabelValues): Histogram {
    const series = this.#find(this.#family(name), labels)
    if (series instanceof Histogram) return series
    throw new Error(`${name} is no histogram`)
  }

  #family(name: MetricName): Family {
    const family = this.#families.get(name)
    if (family === undefined) throw new Error(`no metric ${name}`)
    return family
  }

  /** The series of a label set. One that exists stays what it is, even if its model is no longer known or the budget is spent. */
  #find(family: Family, labels: LabelValues): Series {
    return family.asked(labels) ?? this.#findByKey(family, labels)
  }

  #findByKey(family: Family, labels: LabelValues): Series {
    const existing = family.series.get(keyOf(family, labels))
    if (existing !== undefined) {
      family.keepAsked(labels, existing)
      return existing
    }
    let admitted = this.#cleaned(family, labels)
    let key = keyOf(family, admitted)
    const isBounded = !family.definition.labels.some((name) => openLabels.has(name))
    if (!isBounded && !family.series.has(key) && this.#lines + family.linesPerSeries > this.#options.seriesMax) {
      this.#folded++
      admitted = folded(admitted)
      key = keyOf(family, admitted)
    }
    return family.series.get(key) ?? this.#add(family, key, admitted)
  }

  #add(family: Family, key: string, labels: LabelValues): Series {
    this.#lines += family.linesPerSeries
    return family.add(key, labels)
  }

  #cleaned({ definition }: Family, labels: LabelValues): LabelValues {
    const cleaned: Record<string, string> = {}
    for (const name of definition.labels) {
      // A lone surrogate becomes U+FFFD on the wire, where two of them would be the same series twice: an invalid scrape.
      const value = (labels[name] ?? otherLabel).slice(0, labelCharsMax).toWellFormed()
      cleaned[name] = name === 'model' && !this.#options.knownModel(value) ? otherLabel : value
    }
    return cleaned
  }
}

/** What each series has beside its own labels. */
export function replicaLabel(replica: string | null): LabelValues {
  return replica === null ? {} : { replica }
}

/** By key as long as these are few. */
function keepEnded(family: Family, { labels, value }: Scalar): void {
  const kept = family.ended.size < endedMax ? { ...labels, model: otherLabel } : folded(labels)
  const key = keyOf(family, kept)
  const ended = family.ended.get(key) ?? new Scalar(kept)
  family.ended.set(key, ended)
  ended.add(value)
}

function keyOf({ definition }: Family, labels: LabelValues): string {
  let key = ''
  for (const name of definition.labels) key += `${labels[name] ?? otherLabel}\0`
  return key
}

function folded(labels: LabelValues): LabelValues {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, foldedLabels.has(name) ? otherLabel : value]),
  )
}
