/** The metrics that every Node program has, as prom-client collects them: memory, processor time, garbage collection, handles. */
import { readdir } from 'node:fs/promises'
import type { MetricObjectWithValues, MetricValue, Registry } from 'prom-client'
import type { MetricDefinition } from './definitions/definition.ts'
import { Family, type LabelValues, Scalar } from './series.ts'

/** Each of these contains the period of its timer and is of the time since anybody read it: see event-loop-delay.ts. */
const eventLoopLags = ['', '_min', '_max', '_mean', '_stddev', '_p50', '_p90', '_p99'].map(
  (figure) => `nodejs_eventloop_lag${figure}_seconds`,
)
/** They are left out, so that their timer need not run. */
const eventLoopSampleMs = 3_600_000

/** Read here without a look at each connection of the process in one turn of the event loop. */
const openFiles: MetricDefinition = { type: 'gauge', labels: [], help: 'Number of open file descriptors.' }
const openFilesName = 'process_open_fds'

/** Of the rest, three are gauges by the suffix of a counter; all look at each connection of the process in one turn of the event loop. */
const leftOut = [
  openFilesName,
  ...eventLoopLags,
  ...['handles', 'requests', 'resources'].flatMap((of) => [`nodejs_active_${of}`, `nodejs_active_${of}_total`]),
]

let watched: Promise<Registry> | null = null

/** From now on; once however many gateways a process has: their figures are those of the process. The library is loaded for it. */
export function watchProcess(): Promise<Registry> {
  watched ??= watching()
  return watched
}

async function watching(): Promise<Registry> {
  const { collectDefaultMetrics, Registry: NewRegistry } = await import('prom-client')
  const registry = new NewRegistry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: eventLoopSampleMs })
  for (const name of leftOut) registry.removeSingleMetric(name)
  return registry
}

/** `constant`: labels that each series has beside its own. */
export async function processFamilies(constant: LabelValues = {}): Promise<Family[]> {
  const registry = await watchProcess()
  const [metrics, files] = await Promise.all([registry.getMetricsAsJSON(), openFileFamilies(constant)])
  return [...metrics.map((metric) => familyOf(metric, constant)), ...files]
}

/** None where the system does not tell. */
async function openFileFamilies(constant: LabelValues): Promise<Family[]> {
  const files = await readdir('/proc/self/fd').catch(() => null)
  if (files === null) return []
  const family = new Family(openFilesName, openFiles, constant)
  const series = family.add('', {})
  // But for the one that was opened to look.
  if (series instanceof Scalar) series.value = files.length - 1
  return [family]
}

type Collected = MetricObjectWithValues<MetricValue<string>>

function familyOf({ name, help, type, values }: Collected, constant: LabelValues): Family {
  const isHistogram = String(type) === 'histogram'
  const buckets = isHistogram ? edgesOf(values) : []
  const definition: MetricDefinition = { type: kindOf(String(type)), labels: [], help, buckets }
  const family = new Family(name, definition, constant)
  for (const value of values) add(family, value, buckets)
  return family
}

function add(family: Family, { labels, value, ...rest }: MetricValue<string>, buckets: readonly number[]): void {
  const { le, ...others } = labels
  const texts: LabelValues = Object.fromEntries(Object.entries(others).map(([name, text]) => [name, String(text)]))
  const key = JSON.stringify(texts)
  const series = family.series.get(key) ?? family.add(key, texts)
  if (series instanceof Scalar) {
    series.value = value
    return
  }
  const part = 'metricName' in rest ? String(rest.metricName) : ''
  if (part.endsWith('_sum')) series.sum = value
  if (!part.endsWith('_bucket')) return
  const at = le === '+Inf' ? buckets.length : buckets.indexOf(Number(le))
  // Theirs are added up from the left.
  series.counts[at] = value - series.counts.slice(0, at).reduce((sum, count) => sum + count, 0)
}

function edgesOf(values: readonly MetricValue<string>[]): number[] {
  const edges = values.flatMap(({ labels: { le } }) => (le === undefined || le === '+Inf' ? [] : [Number(le)]))
  return [...new Set(edges)].toSorted((a, b) => a - b)
}

function kindOf(type: string): MetricDefinition['type'] {
  return type === 'counter' || type === 'histogram' ? type : 'gauge'
}
