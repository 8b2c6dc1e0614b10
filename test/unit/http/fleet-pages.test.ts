/** Pages of very many models: made in steps, and in as many of them as there are models, not models times series. */
import { expect, test, vi } from 'vitest'
import { allAtOnce, type Steps } from '../../../src/base/steps.ts'
import type { AdminParts } from '../../../src/http/admin/admin-parts.ts'
import { modelsPage } from '../../../src/http/admin/fleet-pages.ts'
import type { ModelsPage } from '../../../src/http/admin/fleet-schema.ts'
import { jsonInSteps } from '../../../src/http/admin/json-steps.ts'
import { Counted } from '../../../src/observe/counted.ts'
import { RecentFigures } from '../../../src/observe/recent-figures.ts'
import { SeriesTable } from '../../../src/observe/series-table.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { ScriptedSources, tokenTotals } from '../../kit/scripted-sources.ts'

/** So many listed models, each of them served twice. */
function scene(models: number, { seriesMax = 20_000 } = {}) {
  const clock = new FakeClock()
  const sources = new ScriptedSources()
  const names = Array.from({ length: models }, (_, index) => `m${index}`)
  sources.tokenTotals = names.map((model) => tokenTotals(model, 'studio', 'alice', { output: 20 }))
  const table = new SeriesTable({ clock, seriesMax, knownModel: () => true })
  for (const model of names) {
    const ended = { endpoint: 'chat_completions', model, key: 'alice', end: '--' } as const
    table.increase('requests_total', { ...ended, status: '200' })
    table.increase('requests_total', { ...ended, status: '400' })
    table.increase('slo_requests_total', { slo: 'goodput', model, met: 'true' })
  }
  const counted = new Counted(table)
  const host = knownHost('studio')
  const placesByName = () => names.values().map((model) => ({ model, isAlias: false, places: [{ host, model }] }))
  const figures = { sources, counted, recent: new RecentFigures({ clock, sources, counted }) }
  const parts = { clock, figures, traffic: { catalog: { placesByName } } } as unknown as AdminParts
  return { counted, steps: () => modelsPage(parts) }
}

function read(pieces: readonly Buffer[]): ModelsPage['models'] {
  return (JSON.parse(Buffer.concat(pieces).toString()) as ModelsPage).models
}

function countOf(steps: Steps<unknown>): number {
  let count = 0
  while (steps.next().done !== true) count++
  return count
}

test('twice as many models take twice as many steps, and each list of series is gone through once', () => {
  const { counted, steps } = scene(1_000)
  const scans = vi.spyOn(counted, 'scalars')
  const count = countOf(steps())
  expect(scans.mock.calls.map(([name]) => name)).toEqual(['requests_total', 'slo_requests_total'])
  // Tokens, speeds, series, the list and the text of each model: a step for each at least.
  expect(count).toBeGreaterThan(5_000)
  expect(countOf(scene(2_000).steps())).toBeLessThan(2.1 * count)
})

test('each model has its own figures', () => {
  const models = read(allAtOnce(scene(3).steps()))
  expect(models.map(({ model }) => model)).toEqual(['m0', 'm1', 'm2'])
  expect(models[1]).toMatchObject({
    places: [{ host: 'studio', model: 'm1', able: true, contextTokens: null }],
    requests: { total: 2, byStatus: { 200: 1, 400: 1 }, byEnd: { '--': 2 } },
    objectives: { goodput: { met: 1, missed: 0 }, ttft: { met: 0, missed: 0 } },
    tokens: { output: 20 },
  })
})

test('a model whose requests were counted as of another, for want of series, has none that look like zero', () => {
  const models = read(allAtOnce(scene(100, { seriesMax: 60 }).steps()))
  expect(models.find(({ model }) => model === 'm0')).toMatchObject({ requests: { total: 2 } })
  expect(models.find(({ model }) => model === 'm99')).toMatchObject({ requests: null, objectives: null })
})

test('a page in pieces is the JSON of the whole, an item a step', () => {
  const items = Array.from({ length: 5_000 }, (_, index) => ({ index, text: 'ü"\n' }))
  const json = () => jsonInSteps({ matching: 3 }, { items: items.values(), none: [], last: ['x'] })
  expect(countOf(json())).toBe(5_001)
  const pieces = allAtOnce(json())
  expect(pieces.length).toBeGreaterThan(1)
  expect(JSON.parse(Buffer.concat(pieces).toString())).toEqual({ matching: 3, items, none: [], last: ['x'] })
})
