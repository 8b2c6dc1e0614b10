/** What metrics say of limits: what was decided, what waiting took, and what is left. */
import { describe, expect, it } from 'vitest'
import { limitNames } from '../../../src/access/limits.ts'
import { systemClock } from '../../../src/base/clock.ts'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { ScriptedSources, scrape } from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}${labels}`
const decisions = (key: string, limit: string, decision: string) =>
  at('ratelimit_decisions_total', `{key="${key}",limit="${limit}",decision="${decision}"}`)

describe('a decision', () => {
  it('is counted by key and limit, and by none where no limit was in the way', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.limitDecided('bob', null, 'allow')
    metrics.limitDecided('bob', 'tokensPerMinute', 'queue')
    metrics.limitDecided('bob', 'tokensPerMinute', 'reject')
    metrics.limitDecided('bob', 'tokensPerMinute', 'reject')
    const values = await scrape(metrics)
    expect(values.get(decisions('bob', 'none', 'allow'))).toBe(1)
    expect(values.get(decisions('bob', 'tokensPerMinute', 'queue'))).toBe(1)
    expect(values.get(decisions('bob', 'tokensPerMinute', 'reject'))).toBe(2)
  })

  it('can be foreseen of each limit that a key has: it is there at 0, so that rate() sees the first', async () => {
    const metrics = createMetrics(new ScriptedSources())
    const foreseen = [
      decisions('alice', 'none', 'allow'),
      decisions('alice', 'tokensPerMinute', 'queue'),
      decisions('alice', 'tokensPerMinute', 'reject'),
    ]
    const before = await scrape(metrics)
    expect(foreseen.map((one) => before.get(one))).toEqual([0, 0, 0])
    metrics.limitDecided('alice', 'tokensPerMinute', 'reject')
    const after = await scrape(metrics)
    expect(foreseen.map((one) => after.get(one))).toEqual([0, 0, 1])
  })

  it('is not made ready for where half of all series are there: the rest is for what does happen', async () => {
    const sources = new ScriptedSources()
    sources.rests = Array.from({ length: 1_000 }, (_, i) => ({ key: `key-${i}`, limit: 'requestsPerDay', share: 1 }))
    const metrics = createMetrics(sources, 3_000)
    const values = await scrape(metrics)
    const zeros = [...values.keys()].filter((name) => name.startsWith(at('ratelimit_decisions_total')))
    expect(zeros.length).toBeGreaterThan(100)
    expect(zeros.length).toBeLessThan(1_500)
    expect(values.get(at('metrics_series_folded_total'))).toBe(0)
    metrics.limitDecided('key-999', 'requestsPerDay', 'reject')
    expect((await scrape(metrics)).get(decisions('key-999', 'requestsPerDay', 'reject'))).toBe(1)
  })
})

describe('what is left', () => {
  it('is the least of what is told of one key and limit, and goes with the key', async () => {
    const sources = new ScriptedSources()
    sources.rests = [
      { key: 'alice', limit: 'tokensPerMinute', share: 0.5 },
      { key: 'alice', limit: 'tokensPerMinute', share: 0.25 },
      { key: 'alice', limit: 'requestsPerDay', share: 0 },
      { key: 'alice', limit: 'requestsPerDay', share: 1 },
    ]
    const metrics = createMetrics(sources)
    const left = (key: string, limit: string) => at('ratelimit_remaining_ratio', `{key="${key}",limit="${limit}"}`)
    const values = await scrape(metrics)
    expect(values.get(left('alice', 'tokensPerMinute'))).toBe(0.25)
    expect(values.get(left('alice', 'requestsPerDay'))).toBe(0)
    sources.rests = []
    expect((await scrape(metrics)).has(left('alice', 'tokensPerMinute'))).toBe(false)
  })

  it('is the least, too, of all keys that share a label for want of series', async () => {
    const sources = new ScriptedSources()
    sources.rests = [0.9, 0.2, 0.7].map((share, i) => ({ key: `key-${i}`, limit: 'requestsPerDay', share }))
    const values = await scrape(createMetrics(sources, 1))
    expect(values.get(at('ratelimit_remaining_ratio', '{key="other",limit="requestsPerDay"}'))).toBe(0.2)
  })
})

describe('a wait for limits, and a reservation', () => {
  it('are observed in seconds by class and end, and as used by reserved of a known model', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.limitWaitEnded('bulk', 'left', 1_500)
    metrics.limitWaitEnded('bulk', 'left', 500)
    metrics.reservationSettled('qwen', 0.5)
    metrics.reservationSettled('qwen', 1.5)
    metrics.reservationSettled('invented', 2)
    const values = await scrape(metrics)
    expect(values.get(at('limit_wait_seconds_sum', '{class="bulk",outcome="left"}'))).toBe(2)
    expect(values.get(at('ratelimit_reservation_ratio_bucket', '{model="qwen",le="1.0"}'))).toBe(1)
    expect(values.get(at('ratelimit_reservation_ratio_count', '{model="qwen"}'))).toBe(2)
    expect(values.get(at('ratelimit_reservation_ratio_sum', '{model="other"}'))).toBe(2)
  })
})

it('every limit of 1,000 keys is read in slices, between which others have their turn', async () => {
  const sources = new ScriptedSources()
  let nowMs = 0
  let turns = 0
  let read = 0
  // Each row that is read takes a millisecond.
  const slow = function* (): Generator<(typeof sources.rests)[number]> {
    for (let i = 0; i < 1_000; i++) {
      for (const limit of limitNames) {
        nowMs += 1
        read += 1
        yield { key: `key-${i}`, limit, share: 1 }
      }
    }
  }
  Object.assign(sources, { clock: { ...systemClock, now: () => nowMs, wallMs: () => nowMs }, limitRests: slow })
  const takeTurns = () => {
    if (read > 0) turns += 1
    if (read < 9_000) setImmediate(takeTurns)
  }
  setImmediate(takeTurns)
  const values = await scrape(createMetrics(sources))
  expect(values.get(at('ratelimit_remaining_ratio', '{key="key-999",limit="tokensPerMonth"}'))).toBe(1)
  expect(turns).toBeGreaterThan(1_000)
})
