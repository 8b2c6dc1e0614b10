/** What metrics say of the choice of hosts, of what they have in memory, and of how true what was foreseen came. */
import { describe, expect, it } from 'vitest'
import { tellDecisions } from '../../../src/observe/decisions-came.ts'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { decisionRecord, placeRecord } from '../../kit/decision-records.ts'
import { outcome, ScriptedSources, scrape } from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}${labels}`
const place = '{model="qwen",host="studio"}'

/** Of one attempt that this was foreseen of. */
function foreseen(chosen: Parameters<typeof placeRecord>[0], differing: Partial<Outcome> = {}): Outcome {
  const ended = outcome(differing)
  const decision = decisionRecord({ inputTokens: 40, places: [placeRecord(chosen)] })
  return { ...ended, attemptsMade: ended.attemptsMade.map((attempt) => ({ ...attempt, decision })) }
}

describe('a decision', () => {
  it('is counted by host and reason when a slot was given, and a wait for a full host when it is over', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.decided(decisionRecord({ reason: 'prefix' }))
    metrics.decided(decisionRecord({ reason: 'prefix', hold: { waitMsMax: 900, ended: null } }))
    metrics.holdEnded({ model: 'qwen', host: 'studio' }, 'granted', 1_500)
    metrics.holdEnded({ model: 'qwen', host: 'studio' }, 'granted', 500)
    metrics.holdEnded({ model: 'qwen', host: 'studio' }, 'let_go', 3_000)
    const values = await scrape(metrics)
    expect(values.get(at('routing_decisions_total', '{model="qwen",host="studio",reason="prefix"}'))).toBe(1)
    expect(values.get(at('routing_holds_total', '{host="studio",result="granted"}'))).toBe(2)
    expect(values.get(at('routing_hold_seconds_total', '{host="studio",result="granted"}'))).toBe(2)
    expect(values.get(at('routing_hold_seconds_total', '{host="studio",result="let_go"}'))).toBe(3)
  })

  it('is held against the first token that came, but not where the speed was only assumed', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.requestEnded(foreseen({ firstTokenMs: 100 }, { upstreamTtftMs: 150 }))
    metrics.requestEnded(foreseen({ firstTokenMs: 100, samples: 0 }, { upstreamTtftMs: 900 }))
    metrics.requestEnded(foreseen({ firstTokenMs: 100 }, { upstreamTtftMs: null }))
    metrics.requestEnded(foreseen({ firstTokenMs: 0 }))
    const values = await scrape(metrics)
    expect(values.get(at('routing_first_token_ratio_count', place))).toBe(1)
    expect(values.get(at('routing_first_token_ratio_sum', place))).toBe(1.5)
  })

  it('is held against the cache that its host reported, by the share of the prompt that was foreseen', async () => {
    const metrics = createMetrics(new ScriptedSources())
    // Half of 40 tokens as estimated, of 20 as reported.
    metrics.requestEnded(foreseen({ cachedTokens: 20 }))
    const silent = { input: 'reported', cachedInput: 'none', output: 'reported' } as unknown as Outcome['sources']
    metrics.requestEnded(foreseen({ cachedTokens: 40 }, { sources: silent }))
    metrics.requestEnded(foreseen({ cachedTokens: 40 }, { end: 'UD' }))
    const values = await scrape(metrics)
    expect(values.get(at('prefix_predicted_tokens_total', place))).toBe(10)
    expect(values.get(at('prefix_cached_tokens_total', place))).toBe(4)
  })

  it('is told what came of it: the attempts that were lost, and the answer of the last', () => {
    const [lost, won] = [decisionRecord(), decisionRecord()]
    const [attempt] = outcome().attemptsMade
    const first = { ...attempt!, beganMs: 10, endedMs: 110.4, failure: 'upstream_timeout', decision: lost } as const
    tellDecisions(outcome({ attemptsMade: [first, { ...attempt!, beganMs: 120, endedMs: 2_120, decision: won }] }))
    expect(lost.came).toEqual({
      firstTokenMs: null,
      cachedTokens: null,
      inputTokens: 0,
      outputTokens: 0,
      tookMs: 100,
      failure: 'upstream_timeout',
    })
    expect(won.came).toEqual({
      firstTokenMs: 236,
      cachedTokens: 4,
      inputTokens: 20,
      outputTokens: 100,
      tookMs: 2_000,
      failure: null,
    })
  })
})

describe('what a host has in memory', () => {
  const atHost = (model: string, residency: 'resident' | 'loading' | 'absent' | null) => ({
    host: 'studio',
    model,
    residency,
    contextTokensMax: null,
  })

  it('is told of models that were there, and of no others: a host lists hundreds that it never loads', async () => {
    const sources = new ScriptedSources()
    for (const model of ['llama', 'never', 'always']) sources.models.add(model)
    const metrics = createMetrics(sources)
    const resident = async () => {
      const values = await scrape(metrics)
      const of = (model: string) => values.get(at('model_resident', `{model="${model}",host="studio"}`))
      return { qwen: of('qwen'), llama: of('llama'), never: of('never'), always: of('always') }
    }
    sources.placesOfModels = [
      atHost('qwen', 'resident'),
      atHost('llama', 'absent'),
      atHost('never', 'absent'),
      atHost('always', null),
    ]
    expect(await resident()).toEqual({ qwen: 1 })
    sources.placesOfModels = [atHost('qwen', 'absent'), atHost('llama', 'loading'), atHost('never', 'absent')]
    expect(await resident()).toEqual({ qwen: 0, llama: 0 })
    const loading = await scrape(metrics)
    expect(loading.get(at('model_loading', '{model="llama",host="studio"}'))).toBe(1)
    expect(loading.get(at('model_loading', '{model="qwen",host="studio"}'))).toBe(0)
    sources.placesOfModels = [atHost('llama', 'resident')]
    expect(await resident()).toEqual({ llama: 1 })
  })

  it('loads and evictions of it are at 0 before they happen', async () => {
    const sources = new ScriptedSources()
    sources.models.add('llama')
    const metrics = createMetrics(sources)
    await scrape(metrics)
    metrics.loadBegan('studio', 'llama')
    const began = await scrape(metrics)
    for (const model of ['qwen', 'llama']) {
      expect(began.get(at('model_loads_total', `{model="${model}",host="studio",result="ok"}`)), model).toBe(0)
      expect(began.get(at('model_evictions_total', `{model="${model}",host="studio"}`)), model).toBe(0)
    }
    metrics.loadEnded('studio', 'llama', 'ok', 24_000)
    metrics.loadEnded('studio', 'llama', 'failed', 60_000)
    metrics.evicted('studio', 'qwen')
    const ended = await scrape(metrics)
    expect(ended.get(at('model_loads_total', '{model="llama",host="studio",result="failed"}'))).toBe(1)
    // A load that failed says nothing of how long loads take.
    expect(ended.get(at('model_load_duration_seconds_sum', '{model="llama",host="studio"}'))).toBe(24)
    expect(ended.get(at('model_evictions_total', place))).toBe(1)
  })
})

it('a host that goes, and one that says nothing of itself, leave no figures behind', async () => {
  const sources = new ScriptedSources()
  const metrics = createMetrics(sources)
  const told = await scrape(metrics)
  expect(told.get(at('host_memory_used_ratio', '{host="studio"}'))).toBe(0.7)
  expect(told.get(at('host_queue_depth', '{host="studio"}'))).toBe(3)
  expect(told.get(at('host_telemetry_age_seconds', '{host="studio"}'))).toBe(2)
  expect(told.get(at('host_prefill_tokens_per_second', place))).toBe(1_500)
  expect(told.get(at('model_context_tokens', place))).toBe(32_768)
  sources.hostStates[0]!.telemetry = { ageMs: 4_000, memoryUsedRatio: null, cacheUsedRatio: null, queued: 0 }
  sources.learnedSpeeds = []
  sources.placesOfModels = []
  const left = await scrape(metrics)
  expect(left.has(at('host_memory_used_ratio', '{host="studio"}'))).toBe(false)
  expect(left.get(at('host_queue_depth', '{host="studio"}'))).toBe(0)
  for (const name of ['host_prefill_tokens_per_second', 'host_decode_tokens_per_second', 'model_context_tokens']) {
    expect(left.has(at(name, place)), name).toBe(false)
  }
})

it('those who wait for a model wait for its load while no host has it in memory', async () => {
  const sources = new ScriptedSources()
  const metrics = createMetrics(sources)
  const models = (loading: number, resident: number | null) => [
    { model: 'qwen', hosts: 2, resident, loading, listedBy: ['studio', 'mini'] },
  ]
  const waiting = at('model_load_waiting', '{model="qwen"}')
  sources.depths.push({ model: 'qwen', class: 'bulk', waiting: 4, tokens: 1, oldestMs: 1 })
  sources.modelHosts = () => models(1, 0)
  expect((await scrape(metrics)).get(waiting)).toBe(7)
  sources.modelHosts = () => models(1, 1)
  const loaded = await scrape(metrics)
  expect(loaded.get(waiting)).toBe(0)
  expect(loaded.get(at('model_hosts_resident', '{model="qwen"}'))).toBe(1)
  sources.modelHosts = () => models(0, null)
  const never = await scrape(metrics)
  for (const name of ['model_load_waiting', 'model_hosts_resident', 'model_hosts_loading'])
    expect(never.has(at(name, '{model="qwen"}')), name).toBe(false)
})
