/** One series of a metric: its label text made once, its numbers changed in place. */
import { classOf } from '../base/classes.ts'
import type { MetricDefinition } from './definitions/definition.ts'

/** What a label says when its true value is unknown to us or would cost a series too many. */
export const otherLabel = 'other'

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

  constructor(labels: LabelValues, constant: LabelValues = {}) {
    this.labels = labels
    this.text = labelText({ ...constant, ...labels })
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

  constructor(labels: LabelValues, edges: readonly number[], constant: LabelValues = {}) {
    this.labels = labels
    this.text = labelText({ ...constant, ...labels })
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

  /** Adds what came since `seen` to what is counted elsewhere in the same classes; `seen` has its sum for the last. */
  catchUp(counts: ArrayLike<number>, sum: number, seen: Float64Array): void {
    const at = this.counts.length
    this.sum += sum - (seen[at] ?? 0)
    seen[at] = sum
    for (const [index, count] of this.counts.entries()) {
      const now = counts[index] ?? 0
      this.counts[index] = count + now - (seen[index] ?? 0)
      seen[index] = now
    }
  }
}

export type Series = Scalar | Histogram

/** A total kept elsewhere: the series that it is counted in, and what of it was added so far, to whichever series. */
export interface Followed {
  readonly series: Series
  /** Of the table, when the series was looked up. */
  readonly generation: number
  readonly seen: Float64Array
}

/** Series by the values of one label after the other. */
interface Branch extends Map<string, Branch | Series> {}

/** All series of one metric. */
export class Family {
  readonly name: string
  readonly definition: MetricDefinition
  /** As `le` has them. */
  readonly edgeTexts: readonly string[]
  /** Lines of exposition text for one series. */
  readonly linesPerSeries: number
  readonly series = new Map<string, Series>()
  /** What counters had that ended before their time, with another model: pages go on to tell it, a scrape does not. */
  readonly ended = new Map<string, Scalar>()
  /** By the labels that a total came with, which need not be those of its series. */
  readonly followed = new Map<string, Followed>()
  readonly #constant: LabelValues
  /** Those that were asked for by just their labels: found value by value, since a key that is spelt out is garbage at once. */
  #asked: Branch | Series = new Map()

  /** `constant`: labels that each series has in the text of a scrape, beside its own. */
  constructor(name: string, definition: MetricDefinition, constant: LabelValues = {}) {
    this.name = name
    this.definition = definition
    this.#constant = constant
    const { buckets = [], type } = definition
    this.edgeTexts = buckets.map(floatText)
    // Beside its buckets a histogram has +Inf, sum and count.
    this.linesPerSeries = type === 'histogram' ? buckets.length + 3 : 1
  }

  add(key: string, labels: LabelValues): Series {
    const { type, buckets = [] } = this.definition
    const constant = this.#constant
    const made = type === 'histogram' ? new Histogram(labels, buckets, constant) : new Scalar(labels, constant)
    this.series.set(key, made)
    return made
  }

  remove(key: string): void {
    this.series.delete(key)
    this.#asked = new Map()
  }

  /** The series of just these labels, if it was asked for before. */
  asked(labels: LabelValues): Series | undefined {
    let at: Branch | Series | undefined = this.#asked
    for (const name of this.definition.labels) {
      if (!(at instanceof Map)) return undefined
      at = at.get(labels[name] ?? otherLabel)
    }
    return at instanceof Map ? undefined : at
  }

  keepAsked(labels: LabelValues, series: Series): void {
    const names = this.definition.labels
    let at = this.#asked
    for (const [place, name] of names.entries()) {
      if (!(at instanceof Map)) return
      const value = labels[name] ?? otherLabel
      const next = place === names.length - 1 ? series : (at.get(value) ?? new Map<string, Branch | Series>())
      at.set(value, next)
      at = next
    }
    if (names.length === 0) this.#asked = series
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
