/** The budget of series over time: what is there before anything happened, who gives back, and where totals are counted meanwhile. */
import { describe, expect, it } from 'vitest'
import { metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts'
import { outcome, ScriptedSources, scrape, tokenTotals } from '../../kit/scripted-sources.ts'

const at = (name: string, labels: string) => `${metricPrefix}${name}${labels}`
const decoded = (model: string) => at('decode_tokens_total', `{model="${model}",host="studio"}`)
const decodeSeconds = (model: string) => at('decode_seconds_total', `{model="${model}",host="studio"}`)
const gaps = (model: string) => at('stream_chunk_gap_seconds_count', `{model="${model}",host="studio"}`)

/** A gateway whose hosts list what a test says, and where nothing was asked for yet. */
function listing(...models: string[]): ScriptedSources & { list(...names: string[]): void } {
  const sources = Object.assign(new ScriptedSources(), {
    list(...names: string[]) {
      sources.models.clear()
      for (const name of names) sources.models.add(name)
      sources.modelHosts = () =>
        names.map((model) => ({ model, hosts: 1, resident: null, loading: 0, listedBy: ['studio'] }))
    },
  })
  sources.tokenTotals = []
  sources.phaseTotals = []
  sources.gapTotals = []
  sources.depths.length = 0
  sources.rests = []
  sources.list(...models)
  return sources
}

function phaseTotals(model: string, seconds: number) {
  return {
    model,
    host: 'studio',
    prefillSeconds: 0,
    decodeSeconds: seconds,
    wholeSeconds: 0,
    busySeconds: seconds,
    running: { prefill: 0, decode: 1, whole: 0 },
  }
}

const seriesOf = (values: ReadonlyMap<string, number>, model: string) =>
  [...values.keys()].filter((series) => series.includes(`model="${model}"`))

describe('before the first request', () => {
  it('what can be foreseen of each model that may be asked for is there at 0, so that increase() sees the first', async () => {
    const values = await scrape(createMetrics(listing('qwen', 'llama')))
    for (const model of ['qwen', 'llama', 'other']) {
      const met = `{slo="availability",model="${model}",met="false"}`
      expect(values.get(at('slo_requests_total', met))).toBe(0)
      expect(values.get(at('request_outcomes_total', `{model="${model}",outcome="failed"}`))).toBe(0)
      expect(values.get(at('queue_rejections_total', `{model="${model}",reason="no_host"}`))).toBe(0)
    }
    expect(values.get(decoded('llama'))).toBe(0)
    expect(values.get(at('stream_stalls_total', '{model="llama",host="studio"}'))).toBe(0)
  })

  it('so it is of one that a host lists later, and of one that another host lists as well', async () => {
    const sources = listing('qwen')
    const metrics = createMetrics(sources)
    await scrape(metrics)
    sources.list('qwen', 'llama')
    sources.modelHosts = () =>
      ['qwen', 'llama'].map((model) => ({ model, hosts: 2, resident: null, loading: 0, listedBy: ['studio', 'mini'] }))
    const values = await scrape(metrics)
    expect(values.get(decoded('llama'))).toBe(0)
    expect(values.get(at('decode_tokens_total', '{model="qwen",host="mini"}'))).toBe(0)
  })

  it('nothing is made ready once half of the budget is spent: the rest is for what does happen', async () => {
    const names = Array.from({ length: 300 }, (_, index) => `model-${index}`)
    const metrics = createMetrics(listing(...names), 3_000)
    const values = await scrape(metrics)
    expect(seriesOf(values, 'model-0').length).toBeGreaterThan(20)
    expect(seriesOf(values, 'model-299').filter((series) => !series.includes('model_hosts_up'))).toEqual([])
    expect(values.size).toBeLessThan(2_200)
    expect(values.get(at('metrics_series_folded_total', ''))).toBe(0)
  })
})

describe('models that hosts no longer list', () => {
  const seriesMax = 3_000
  /** Each is asked for once, with all that a request leaves behind. */
  const ask = (metrics: Metrics, models: readonly string[]) => {
    for (const model of models) metrics.requestEnded(outcome({ model }))
  }
  const generation = (round: number) => Array.from({ length: 40 }, (_, index) => `g${round}-${index}`)

  it('give their series back when the budget is tight, so that a new one has its own', async () => {
    const sources = listing()
    const metrics = createMetrics(sources, seriesMax)
    for (let round = 0; round < 5; round += 1) {
      sources.list(...generation(round))
      await scrape(metrics)
      ask(metrics, generation(round))
    }
    sources.list('newgood')
    await scrape(metrics)
    ask(metrics, ['newgood'])
    const values = await scrape(metrics)
    expect(values.get(at('model_hosts_up', '{model="newgood"}'))).toBe(1)
    expect(values.get(at('request_duration_seconds_count', '{model="newgood",host="studio"}'))).toBe(1)
    expect(seriesOf(values, 'g0-0')).toEqual([])
    expect(values.get(at('metric_series', ''))).toBe(values.size)
  })

  it('stay in what pages tell of all requests and of each key', async () => {
    const sources = listing(...generation(0))
    const metrics = createMetrics(sources, seriesMax)
    await scrape(metrics)
    ask(metrics, generation(0))
    const told = () => [metrics.counted.sum('requests_total'), metrics.counted.by('requests_total', 'key')]
    const before = told()
    expect(before[0]).toBe(40)
    sources.list('newgood')
    const values = await scrape(metrics)
    expect(seriesOf(values, 'g0-0')).toEqual([])
    expect(told()).toEqual(before)
  })

  it('keep them while there is room', async () => {
    const sources = listing('qwen')
    const metrics = createMetrics(sources, seriesMax)
    await scrape(metrics)
    ask(metrics, ['qwen'])
    sources.list('llama')
    const values = await scrape(metrics)
    expect(values.get(at('request_duration_seconds_count', '{model="qwen",host="studio"}'))).toBe(1)
  })

  it('go on from 0 when they are listed again: what they had is not counted a second time', async () => {
    const sources = listing('qwen')
    sources.tokenTotals = [tokenTotals('qwen', 'studio', 'alice', { decoded: 1_000 })]
    sources.phaseTotals = [phaseTotals('qwen', 20)]
    // So little that it is always tight, and enough for what is of hosts and of one model.
    const metrics = createMetrics(sources, 600)
    const before = await scrape(metrics)
    expect([before.get(decoded('qwen')), before.get(decodeSeconds('qwen'))]).toEqual([1_000, 20])
    sources.list()
    await scrape(createFull(metrics))
    sources.list('qwen')
    sources.tokenTotals[0]!.decoded = 1_050
    sources.phaseTotals[0]!.decodeSeconds = 21
    const after = await scrape(metrics)
    expect([after.get(decoded('qwen')), after.get(decodeSeconds('qwen'))]).toEqual([50, 1])
  })
})

/** Told of so many keys that nothing is left. */
function createFull(metrics: Metrics): Metrics {
  for (let index = 0; index < 1_000; index += 1) metrics.limitDecided(`key-${index}`, null, 'allow')
  return metrics
}

describe('what is of hosts alone', () => {
  it('is outside of the budget: hosts are configured, and two of them added up would hide that one is down', async () => {
    const values = await scrape(createMetrics(new ScriptedSources(), 0))
    const up = ['studio', 'mini', 'other'].map((host) => values.get(at('host_up', `{host="${host}"}`)))
    expect(up).toEqual([1, 0, undefined])
    expect(values.get(at('host_attempts_total', '{host="mini"}'))).toBe(0)
  })

  it('has the worst of hosts that share a label, since their names are as long as a label is', async () => {
    const sources = new ScriptedSources()
    const name = 'x'.repeat(200)
    const [host] = sources.hostStates
    sources.hostStates = [
      { ...host!, name: `${name}1`, up: true, paused: true, ejected: false },
      { ...host!, name: `${name}2`, up: false, paused: false, ejected: true },
    ]
    const values = await scrape(createMetrics(sources))
    expect(['host_up', 'host_paused', 'host_circuit_open'].map((of) => values.get(at(of, `{host="${name}"}`)))).toEqual(
      [0, 1, 1],
    )
  })
})

describe('a total that was counted as other for a while', () => {
  it('moves to a series of its own with what grows from there, tokens and seconds and gaps together', async () => {
    const sources = listing('qwen')
    const counts = Array.from({ length: 26 }, () => 0)
    sources.tokenTotals = [tokenTotals('later', 'studio', 'alice', { decoded: 40_000 })]
    sources.phaseTotals = [phaseTotals('later', 1_000)]
    sources.gapTotals = [{ model: 'later', host: 'studio', counts, sumSeconds: 9, stalls: 0 }]
    counts[3] = 500
    const metrics = createMetrics(sources)
    const folded = await scrape(metrics)
    expect([decoded, decodeSeconds, gaps].map((of) => folded.get(of('other')))).toEqual([40_000, 1_000, 500])
    sources.list('qwen', 'later')
    sources.tokenTotals[0]!.decoded += 400
    sources.phaseTotals[0]!.decodeSeconds += 10
    counts[3] += 5
    const own = await scrape(metrics)
    expect([decoded, decodeSeconds, gaps].map((of) => own.get(of('later')))).toEqual([400, 10, 5])
    expect([decoded, decodeSeconds, gaps].map((of) => own.get(of('other')))).toEqual([40_000, 1_000, 500])
  })
})
