import { describe, expect, it } from 'vitest'
import { sharingMetrics } from '../../../src/observe/definitions/sharing.ts'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { expositionText } from '../../kit/exposition-text.ts'
import {
  outcome,
  readExposition,
  ScriptedSources,
  scrape,
  scriptedSharing,
  tellEverything,
} from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}{replica="gw-1"${labels}}`

function ofSeveral() {
  const sources = new ScriptedSources()
  sources.sharing = scriptedSharing()
  return { sources, metrics: createMetrics(sources) }
}

describe('a gateway that stands alone', () => {
  it('shows nothing of what is shared, whatever is told of it, and has no replica in any label', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellEverything(metrics)
    const text = expositionText(await metrics.render())
    for (const name of Object.keys(sharingMetrics)) expect(text).not.toContain(`${metricPrefix}${name}`)
    expect(text).not.toContain('replica=')
  })
})

describe('one of several', () => {
  it.each(['text', 'openmetrics'] as const)(
    'has its name in each sample, those of its process too: %s',
    async (format) => {
      const { metrics } = ofSeveral()
      tellEverything(metrics)
      const lines = expositionText(await metrics.render(format)).split('\n')
      const samples = lines.filter((line) => line !== '' && !line.startsWith('#'))
      expect(samples.filter((line) => !/^\w+\{replica="gw-1"[,}]/.test(line))).toEqual([])
      expect(samples.some((line) => line.startsWith('process_resident_memory_bytes{'))).toBe(true)
      expect(samples.some((line) => /_bucket\{replica="gw-1",le="/.test(line))).toBe(true)
    },
  )

  it('keeps the labels of its series as they are for pages and for what is sent, which say it once', async () => {
    const { metrics } = ofSeveral()
    metrics.requestEnded(outcome())
    for (const { series } of await metrics.families())
      for (const { labels } of series.values()) expect(labels).not.toHaveProperty('replica')
  })

  it('is a name that any text may be', async () => {
    const { sources } = ofSeveral()
    sources.sharing = { ...scriptedSharing(), replica: 'a"b\\c' }
    const values = readExposition(expositionText(await createMetrics(sources).render()))
    expect(values.get('lmx_gateway_replicas{replica="a\\"b\\\\c"}')).toBe(2)
  })

  it('tells of Redis and of the others what they are when asked', async () => {
    const { sources, metrics } = ofSeveral()
    const first = await scrape(metrics)
    expect(first.get(at('redis_up'))).toBe(1)
    expect(first.get(at('sharing_degraded'))).toBe(0)
    expect(first.get(at('replicas'))).toBe(2)
    expect(first.get(at('replica_beat_age_seconds'))).toBe(0.15)
    expect(first.get(at('shared_limit_charges_waiting'))).toBe(3)
    expect(first.get(at('shared_slots_elsewhere', ',host="studio"'))).toBe(1)
    expect(first.get(at('shared_slot_claims', ',host="studio"'))).toBe(1)
    expect(first.get(at('usage_hand_over_waiting_rows'))).toBe(4)
    expect(first.get(at('usage_hand_over_lag_seconds'))).toBe(0.5)
    expect(first.get(at('usage_rows_handed_over_total'))).toBe(20)
    expect(first.get(at('usage_rows_taken_in_total'))).toBe(30)
    expect(first.get(at('key_mirror_age_seconds'))).toBe(0.25)
    sources.sharing = {
      ...scriptedSharing(),
      isRedisUp: () => false,
      replicas: () => ({ count: 3, isShared: false, beatAgeMs: 4_000 }),
      slots: () => [],
    }
    const then = await scrape(metrics)
    expect(then.get(at('redis_up'))).toBe(0)
    expect(then.get(at('sharing_degraded'))).toBe(1)
    expect(then.get(at('replicas'))).toBe(3)
    expect(then.get(at('replica_beat_age_seconds'))).toBe(4)
    expect(then.has(at('shared_slots_elsewhere', ',host="studio"'))).toBe(false)
  })

  it('counts calls of Redis by what came of them, and times those that were waited for', async () => {
    const { metrics } = ofSeveral()
    metrics.redis.called('reserve', 'ok', 0.3)
    metrics.redis.called('reserve', 'timeout', 50)
    metrics.redis.called('reserve', 'error', 2)
    metrics.redis.called('reserve', 'down', 0)
    const values = await scrape(metrics)
    for (const outcomeOf of ['ok', 'timeout', 'error', 'down'])
      expect(values.get(at('redis_calls_total', `,operation="reserve",outcome="${outcomeOf}"`))).toBe(1)
    expect(values.get(at('redis_call_seconds_count', ',operation="reserve"'))).toBe(2)
    expect(values.get(at('redis_call_seconds_sum', ',operation="reserve"'))).toBeCloseTo(0.0503, 9)
    expect(values.get(at('redis_call_seconds_bucket', ',operation="reserve",le="0.0005"'))).toBe(1)
  })

  it('counts an outage once, however often its problem changes, and none before Redis was there', async () => {
    const { metrics } = ofSeveral()
    metrics.redis.up(false, 'connection refused')
    expect((await scrape(metrics)).get(at('redis_outages_total'))).toBe(0)
    metrics.redis.up(true, null)
    metrics.redis.up(false, 'no answer')
    metrics.redis.up(false, 'connection refused')
    expect((await scrape(metrics)).get(at('redis_outages_total'))).toBe(1)
    metrics.redis.up(true, null)
    metrics.redis.up(false, 'no answer')
    expect((await scrape(metrics)).get(at('redis_outages_total'))).toBe(2)
  })

  it('has what may happen at 0 before it does', async () => {
    const { metrics } = ofSeveral()
    const values = await scrape(metrics)
    for (const by of ['shared', 'local']) expect(values.get(at('shared_limit_decisions_total', `,by="${by}"`))).toBe(0)
    for (const of of ['limits', 'slots']) expect(values.get(at('redis_late_answers_total', `,of="${of}"`))).toBe(0)
    for (const result of ['granted', 'refused', 'local'])
      expect(values.get(at('shared_slot_decisions_total', `,host="studio",outcome="${result}"`))).toBe(0)
  })

  it('counts others that went, and how, and each time that all was told anew', async () => {
    const { metrics } = ofSeveral()
    metrics.replicaGone('missed')
    metrics.replicaGone('missed')
    metrics.replicaGone('left')
    metrics.epochChanged()
    const values = await scrape(metrics)
    expect(values.get(at('replicas_gone_total', ',how="missed"'))).toBe(2)
    expect(values.get(at('replicas_gone_total', ',how="left"'))).toBe(1)
    expect(values.get(at('redis_epochs_total'))).toBe(1)
  })

  it('counts who decided of limits and slots, and what came too late', async () => {
    const { metrics } = ofSeveral()
    metrics.limitsAsked('shared')
    metrics.limitsAsked('local')
    metrics.limitAnswerUndone()
    metrics.slotAsked('studio', 'refused')
    metrics.slotAnswerUndone('studio')
    const values = await scrape(metrics)
    expect(values.get(at('shared_limit_decisions_total', ',by="local"'))).toBe(1)
    expect(values.get(at('shared_slot_decisions_total', ',host="studio",outcome="refused"'))).toBe(1)
    for (const of of ['limits', 'slots']) expect(values.get(at('redis_late_answers_total', `,of="${of}"`))).toBe(1)
  })
})
