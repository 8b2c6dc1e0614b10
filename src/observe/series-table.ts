/** The metric table come alive: labels checked against it by the compiler, one budget of series, text made in short turns. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { type MetricDefinition, type MetricName, metricDefinitions, metricPrefix } from './metric-names.ts'
import { type Series, SeriesFamily } from './series-family.ts'

type Definitions = typeof metricDefinitions
type NameOf<T extends MetricDefinition['type']> = {
  [N in MetricName]: Definitions[N]['type'] extends T ? N : never
}[MetricName]

export type CounterName = NameOf<'counter'>
export type GaugeName = NameOf<'gauge'>
export type HistogramName = NameOf<'histogram'>
export type Labels<N extends MetricName> = Readonly<Record<Definitions[N]['labels'][number], string>>
/** One label set and its value. */
export type Row<N extends MetricName> = readonly [labels: Labels<N>, value: number]

/** What a label says when its true value is unknown to us or would cost a series too many. */
export const otherLabel = 'other'

/** The labels whose values come from configuration, hosts and keys; those of all others are few and written in the code. */
const openLabels: ReadonlySet<string> = new Set(['model', 'host', 'key'])
const labelCharsMax = 200

interface Families {
  readonly counter: Map<string, SeriesFamily<Counter>>
  readonly gauge: Map<string, SeriesFamily<Gauge>>
  readonly histogram: Map<string, SeriesFamily<Histogram>>
}

export interface SeriesTableOptions {
  /** Over all metrics together, a histogram's buckets counted singly, as Prometheus does. */
  readonly seriesMax: number
  knownModel(name: string): boolean
}

export class SeriesTable {
  readonly #families: Families = { counter: new Map(), gauge: new Map(), histogram: new Map() }
  readonly #options: SeriesTableOptions
  #lines = 0

  constructor(options: SeriesTableOptions) {
    this.#options = options
    for (const [name, definition] of Object.entries<MetricDefinition>(metricDefinitions)) {
      addFamily(this.#families, name, definition)
    }
    for (const family of this.#all()) {
      if (family.labelNames.length === 0) this.#find<unknown>(family, {})
    }
  }

  get seriesCount(): number {
    return this.#lines
  }

  increase<N extends CounterName>(name: N, labels: Labels<N>, by = 1): void {
    const series = this.#find(pick(this.#families.counter, name), labels)
    if (isAmount(by)) series.metric.inc(series.labels, by)
  }

  observe<N extends HistogramName>(name: N, labels: Labels<N>, value: number): void {
    const series = this.#find(pick(this.#families.histogram, name), labels)
    if (isAmount(value)) series.metric.observe(series.labels, value)
  }

  /**
   * Lets a counter follow totals that are kept elsewhere; rows that share a label set are added up.
   * A total that fell (its keeper forgot a part) leaves the counter where it is, and what grows from there counts.
   */
  mirror<N extends CounterName>(name: N, rows: Iterable<Row<N>>): void {
    for (const [series, total] of this.#folded(pick(this.#families.counter, name), rows, 'sum')) {
      if (total === series.mirrored) continue
      series.metric.inc(series.labels, Math.max(0, total - (series.mirrored ?? 0)))
      series.mirrored = total
    }
  }

  /** Writes a gauge anew; rows that share a label set are folded into one. A series without a row becomes 0 or goes. */
  rewrite<N extends GaugeName>(
    name: N,
    rows: Iterable<Row<N>>,
    absent: 'zero' | 'gone',
    fold: 'sum' | 'max' = 'sum',
  ): void {
    const family = pick(this.#families.gauge, name)
    if (absent === 'gone') {
      this.#lines -= family.lines
      family.clear()
    }
    for (const series of family.all()) series.metric.set(series.labels, 0)
    for (const [series, value] of this.#folded(family, rows, fold)) series.metric.set(series.labels, value)
  }

  /** The exposition text, with a turn of the event loop between its pages: streams must not wait for a scrape. */
  async text(): Promise<string> {
    const parts: string[] = []
    for (const family of this.#all()) {
      for await (const page of family.text()) {
        parts.push(page)
        await nextTurn()
      }
    }
    return `${parts.join('\n')}\n`
  }

  #all(): SeriesFamily<unknown>[] {
    const { counter, gauge, histogram } = this.#families
    return [...counter.values(), ...gauge.values(), ...histogram.values()]
  }

  #folded<M>(
    family: SeriesFamily<M>,
    rows: Iterable<readonly [LabelValues, number]>,
    fold: 'sum' | 'max',
  ): Map<Series<M>, number> {
    const values = new Map<Series<M>, number>()
    for (const [labels, value] of rows) {
      const series = this.#find(family, labels)
      if (!isAmount(value)) continue
      const before = values.get(series) ?? 0
      values.set(series, fold === 'sum' ? before + value : Math.max(before, value))
    }
    return values
  }

  /** The series of a label set. One that exists stays what it is, even if its model is no longer known or the budget is spent. */
  #find<M>(family: SeriesFamily<M>, labels: LabelValues): Series<M> {
    const existing = family.get(keyOf(family, labels))
    if (existing !== undefined) return existing
    let admitted = this.#cleaned(family, labels)
    let key = keyOf(family, admitted)
    if (family.get(key) === undefined && this.#lines + family.linesPerSeries > this.#options.seriesMax) {
      admitted = folded(admitted)
      key = keyOf(family, admitted)
    }
    return family.get(key) ?? this.#add(family, key, admitted)
  }

