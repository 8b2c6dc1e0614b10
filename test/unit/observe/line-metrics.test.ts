/** What metrics say of the line: its waits, the word it gave about them, and who was served how much. */
import { describe, expect, it } from 'vitest'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { ScriptedSources, scrape, tokenTotals } from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}${labels}`

describe('a wait', () => {
  it('is counted by class and by how it ended, in seconds, and without a known model as of other', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.waitEnded({ model: 'qwen', class: 'interactive' }, 'granted', 1_500)
    metrics.waitEnded({ model: 'qwen', class: 'bulk' }, 'granted', 500)
    metrics.waitEnded({ model: null, class: 'default' }, 'left', 250)
    metrics.rejected(null, 'bytes')
    const values = await scrape(metrics)
    const sum = (labels: string) => values.get(at('queue_wait_seconds_sum', labels))
    expect(sum('{model="qwen",class="interactive",outcome="granted"}')).toBe(1.5)
    expect(sum('{model="qwen",class="bulk",outcome="granted"}')).toBe(0.5)
    expect(sum('{model="other",class="default",outcome="left"}')).toBe(0.25)
    expect(values.get(at('queue_rejections_total', '{model="other",reason="bytes"}'))).toBe(1)
  })

  it('is held against what was told of it: as a ratio to the p50, and as a miss where it was beyond the p90', async () => {
    const metrics = createMetrics(new ScriptedSources())
    for (const waitMs of [500, 1_500, 3_000]) {
      metrics.estimateTold({ model: 'qwen', p50Ms: 1_000, p90Ms: 3_000, waitMs })
    }
    const misses = at('wait_estimate_p90_misses_total', '{model="qwen"}')
    const first = await scrape(metrics)
    expect(first.get(at('wait_estimate_ratio_sum', '{model="qwen"}'))).toBe(5)
    expect(first.get(at('wait_estimate_ratio_count', '{model="qwen"}'))).toBe(3)
    expect(first.get(at('wait_estimate_ratio_bucket', '{model="qwen",le="0.5"}'))).toBe(1)
    expect(first.get(misses)).toBe(0)
    metrics.estimateTold({ model: 'qwen', p50Ms: 1_000, p90Ms: 3_000, waitMs: 3_001 })
    expect((await scrape(metrics)).get(misses)).toBe(1)
  })

  it('that was predicted to be none says nothing about predictions', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.estimateTold({ model: 'qwen', p50Ms: 0, p90Ms: 0, waitMs: 40 })
    const values = await scrape(metrics)
    expect(values.has(at('wait_estimate_ratio_count', '{model="qwen"}'))).toBe(false)
    expect(values.get(at('wait_estimate_p90_misses_total', '{model="qwen"}'))).toBe(0)
  })
})

describe('who waits', () => {
  it('is added up where models share a label, but for the age, of which the greatest counts', async () => {
    const sources = new ScriptedSources()
    sources.depths.push(
      { model: 'gone-1', class: 'bulk', waiting: 2, tokens: 100, oldestMs: 9_000 },
      { model: 'gone-2', class: 'bulk', waiting: 3, tokens: 200, oldestMs: 4_000 },
    )
    const values = await scrape(createMetrics(sources))
    const other = '{model="other",class="bulk"}'
    expect(values.get(at('queue_depth', other))).toBe(5)
    expect(values.get(at('queue_estimated_tokens', other))).toBe(300)
    expect(values.get(at('queue_oldest_age_seconds', other))).toBe(9)
  })
})

describe('what a key was served', () => {
  it('is its uncached input and twice its output, over all models and hosts', async () => {
    const sources = new ScriptedSources()
    sources.tokenTotals = [
      tokenTotals('qwen', 'studio', 'alice', { input: 100, cachedInput: 60, output: 10 }),
      tokenTotals('qwen', 'mini', 'alice', { input: 5, output: 1 }),
      tokenTotals('qwen', 'mini', 'bob', { input: 7 }),
      tokenTotals('qwen', 'mini', 'carol'),
    ]
    const values = await scrape(createMetrics(sources))
    const cost = (key: string) => values.get(at('key_service_cost_total', `{key="${key}"}`))
    expect([cost('alice'), cost('bob'), cost('carol')]).toEqual([67, 7, 0])
  })

  it('is never less than nothing, whatever a host says of its cache', async () => {
    const sources = new ScriptedSources()
    sources.tokenTotals = [tokenTotals('qwen', 'studio', 'alice', { input: 10, cachedInput: 60, output: 3 })]
    const values = await scrape(createMetrics(sources))
    expect(values.get(at('key_service_cost_total', '{key="alice"}'))).toBe(6)
  })
})

describe('what is rare', () => {
  it('is there at 0 before it happens, so that rate() sees it, and counts', async () => {
    const metrics = createMetrics(new ScriptedSources())
    const series = [
      at('queue_rejections_total', '{model="qwen",reason="key_full"}'),
      at('queue_rejections_total', '{model="qwen",reason="wait_too_long"}'),
      at('bulk_given_back_total', '{model="qwen"}'),
      at('host_limit_changes_total', '{host="mini",direction="down",reason="busy"}'),
    ]
    const before = await scrape(metrics)
    expect(series.map((one) => before.get(one))).toEqual([0, 0, 0, 0])
    metrics.rejected('qwen', 'key_full')
    metrics.rejected('qwen', 'wait_too_long')
    metrics.gaveBack('qwen')
    metrics.limitChanged('mini', 'down', 'busy')
    const after = await scrape(metrics)
    expect(series.map((one) => after.get(one))).toEqual([1, 1, 1, 1])
  })
})
