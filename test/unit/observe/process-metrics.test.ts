import { expect, it } from 'vitest'
import { processFamilies } from '../../../src/observe/process-metrics.ts'
import { Histogram } from '../../../src/observe/series.ts'

it('tells of memory, processor time and the event loop by the names that every Node program has', async () => {
  const names = (await processFamilies()).map(({ name }) => name)
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'nodejs_eventloop_lag_p99_seconds',
  ]) {
    expect(names).toContain(name)
  }
  expect(new Set(names).size).toBe(names.length)
})

it('gives no gauge the suffix of a counter, and looks at connections once', async () => {
  const families = await processFamilies()
  const misnamed = families.filter(
    ({ name, definition }) => name.endsWith('_total') !== (definition.type === 'counter'),
  )
  expect(misnamed.map(({ name }) => name)).toEqual([])
  const ofConnections = families.filter(({ name }) => name.startsWith('nodejs_active_'))
  expect(ofConnections.map(({ name }) => name)).toEqual(['nodejs_active_resources'])
})

it('has histograms whose classes are not added up', async () => {
  const families = await processFamilies()
  const collections = families.find(({ name }) => name === 'nodejs_gc_duration_seconds')
  expect(collections?.definition.type).toBe('histogram')
  for (const series of collections?.series.values() ?? []) {
    if (!(series instanceof Histogram)) throw new Error('no histogram')
    expect(series.counts).toHaveLength((collections?.edgeTexts.length ?? 0) + 1)
    expect(Math.min(...series.counts)).toBeGreaterThanOrEqual(0)
  }
})
