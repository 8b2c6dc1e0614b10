/** The page of the whole gateway over figures that a test owns, beside a scrape of the same. */
import { expect, test } from 'vitest'
import { allAtOnce } from '../../../src/base/steps.ts'
import type { AdminParts } from '../../../src/http/admin/admin-parts.ts'
import { statsPage } from '../../../src/http/admin/stats-page.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { RecentFigures } from '../../../src/observe/recent-figures.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ScriptedSources, scrape, tellEverything, tokenTotals } from '../../kit/scripted-sources.ts'

function scene() {
  const clock = new FakeClock()
  const sources = new ScriptedSources()
  const metrics = createMetrics(sources)
  const { counted } = metrics
  const recent = new RecentFigures({ clock, sources, counted })
  const figures = { sources, counted, recent, lagMs: () => 1.234, startedAtMs: clock.wallMs() - 60_000 }
  const page = (keysMax = 10) =>
    allAtOnce(statsPage({ version: '1.2.3', clock, figures } as unknown as AdminParts, keysMax))
  return { sources, metrics, page }
}

test('what keys were served is told in the measure of the line, without what came from a cache, the most first', async () => {
  const { sources, metrics, page } = scene()
  sources.tokenTotals = [
    tokenTotals('qwen', 'studio', 'alice', { input: 1_000, cachedInput: 990, output: 20 }),
    tokenTotals('qwen', 'studio', 'bob', { input: 100, output: 50 }),
    tokenTotals('qwen', 'mini', 'bob', { input: 10, output: 5 }),
  ]
  const scraped = await scrape(metrics)
  const costs = page().keys.map(({ key, cost }) => [key, cost])
  expect(costs).toEqual([
    ['bob', 220],
    ['alice', 50],
  ])
  for (const [key, cost] of costs) expect(scraped.get(`lmx_gateway_key_service_cost_total{key="${key}"}`)).toBe(cost)
  expect(page(1).keys).toMatchObject([{ key: 'bob', waiting: 0, running: 0 }])
})

test('everything that was told is on it, since the start', () => {
  const { metrics, page } = scene()
  expect(page()).toMatchObject({
    uptimeSeconds: 60,
    requests: { total: 0, byStatus: {}, byEnd: {} },
    limits: {},
    hosts: { total: 2, up: 1 },
    line: { waiting: 3, tokens: 900, oldestMs: 2_000, bytes: 4_096, fairnessGap: 250, givenBack: 0 },
    process: { eventLoopLagMs: 1.23, overload: 'none' },
  })
  tellEverything(metrics)
  expect(page()).toMatchObject({
    requests: { total: 1, byStatus: { 200: 1 }, byEnd: { '--': 1 } },
    limits: { queue: 1 },
    failovers: { ok: 1 },
    objectives: { goodput: { met: 1, missed: 0 } },
    line: { rejections: { full: 1 }, givenBack: 1 },
    overhead: { parse: { count: 1, meanMs: 0.03 }, auth: { count: 0, meanMs: 0, p99Ms: 0 } },
  })
})
