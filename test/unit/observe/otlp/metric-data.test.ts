import { emptyResource } from '@opentelemetry/resources'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import { expect, test } from 'vitest'
import { metricBatches } from '../../../../src/observe/otlp/metric-data.ts'
import { Family, Histogram, Scalar } from '../../../../src/observe/series.ts'

const origin = { resource: emptyResource(), version: '1', startedAtMs: 1_000 }
const batchesOf = (...families: Family[]) => [...metricBatches(families, origin, () => 5_000)]

function scalars(name: string, count: number): Family {
  const family = new Family(name, { type: 'gauge', labels: ['at'], help: 'Numbers.' })
  for (let at = 0; at < count; at++) {
    const series = family.add(String(at), { at: String(at) })
    if (series instanceof Scalar) series.value = at
  }
  return family
}

test('many series go in many batches, each of them once', () => {
  const batches = batchesOf(scalars('a', 1_234), scalars('b', 10))
  const sizes = batches.map(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) => metrics).reduce((sum, { dataPoints }) => sum + dataPoints.length, 0),
  )
  expect(sizes).toHaveLength(5)
  expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(1_244)
  const points = batches
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, value })))
  expect(new Set(points.map(({ attributes, value }) => JSON.stringify([attributes, value]))).size).toBe(1_234)
})

test('a histogram counts as many lines as a scrape has of it, and its classes are not added up', () => {
  const buckets = Array.from({ length: 97 }, (_, at) => at)
  const family = new Family('h', { type: 'histogram', labels: ['at'], help: 'Sizes.', buckets })
  for (let at = 0; at < 12; at++) {
    const series = family.add(String(at), { at: String(at) })
    if (series instanceof Histogram) series.catchUp([1, 2], 2, new Float64Array(3))
  }
  const batches = batchesOf(family)
  const sizes = batches.map(({ scopeMetrics }) =>
    scopeMetrics[0]!.metrics.reduce((sum, part) => sum + part.dataPoints.length, 0),
  )
  expect(sizes).toEqual([4, 4, 4])
  const [metric] = batches[0]!.scopeMetrics[0]!.metrics
  expect(metric).toMatchObject({ dataPointType: DataPointType.HISTOGRAM, aggregationTemporality: 1 })
  expect(metric!.dataPoints[0]).toMatchObject({
    startTime: [1, 0],
    endTime: [5, 0],
    value: {
      count: 3,
      sum: 2,
      buckets: { boundaries: buckets, counts: [1, 2, ...Array.from({ length: 96 }, () => 0)] },
    },
  })
})

test.each([
  ['lmx_gateway_request_duration_seconds', 's'],
  ['lmx_gateway_decode_seconds_total', 's'],
  ['nodejs_heap_size_total_bytes', 'By'],
  ['lmx_gateway_tokens_total', '{token}'],
  ['lmx_gateway_ratelimit_remaining_ratio', '1'],
  ['lmx_gateway_requests_total', ''],
  ['lmx_gateway_host_up', ''],
])('%s is of the unit "%s"', (name, unit) => {
  expect(batchesOf(scalars(name, 1))[0]!.scopeMetrics[0]!.metrics[0]!.descriptor).toMatchObject({ name, unit })
})

test('what is no number is not sent', () => {
  const family = scalars('a', 2)
  for (const series of family.series.values()) if (series instanceof Scalar) series.value /= 0
  expect(batchesOf(family)[0]!.scopeMetrics[0]!.metrics[0]!.dataPoints).toEqual([])
})

test('each batch has the figures and the time of when it is asked for', () => {
  let nowMs = 5_000
  const family = scalars('a', 500)
  const batches = metricBatches([family], origin, () => nowMs)
  const first = batches.next().value!
  nowMs = 9_000
  for (const series of family.series.values()) if (series instanceof Scalar) series.value = 7
  const second = batches.next().value!
  const point = ({ scopeMetrics }: typeof first) => scopeMetrics[0]!.metrics[0]!.dataPoints[0]
  expect(point(first)).toMatchObject({ endTime: [5, 0], value: 0 })
  expect(point(second)).toMatchObject({ endTime: [9, 0], value: 7 })
})
