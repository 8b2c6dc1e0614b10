/** The PromQL of the dashboard in the few shapes that are right; names and labels come from the metric table, so a wrong one does not compile. */

import type { CounterName, GaugeName, HistogramName, Labels } from '../../../src/observe/series-table.ts'

/** Every series has the name of its gateway where several share a Redis. */
type LabelOf<N extends CounterName | GaugeName | HistogramName> = (keyof Labels<N> & string) | 'replica'

interface Selection<L extends string> {
  /** Labels that follow the dashboard's variables of the same name. */
  readonly follow?: readonly (L & ('model' | 'host' | 'key'))[]
  /** Further matchers, as PromQL writes them: `type: '="output"'`. */
  readonly where?: Partial<Record<L, string>>
  readonly by?: readonly L[]
}

/** Per second. */
export function rate<N extends CounterName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  return rateOver('$__rate_interval', name, selection)
}

/** The same over a window of its own, for what is judged over hours and days. */
export function rateOver<N extends CounterName>(
  window: string,
  name: N,
  selection: Selection<LabelOf<N>> = {},
): string {
  return `sum${by(selection.by)}(rate(lmx_gateway_${name}${matchers(selection)}[${window}]))`
}

/** As it is now. `min` and `max` are for what several gateways see of the same host. */
export function gauge<N extends GaugeName>(
  name: N,
  selection: Selection<LabelOf<N>> = {},
  fold: 'sum' | 'min' | 'max' = 'sum',
): string {
  return `${fold}${by(selection.by)}(lmx_gateway_${name}${matchers(selection)})`
}

/**
 * The share of wall time in which something went on, of seconds that each gateway counts for itself: those of several
 * overlap, so it did not go on where it did for none of them, as if they were independent.
 */
export function shareOfTime<N extends CounterName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  const each = `rate(lmx_gateway_${name}${matchers(selection)}[$__rate_interval])`
  return `(1 - exp(sum${by(selection.by)}(ln(1 - clamp_max(${each}, 1)))))`
}

/** Buckets are added up before the quantile is taken: quantiles themselves cannot be averaged. */
export function quantile<N extends HistogramName>(q: number, name: N, selection: Selection<LabelOf<N>> = {}): string {
  return `histogram_quantile(${q}, ${buckets('rate', name, selection)})`
}

export function heatmap<N extends HistogramName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  return buckets('increase', name, selection)
}

/** The sum of the values by their number, each over the same window: a mean of all, never a mean of means. */
export function mean<N extends HistogramName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  return `${partRate(name, 'sum', selection)} / ${valuesRate(name, selection)}`
}

/** The sum of the values that a histogram got, per second. */
export function sumRate<N extends HistogramName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  return partRate(name, 'sum', selection)
}

/** How many values a histogram got, per second. */
export function valuesRate<N extends HistogramName>(name: N, selection: Selection<LabelOf<N>> = {}): string {
  return partRate(name, 'count', selection)
}

/** A metric of single gateways, as it is. */
export function ofGateway(name: GaugeName): string {
  return `lmx_gateway_${name}${matchers({})}`
}

/** A figure of the process, for gateways alone: other jobs have series of the same name. */
export function ofProcess(expr: string): string {
  return `${expr} and on (job, instance) ${ofGateway('build_info')}`
}

function partRate<L extends string>(name: string, part: 'sum' | 'count', selection: Selection<L>): string {
  return `sum${by(selection.by)}(rate(lmx_gateway_${name}_${part}${matchers(selection)}[$__rate_interval]))`
}

function buckets<L extends string>(change: 'rate' | 'increase', name: string, selection: Selection<L>): string {
  const grouped = ['le', ...(selection.by ?? [])].join(', ')
  return `sum by (${grouped}) (${change}(lmx_gateway_${name}_bucket${matchers(selection)}[$__rate_interval]))`
}

function by(labels: readonly string[] | undefined): string {
  return labels === undefined || labels.length === 0 ? '' : ` by (${labels.join(', ')}) `
}

function matchers<L extends string>({ follow = [], where = {} }: Selection<L>): string {
  const all = [
    // Matches series without that label, too, while all are chosen.
    'replica=~"$replica"',
    ...follow.map((label) => `${label}=~"$${label}"`),
    ...Object.entries(where).map(([label, match]) => `${label}${String(match)}`),
  ]
  return `{${all.join(',')}}`
}
