/** One series of a metric: its label text made once, its numbers changed in place. */
import type { MetricDefinition } from './definitions/definition.ts'

export type LabelValues = Readonly<Record<string, string>>

/** Leads from a figure to one request behind it: in OpenMetrics at most 128 characters in all. */
export interface Exemplar {
  readonly request_id: string
  readonly trace_id?: string
}

export interface Noted {
  readonly labels: Exemplar
  readonly value: number
  /** Unix seconds. */
  readonly atSeconds: number
}

/** A counter or a gauge. */
export class Scalar {
  readonly labels: LabelValues
  /** `{a="b"}`, or nothing. */
  readonly text: string
  value = 0
  /** For a counter that follows one total kept elsewhere: that total when it was last read. */
  mirrored = 0

  constructor(labels: LabelValues) {
    this.labels = labels
    this.text = labelText(labels)
  }
}

export class Histogram {
  readonly labels: LabelValues
  /** `a="b",`, or nothing: what stands before `le`. */
  readonly head: string
  readonly text: string
  /** One more than there are edges; not added up. */
  readonly counts: Float64Array
  sum = 0
  /** By class; made with the first. */
  noted: (Noted | undefined)[] | null = null
  readonly #edges: readonly number[]

  constructor(labels: LabelValues, edges: readonly number[]) {
    this.labels = labels
    this.text = labelText(labels)
    this.head = this.text === '' ? '' : `${this.text.slice(1, -1)},`
    this.counts = new Float64Array(edges.length + 1)
    this.#edges = edges
  }

  observe(value: number, exemplar: Exemplar | null, nowSeconds: () => number): void {
    const at = classOf(value, this.#edges)
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sum += value
    if (exemplar === null) return
    this.noted ??= []
    this.noted[at] = { labels: exemplar, value, atSeconds: nowSeconds() }
  }
}

/** All series of one metric. */
export class Family<S extends Scalar | Histogram = Scalar | Histogram> {
  readonly name: string
  readonly definition: MetricDefinition
  /** As `le` has them. */
  readonly edgeTexts: readonly string[]
  /** Lines of exposition text for one series. */
  readonly linesPerSeries: number
  readonly series = new Map<string, S>()
  readonly #make: (labels: LabelValues) => S

  constructor(name: string, definition: MetricDefinition, make: (labels: LabelValues) => S) {
    this.name = name
    this.definition = definition
    const { buckets = [], type } = definition
    this.edgeTexts = buckets.map(floatText)
    // Beside its buckets a histogram has +Inf, sum and count.
    this.linesPerSeries = type === 'histogram' ? buckets.length + 3 : 1
    this.#make = make
  }

  add(key: string, labels: LabelValues): S {
    const made = this.#make(labels)
    this.series.set(key, made)
    return made
  }
}

/** The first class whose edge is not below it. */
function classOf(value: number, edges: readonly number[]): number {
  let from = 0
  let to = edges.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (value <= (edges[middle] ?? 0)) to = middle
    else from = middle + 1
  }
  return from
}

/** As OpenMetrics wants `le`, in both formats, or a change of format would be a change of series. */
export function floatText(value: number): string {
  const text = String(value)
  return /^-?\d+$/.test(text) ? `${text}.0` : text
}

export function labelText(labels: LabelValues): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

export function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}
