/** One series of a metric: its label text made once, its numbers changed in place. */
import { classOf } from '../base/classes.ts'
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

  /** A counter never falls, and takes nothing that is no number. */
  add(amount: number): void {
    if (isAmount(amount)) this.value += amount
  }
}

export class Histogram {
  readonly labels: LabelValues
  /** `{a="b"}`, or nothing. */
  readonly text: string
  /** `a="b",`, or nothing: what stands before `le`. */
  readonly head: string
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

  observe(value: number, exemplar: Noted | null): void {
    const at = classOf(value, this.#edges)
    this.counts[at] = (this.counts[at] ?? 0) + 1
    this.sum += value
    if (exemplar === null) return
    this.noted ??= []
    this.noted[at] = exemplar
  }

  /** What was counted elsewhere, in the same classes. */
  merge(counts: ArrayLike<number>, sum: number): void {
    for (let at = 0; at < this.counts.length; at++) this.counts[at] = (this.counts[at] ?? 0) + (counts[at] ?? 0)
    this.sum += sum
  }

  clear(): void {
    this.counts.fill(0)
    this.sum = 0
  }
}

export type Series = Scalar | Histogram

/** All series of one metric. */
export class Family {
  readonly name: string
  readonly definition: MetricDefinition
  /** As `le` has them. */
  readonly edgeTexts: readonly string[]
  /** Lines of exposition text for one series. */
  readonly linesPerSeries: number
  readonly series = new Map<string, Series>()

  constructor(name: string, definition: MetricDefinition) {
    this.name = name
    this.definition = definition
    const { buckets = [], type } = definition
    this.edgeTexts = buckets.map(floatText)
    // Beside its buckets a histogram has +Inf, sum and count.
    this.linesPerSeries = type === 'histogram' ? buckets.length + 3 : 1
  }

  add(key: string, labels: LabelValues): Series {
    const { type, buckets = [] } = this.definition
    const made = type === 'histogram' ? new Histogram(labels, buckets) : new Scalar(labels)
    this.series.set(key, made)
    return made
  }
}

/** A wrong figure must cost a sample and never a request. */
export function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0
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
