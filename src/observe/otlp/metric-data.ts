/** The series as OTLP has them, in batches so small that none keeps the event loop for long. */
import { type HrTime, ValueType } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import { type Family, Histogram, Scalar } from '../series.ts'
import { hrTime } from './hr-time.ts'

export interface MetricOrigin {
  readonly resource: Resource
  /** Of the gateway. */
  readonly version: string
  /** When counting began: Unix ms. */
  readonly startedAtMs: number
}

/** Lines of a scrape, as series are counted everywhere else; making the JSON of so many takes about a millisecond. */
const linesPerBatch = 250

/** Each batch is made when it is asked for, with the figures of that moment; `wallMs` tells it: Unix ms. */
export function* metricBatches(
  families: Iterable<Family>,
  origin: MetricOrigin,
  wallMs: () => number,
): Generator<ResourceMetrics, undefined> {
  let metrics: MetricData[] = []
  let lines = 0
  for (const family of families) {
    const all = [...family.series.values()]
    const seriesPerPart = Math.max(1, Math.floor(linesPerBatch / family.linesPerSeries))
    for (let from = 0; from < all.length; from += seriesPerPart) {
      const part = all.slice(from, from + seriesPerPart)
      const times = { startTime: hrTime(origin.startedAtMs), endTime: hrTime(wallMs()) }
      metrics.push(metricOf(family, part, times))
      lines += part.length * family.linesPerSeries
      if (lines < linesPerBatch) continue
      yield batchOf(metrics, origin)
      metrics = []
      lines = 0
    }
  }
  if (metrics.length > 0) yield batchOf(metrics, origin)
  return undefined
}

function batchOf(metrics: MetricData[], { resource, version }: MetricOrigin): ResourceMetrics {
  return { resource, scopeMetrics: [{ scope: { name: 'lmx-gateway', version }, metrics }] }
}

interface Times {
  readonly startTime: HrTime
  readonly endTime: HrTime
}

function metricOf({ name, definition }: Family, series: readonly (Scalar | Histogram)[], times: Times): MetricData {
  const { type, help, buckets = [] } = definition
  const common = {
    descriptor: { name, description: help, unit: unitOf(name), valueType: ValueType.DOUBLE },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
  if (type === 'histogram') {
    const histograms = series.filter((one) => one instanceof Histogram)
    const dataPoints = histograms.map((one) => histogramPoint(one, [...buckets], times))
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints }
  }
  const scalars = series.filter((one) => one instanceof Scalar).filter(({ value }) => Number.isFinite(value))
  const dataPoints = scalars.map(({ labels, value }) => ({ ...times, attributes: labels, value }))
  return type === 'counter'
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...common, dataPointType: DataPointType.GAUGE, dataPoints }
}

/** By the end of its name; a receiver that makes names of units for Prometheus puts none behind a name that has it. */
function unitOf(name: string): string {
  const [, word = ''] = /_(seconds|bytes|tokens|ratio)(?:_total)?$/.exec(name) ?? []
  return units[word] ?? ''
}

/** As UCUM has them; what is counted stands in braces. */
const units: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By', tokens: '{token}', ratio: '1' }

type HistogramValue = Extract<MetricData, { dataPointType: DataPointType.HISTOGRAM }>['dataPoints'][number]['value']

function histogramPoint(
  { labels, counts, sum }: Histogram,
  boundaries: number[],
  times: Times,
): DataPoint<HistogramValue> {
  const own = Array.from(counts)
  const count = own.reduce((total, one) => total + one, 0)
  return { ...times, attributes: labels, value: { buckets: { boundaries, counts: own }, count, sum } }
}
