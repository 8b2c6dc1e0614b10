import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { processFamilies } from '../../../src/observe/process-metrics.ts'
import { Histogram, Scalar } from '../../../src/observe/series.ts'

it('tells of memory and processor time by the names that every Node program has', async () => {
  const names = (await processFamilies()).map(({ name }) => name)
  for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total']) expect(names).toContain(name)
  expect(new Set(names).size).toBe(names.length)
})

it('leaves out the delays of the event loop that contain their period and begin anew with each reader', async () => {
  const names = (await processFamilies()).map(({ name }) => name)
  expect(names.filter((name) => name.includes('eventloop'))).toEqual([])
})

it('gives no gauge the suffix of a counter', async () => {
  const families = await processFamilies()
  const misnamed = families.filter(
    ({ name, definition }) => name.endsWith('_total') !== (definition.type === 'counter'),
  )
  expect(misnamed.map(({ name }) => name)).toEqual([])
})

it('looks at no connection but to count what is open', async () => {
  const before = await openFiles()
  const servers = Array.from({ length: 50 }, () => createServer())
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  const more = (await openFiles()) - before
  for (const server of servers) server.close()
  // Others of this process open and close some, too.
  expect(more).toBeGreaterThan(25)
  expect(more).toBeLessThan(100)
  const names = (await processFamilies()).map(({ name }) => name)
  expect(names.filter((name) => name.startsWith('nodejs_active_'))).toEqual([])
})

async function openFiles(): Promise<number> {
  const family = (await processFamilies()).find(({ name }) => name === 'process_open_fds')
  const [series] = family?.series.values() ?? []
  return series instanceof Scalar ? series.value : 0
}

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
