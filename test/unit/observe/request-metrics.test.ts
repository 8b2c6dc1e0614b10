/** What each request that ended adds to the metrics. */
import { describe, expect, it } from 'vitest'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import type { EndCode, Outcome } from '../../../src/relay/outcome.ts'
import { firstToken, outcome, ScriptedSources, scrape } from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}${labels}`

/** What a scrape shows after these requests; a test names what differs from a stream that went well. */
async function after(...differing: Partial<Outcome>[]): Promise<ReadonlyMap<string, number>> {
  const metrics = createMetrics(new ScriptedSources())
  for (const one of differing) metrics.requestEnded(outcome(one))
  return scrape(metrics)
}

describe('the time to the first token', () => {
  it('is told when it comes, with its parts, which add up to it, and by class', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.firstToken(firstToken())
    metrics.firstToken(firstToken({ class: 'bulk', ttftMs: 750 }))
    const values = await scrape(metrics)
    expect(values.get(at('time_to_first_token_seconds_sum', '{model="qwen",host="studio",class="default"}'))).toBe(0.25)
    expect(values.get(at('time_to_first_token_seconds_sum', '{model="qwen",host="studio",class="bulk"}'))).toBe(0.75)
    const part = (name: string) =>
      values.get(at('time_to_first_token_part_seconds_total', `{model="qwen",host="studio",part="${name}"}`)) ?? 0
    const parts = ['read', 'limit', 'queue', 'lost', 'host', 'prefill'].map(part)
    expect(parts.reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(2 * 0.25)
    expect(part('prefill')).toBeCloseTo(2 * 0.23)
  })

  it('is judged when it comes, bulk aside, and not again when its request ends', async () => {
    const metrics = createMetrics(new ScriptedSources())
    const judged = async (slo: string) => {
      const values = await scrape(metrics)
      return ['true', 'false'].map((met) =>
        values.get(at('slo_requests_total', `{slo="${slo}",model="qwen",met="${met}"}`)),
      )
    }
    metrics.firstToken(firstToken())
    metrics.firstToken(firstToken({ ttftMs: 10_001 }))
    metrics.firstToken(firstToken({ class: 'bulk', ttftMs: 10_001 }))
    expect([await judged('ttft'), await judged('goodput')]).toEqual([
      [1, 1],
      [0, 0],
    ])
    for (const ttftMs of [250, 10_001]) metrics.requestEnded(outcome({ ttftMs }))
    metrics.requestEnded(outcome({ class: 'bulk', ttftMs: 10_001 }))
    expect([await judged('ttft'), await judged('goodput')]).toEqual([
      [1, 1],
      [2, 1],
    ])
  })

  it('that never came has no parts', async () => {
    const none = { ttftMs: null, upstreamTtftMs: null, timePerOutputTokenMs: null }
    const values = await after({ ...none, stream: false }, { ...none, status: 504, end: 'uF' })
    expect([...values.keys()].filter((series) => series.includes('first_token'))).toEqual([])
  })

  it.each([
    ['unknown', { input: 20, cachedInput: 0 }, 'none'],
    ['unknown', { input: 0, cachedInput: 0 }, 'reported'],
    ['miss', { input: 20, cachedInput: 0 }, 'reported'],
    ['partial', { input: 20, cachedInput: 17 }, 'reported'],
    ['hit', { input: 20, cachedInput: 18 }, 'reported'],
  ] as const)('of a host is told by what came from its cache: %s of %j, %s', async (cache, tokens, cachedInput) => {
    const values = await after({
      tokens: { output: 9, reasoning: 0, ...tokens },
      sources: { input: 'reported', cachedInput, output: 'reported' },
    })
    const labels = `{model="qwen",host="studio",cache="${cache}"}`
    expect(values.get(at('upstream_time_to_first_token_seconds_sum', labels))).toBeCloseTo(0.23616)
  })
})

describe('objectives', () => {
  it('count requests and their tokens by whether each was met, exactly', async () => {
    const tokens = { input: 20, cachedInput: 0, output: 100, reasoning: 0 }
    const values = await after(
      { tokens },
      { tokens, ttftMs: 10_001 },
      {
        status: 503,
        end: 'RQ',
        host: null,
        ttftMs: null,
        timePerOutputTokenMs: null,
        tokens: { ...tokens, output: 0 },
      },
      { status: 400, end: 'GA', ttftMs: null, timePerOutputTokenMs: null },
    )
    const counted = (metric: string, slo: string) =>
      ['true', 'false'].map((met) => values.get(at(metric, `{slo="${slo}",model="qwen",met="${met}"}`)))
    expect(counted('slo_requests_total', 'availability')).toEqual([2, 1])
    // Those that had a first token were judged when it came.
    expect(counted('slo_requests_total', 'ttft')).toEqual([0, 1])
    expect(counted('slo_requests_total', 'tpot')).toEqual([2, 0])
    expect(counted('slo_requests_total', 'goodput')).toEqual([1, 2])
    expect(counted('slo_tokens_total', 'goodput')).toEqual([100, 100])
  })
})

it('sizes are told of requests that were answered, by what their hosts said or was counted', async () => {
  const values = await after(
    {},
    { status: 502, end: 'UF', tokens: { input: 9, cachedInput: 0, output: 9, reasoning: 0 } },
  )
  expect(values.get(at('request_input_tokens_sum', '{model="qwen"}'))).toBe(20)
  expect(values.get(at('request_output_tokens_sum', '{model="qwen"}'))).toBe(100)
})

it('the wait in line of each key is added up, of those too that never got a slot', async () => {
  const { spent } = outcome()
  const values = await after(
    {},
    { spent: { ...spent, queueMs: 1_000 }, queueWaitMs: null, status: 503, end: 'RQ', host: null },
    { spent: { ...spent, queueMs: 2_000 }, queueWaitMs: null, status: 499, end: 'CQ', host: null },
  )
  expect(values.get(at('key_queue_seconds_total', '{key="alice"}'))).toBeCloseTo(3.01234)
})

it('a host is not taken for one that reports no tokens because clients leave, or because it breaks', async () => {
  const counted = {
    usageSource: 'counted',
    sources: { input: 'estimated', cachedInput: 'none', output: 'counted' },
  } as const
  const values = await after({}, { ...counted, status: 499, end: 'CD' }, { ...counted, end: 'UD' })
  const of = (source: string) => values.get(at('usage_source_total', `{host="studio",source="${source}"}`))
  expect([of('reported'), of('counted'), of('estimated')]).toEqual([1, 0, 0])
})

describe('what became of requests', () => {
  const ends: readonly (readonly [became: string, end: EndCode, differing: Partial<Outcome>])[] = [
    ['ok', '--', {}],
    ['left', 'CD', { status: 499 }],
    ['slow_client', 'cR', { status: 408, errorCode: 'request_timeout' }],
    ['caller_error', 'GA', { status: 404, errorCode: 'model_not_found' }],
    ['limited', 'GA', { status: 429, errorCode: 'rate_limit_exceeded' }],
    ['refused', 'RQ', { status: 503, errorCode: 'queue_full' }],
    ['refused', 'RQ', { status: 200, errorCode: 'queue_timeout' }],
    ['refused', 'GA', { status: 503, errorCode: 'store_unavailable' }],
    ['failed', 'UF', { status: 502, errorCode: 'upstream_disconnected' }],
    ['failed', 'uH', { status: 504, errorCode: 'upstream_timeout' }],
    ['failed', 'UQ', { status: 503, errorCode: 'no_upstream_available' }],
    ['failed', 'RA', { status: 500, errorCode: 'internal_error' }],
    ['failed', 'GF', { status: 502, errorCode: 'upstream_bad_response' }],
    ['broken', 'GD', { status: 200, errorCode: 'upstream_bad_response' }],
    ['broken', 'UD', { status: 200, errorCode: 'upstream_truncated' }],
    ['failed', 'UD', { status: 200, stream: false, errorCode: 'upstream_truncated' }],
    ['cancelled', 'AD', { status: 200, errorCode: 'gateway_shutting_down' }],
  ]

  it.each(ends)('is %s for %s %j, over all keys', async (became, end, differing) => {
    const values = await after({ end, ...differing }, { end, ...differing, key: 'bob' })
    expect(values.get(at('request_outcomes_total', `{model="qwen",outcome="${became}"}`))).toBe(2)
  })

  it('is at 0 before the first request, of every model and of what is none', async () => {
    const values = await scrape(createMetrics(new ScriptedSources()))
    for (const model of ['qwen', 'other']) {
      for (const became of new Set(ends.map(([name]) => name))) {
        expect(values.get(at('request_outcomes_total', `{model="${model}",outcome="${became}"}`))).toBe(0)
      }
    }
  })
})

it('the steps of the gateway’s own work are told in seconds, and are there before the first', async () => {
  const metrics = createMetrics(new ScriptedSources())
  metrics.worked('parse', 0.03)
  metrics.heldUp(250)
  const values = await scrape(metrics)
  expect(values.get(at('gateway_overhead_seconds_sum', '{stage="parse"}'))).toBeCloseTo(0.00003)
  expect(values.get(at('gateway_overhead_seconds_count', '{stage="settle"}'))).toBe(0)
  expect(values.get(at('stream_backpressure_seconds_total'))).toBe(0.25)
})