  #add<M>(family: SeriesFamily<M>, key: string, labels: LabelValues): Series<M> {
    this.#lines += family.linesPerSeries
    return family.add(key, labels)
  }

  #cleaned(family: SeriesFamily<unknown>, labels: LabelValues): LabelValues {
    const cleaned: Record<string, string> = {}
    for (const name of family.labelNames) {
      // A lone surrogate becomes U+FFFD on the wire, where two of them would be the same series twice: an invalid scrape.
      const value = (labels[name] ?? otherLabel).slice(0, labelCharsMax).toWellFormed()
      cleaned[name] = name === 'model' && !this.#options.knownModel(value) ? otherLabel : value
    }
    return cleaned
  }
}

type LabelValues = Readonly<Record<string, string>>

function keyOf(family: SeriesFamily<unknown>, labels: LabelValues): string {
  let key = ''
  for (const name of family.labelNames) key += `${labels[name] ?? otherLabel}\0`
  return key
}

function folded(labels: LabelValues): LabelValues {
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [name, openLabels.has(name) ? otherLabel : value]),
  )
}

/** prom-client throws on what is not a number; a wrong figure must cost a sample and never a request. */
function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
}

function addFamily(families: Families, name: string, definition: MetricDefinition): void {
  const { type, labels: labelNames, help } = definition
  const fullName = metricPrefix + name
  const settings = (registry: Registry) => ({ name: fullName, help, labelNames, registers: [registry] })
  const options = { name: fullName, labelNames, linesPerSeries: 1 }
  switch (type) {
    case 'counter':
      families.counter.set(
        name,
        new SeriesFamily({ ...options, create: (registry) => new Counter(settings(registry)) }),
      )
      break
    case 'gauge':
      families.gauge.set(name, new SeriesFamily({ ...options, create: (registry) => new Gauge(settings(registry)) }))
      break
    case 'histogram': {
      const buckets = [...(definition.buckets ?? [])]
      const create = (registry: Registry) => new Histogram({ ...settings(registry), buckets })
      // Beside its buckets a histogram has +Inf, sum and count.
      families.histogram.set(name, new SeriesFamily({ ...options, linesPerSeries: buckets.length + 3, create }))
    }
  }
}

function pick<M>(families: ReadonlyMap<string, SeriesFamily<M>>, name: MetricName): SeriesFamily<M> {
  const family = families.get(name)
  if (family === undefined) throw new Error(`no metric ${name}`)
  return family
}
