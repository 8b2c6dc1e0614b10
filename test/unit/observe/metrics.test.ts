import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { metricDefinitions, metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics } from '../../../src/observe/metrics.ts'
import { everyTurn, steppingClock } from '../../kit/event-loop.ts'
import { expositionText } from '../../kit/exposition-text.ts'
import {
  firstToken,
  outcome,
  ScriptedSources,
  scrape,
  scriptedSharing,
  tellEverything,
  tokenTotals,
} from '../../kit/scripted-sources.ts'

const at = (name: string, labels = '') => `${metricPrefix}${name}${labels}`

describe('what a scrape shows', () => {
  it('has a sample of every metric in the table and of no other', async () => {
    const sources = new ScriptedSources()
    sources.sharing = scriptedSharing()
    const metrics = createMetrics(sources)
    tellEverything(metrics)
    const names = [...(await scrape(metrics)).keys()].map((series) =>
      series.replace(/\{.*/, '').replace(/_(bucket|sum|count)$/, ''),
    )
    expect([...new Set(names)].toSorted()).toEqual(
      Object.keys(metricDefinitions)
        .map((name) => at(name))
        .toSorted(),
    )
  })

  it('shows process metrics beside them', async () => {
    const page = await createMetrics(new ScriptedSources()).render()
    expect(expositionText(page)).toContain('\nprocess_resident_memory_bytes ')
    expect(expositionText(page)).toContain('\nnodejs_heap_size_used_bytes ')
    expect(page.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  })

  it('reads gauges when asked', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    const first = await scrape(metrics)
    expect(first.get(at('queue_depth', '{model="qwen",class="default"}'))).toBe(3)
    expect(first.get(at('queue_estimated_tokens', '{model="qwen",class="default"}'))).toBe(900)
    expect(first.get(at('queue_oldest_age_seconds', '{model="qwen",class="default"}'))).toBe(2)
    expect(first.get(at('key_queue_depth', '{key="alice"}'))).toBe(2)
    expect(first.get(at('key_inflight', '{key="alice"}'))).toBe(1)
    expect(first.get(at('key_queue_depth', '{key="anonymous"}'))).toBe(1)
    expect(first.get(at('fairness_gap_cost'))).toBe(250)
    expect(first.get(at('queue_bytes'))).toBe(4_096)
    expect(first.get(at('open_streams'))).toBe(2)
    expect(first.get(at('host_up', '{host="studio"}'))).toBe(1)
    expect(first.get(at('host_up', '{host="mini"}'))).toBe(0)
    expect(first.get(at('host_inflight', '{host="studio"}'))).toBe(1)
    expect(first.get(at('host_concurrency_limit', '{host="studio"}'))).toBe(2)
    expect(first.get(at('host_models', '{host="studio"}'))).toBe(5)
    sources.streams = 9
    expect((await scrape(metrics)).get(at('open_streams'))).toBe(9)
  })

  it('lets a host that is gone disappear, and a line that ran empty be 0', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    await scrape(metrics)
    sources.hostStates = sources.hostStates.slice(0, 1)
    sources.depths.length = 0
    sources.flows.length = 0
    const values = await scrape(metrics)
    expect(values.has(at('host_up', '{host="mini"}'))).toBe(false)
    for (const name of ['queue_depth', 'queue_estimated_tokens', 'queue_oldest_age_seconds']) {
      expect(values.get(at(name, '{model="qwen",class="default"}'))).toBe(0)
    }
    for (const name of ['key_queue_depth', 'key_inflight']) expect(values.get(at(name, '{key="alice"}'))).toBe(0)
  })

  it('counts its own series', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellEverything(metrics)
    const values = await scrape(metrics)
    expect(values.get(at('metric_series'))).toBe(values.size)
  })

  it('is the same for every reader, however many read in turn', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellEverything(metrics)
    const first = await scrape(metrics)
    for (let reader = 0; reader < 5; reader += 1) expect(await scrape(metrics)).toEqual(first)
  })

  it('belongs to one gateway: two in a process do not meet', async () => {
    const one = createMetrics(new ScriptedSources())
    const other = createMetrics(new ScriptedSources())
    one.requestEnded(outcome())
    const series = at('usage_source_total', '{host="studio",source="reported"}')
    expect((await scrape(one)).get(series)).toBe(1)
    expect((await scrape(other)).get(series)).toBe(0)
  })
})

describe('a request that ended', () => {
  it('is counted once, timed in seconds, and its source of token counts with it', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.requestEnded(outcome())
    const values = await scrape(metrics)
    expect(values.get(at('requests_total', answered('200', '--')))).toBe(1)
    expect(values.get(at('request_duration_seconds_sum', '{model="qwen",host="studio"}'))).toBe(2.25)
    expect(values.get(at('time_per_output_token_seconds_sum', '{model="qwen",host="studio"}'))).toBe(0.02)
    expect(values.get(at('usage_source_total', '{host="studio",source="reported"}'))).toBe(1)
  })

  it('keeps the first token of one whose client left later, but not its duration', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.firstToken(firstToken())
    metrics.requestEnded(outcome({ status: 499, end: 'CD', timePerOutputTokenMs: null, usageSource: 'counted' }))
    const values = await scrape(metrics)
    expect(values.get(at('requests_total', answered('499', 'CD')))).toBe(1)
    expect(values.get(at('time_to_first_token_seconds_count', '{model="qwen",host="studio",class="default"}'))).toBe(1)
    expect(values.has(at('request_duration_seconds_count', '{model="qwen",host="studio"}'))).toBe(false)
    expect(values.has(at('time_per_output_token_seconds_count', '{model="qwen",host="studio"}'))).toBe(false)
  })

  it('that no host saw has no times', async () => {
    const metrics = createMetrics(new ScriptedSources())
    const refused = { host: null, status: 503, end: 'RQ', errorCode: 'queue_full' } as const
    const timeless = { ttftMs: null, upstreamTtftMs: null, timePerOutputTokenMs: null } as const
    metrics.requestEnded(outcome({ ...refused, ...timeless, usageSource: 'none' }))
    const values = await scrape(metrics)
    expect(values.get(at('requests_total', answered('503', 'RQ')))).toBe(1)
    expect(timesOfRequests(values)).toEqual([])
  })

  it('of which no token was made says nothing about the source of counts', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.requestEnded(outcome({ status: 502, end: 'UF', errorCode: 'upstream_bad_response', usageSource: 'none' }))
    const sources = [...(await scrape(metrics))].filter(([series]) => series.startsWith(at('usage_source_total')))
    expect(sources.map(([, value]) => value)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('puts an explicit zero into the histogram, since zero is a value', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.firstToken(firstToken({ ttftMs: 0 }))
    expect(
      (await scrape(metrics)).get(
        at('time_to_first_token_seconds_count', '{model="qwen",host="studio",class="default"}'),
      ),
    ).toBe(1)
  })

  it('never throws at the relay, whatever figure it brings', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.firstToken(firstToken({ ttftMs: Number.NaN }))
    metrics.requestEnded(
      outcome({
        ttftMs: Number.NaN,
        upstreamTtftMs: -5,
        durationMs: Number.POSITIVE_INFINITY,
        timePerOutputTokenMs: -1,
      }),
    )
    const values = await scrape(metrics)
    expect(values.get(at('requests_total', answered('200', '--')))).toBe(1)
    expect(timesOfRequests(values)).toEqual([])
  })
})

describe('counters that follow a total kept elsewhere', () => {
  const output = at('tokens_total', '{model="qwen",host="studio",key="alice",type="output"}')

  it('are there at 0 before the first token, so that rate() sees it', async () => {
    const sources = new ScriptedSources()
    sources.tokenTotals = [tokenTotals('qwen', 'studio', 'alice')]
    sources.phaseTotals = [
      {
        model: 'qwen',
        host: 'studio',
        prefillSeconds: 0,
        decodeSeconds: 0,
        wholeSeconds: 0,
        busySeconds: 0,
        running: { prefill: 0, decode: 0, whole: 0 },
      },
    ]
    const values = await scrape(createMetrics(sources))
    for (const type of ['input', 'cached_input', 'output', 'reasoning']) {
      expect(values.get(at('tokens_total', `{model="qwen",host="studio",key="alice",type="${type}"}`))).toBe(0)
    }
    for (const name of ['prefill_seconds_total', 'decode_seconds_total', 'host_busy_seconds_total']) {
      expect(values.get(at(name, '{model="qwen",host="studio"}'))).toBe(0)
    }
  })

  it('so are the faults of each host and the refusals of each model', async () => {
    const values = await scrape(createMetrics(new ScriptedSources()))
    expect(values.get(at('host_errors_total', '{host="mini",reason="upstream_stalled"}'))).toBe(0)
    expect(values.get(at('queue_rejections_total', '{model="qwen",reason="full"}'))).toBe(0)
    expect(values.get(at('failovers_total', '{model="qwen",phase="connect",result="failed"}'))).toBe(0)
  })

  it('equal the total at every scrape', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    for (const total of [7, 7, 8, 108]) {
      sources.tokenTotals[0]!.output = total
      sources.phaseTotals[0]!.decodeSeconds = total
      const values = await scrape(metrics)
      expect(values.get(output)).toBe(total)
      expect(values.get(at('decode_seconds_total', '{model="qwen",host="studio"}'))).toBe(total)
    }
  })

  it('never go down: a total that fell leaves them, and its growth from there counts', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    const seen: (readonly (number | undefined)[])[] = []
    for (const total of [10, 4, 5, Number.NaN, 9]) {
      sources.tokenTotals[0]!.output = total
      sources.phaseTotals[0]!.decodeSeconds = total
      const values = await scrape(metrics)
      seen.push([values.get(output), values.get(at('decode_seconds_total', '{model="qwen",host="studio"}'))])
    }
    expect(seen).toEqual([10, 10, 11, 11, 15].map((value) => [value, value]))
  })

  it('are read in one turn: tokens, and the seconds they are divided by', async () => {
    const sources = new ScriptedSources()
    sources.tokenTotals = Array.from({ length: 300 }, (_, index) => tokenTotals('qwen', 'studio', `key-${index}`))
    sources.clock = { ...systemClock, wallMs: () => 0, now: steppingClock(1) }
    const metrics = createMetrics(sources)
    // Every turn each key is served a token, in a second.
    let served = 0
    const serve = () => {
      served += 1
      for (const tally of sources.tokenTotals) {
        tally.decoded += 1
        tally.decodedSeconds += 2
      }
      for (const phase of sources.phaseTotals) phase.decodeSeconds += 300
      for (const host of sources.generatingTotals) host.seconds += 300
    }
    sources.phaseTotals[0]!.decodeSeconds = 0
    sources.generatingTotals[0]!.seconds = 0
    const stop = everyTurn(serve)
    for (let scrapes = 0; scrapes < 3; scrapes += 1) {
      const values = await scrape(metrics)
      const tokens = values.get(at('decode_tokens_total', '{model="qwen",host="studio"}'))
      expect(tokens).toBeGreaterThan(0)
      expect(values.get(at('decode_token_seconds_total', '{model="qwen",host="studio"}'))).toBe(2 * (tokens ?? 0))
      expect(values.get(at('decode_seconds_total', '{model="qwen",host="studio"}'))).toBe(tokens)
      expect(values.get(at('host_generating_seconds_total', '{host="studio"}'))).toBe(tokens)
    }
    stop()
    expect(served).toBeGreaterThan(300)
  })

  it('stay with their model when no host lists it any more', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources)
    await scrape(metrics)
    sources.models.clear()
    sources.tokenTotals[0]!.output = 8
    const values = await scrape(metrics)
    expect(values.get(output)).toBe(8)
    expect(values.has(at('tokens_total', '{model="other",host="studio",key="alice",type="output"}'))).toBe(false)
  })
})

describe('label values', () => {
  it('are escaped: quotes, backslashes and line feeds in names do not break the text', async () => {
    const sources = new ScriptedSources()
    const name = 'a"b\\c\nd}e{f,g="h"'
    sources.models.add(name)
    sources.hostStates[0]!.name = name
    const metrics = createMetrics(sources)
    metrics.firstToken(firstToken({ model: name, host: name }))
    const escaped = 'a\\"b\\\\c\\nd}e{f,g=\\"h\\"'
    const values = await scrape(metrics)
    expect(values.get(at('host_up', `{host="${escaped}"}`))).toBe(1)
    expect(
      values.get(at('time_to_first_token_seconds_count', `{model="${escaped}",host="${escaped}",class="default"}`)),
    ).toBe(1)
  })

  it('are whole characters and bounded: what the wire would make equal is one series', async () => {
    const metrics = createMetrics(new ScriptedSources())
    for (const key of ['\ud800', '\udc00', '\ufffd']) metrics.requestEnded(outcome({ key }))
    metrics.requestEnded(outcome({ key: 'x'.repeat(1_048_576) }))
    const counts = [...(await scrape(metrics))].filter(([series]) => series.startsWith(at('requests_total')))
    expect(counts.map(([, value]) => value)).toEqual([3, 1])
    expect(Math.max(...counts.map(([series]) => series.length))).toBeLessThan(400)
  })
})

describe('the number of series', () => {
  it('does not grow with 100,000 invented model names', async () => {
    const metrics = createMetrics(new ScriptedSources())
    const told = (model: string | null) => {
      metrics.requestEnded(outcome({ model }))
      metrics.waitEnded({ model, class: 'default' }, 'refused', 1)
      metrics.estimateTold({ model, p50Ms: 1, p90Ms: 2, waitMs: 3 })
      metrics.gaveBack(model)
      metrics.failedOver(model ?? 'invented', 'connect', 'failed')
      metrics.rejected(model, 'no_host')
    }
    told(null)
    const before = await scrape(metrics)
    for (let index = 0; index < 1_000; index += 1) told(`invented-${index}`)
    for (let index = 1_000; index < 100_000; index += 1) metrics.rejected(`invented-${index}`, 'no_host')
    const after = await scrape(metrics)
    expect([...after.keys()]).toEqual([...before.keys()])
    expect(after.get(at('queue_rejections_total', '{model="other",reason="no_host"}'))).toBe(100_001)
  }, 30_000)

  it('ends at the budget: later names are counted as other, earlier ones go on', async () => {
    const sources = new ScriptedSources()
    sources.knownModel = () => true
    const metrics = createMetrics(sources, 500)
    const tell = (from: number, to: number) => {
      for (let index = from; index < to; index += 1) {
        metrics.rejected(`model-${index}`, 'full')
        metrics.requestEnded(outcome({ model: `model-${index}`, key: `key-${index}` }))
      }
    }
    tell(0, 1_000)
    metrics.rejected('model-0', 'full')
    const values = await scrape(metrics)
    expect(values.get(at('queue_rejections_total', '{model="model-0",reason="full"}'))).toBe(2)
    expect(values.get(at('queue_rejections_total', '{model="other",reason="full"}'))).toBeGreaterThan(900)
    const requests = [...values].filter(([series]) => series.startsWith(at('requests_total')))
    expect(requests.reduce((sum, [, value]) => sum + value, 0)).toBe(1_000)
    // What is over the budget is `other`, whose other labels have few values; what is of hosts alone is not in it.
    const named = [...values.keys()].filter((series) => /(?:model|key)="(?!other")/.test(series))
    expect(named.length).toBeLessThanOrEqual(500)
    expect(values.get(at('metrics_series_folded_total'))).toBeGreaterThan(900)
    tell(1_000, 2_000)
    expect([...(await scrape(metrics)).keys()]).toEqual([...values.keys()])
  })

  it('adds up what is folded into one counter or gauge', async () => {
    const sources = new ScriptedSources()
    const metrics = createMetrics(sources, 0)
    sources.tokenTotals = [
      tokenTotals('qwen', 'studio', 'alice', { output: 5 }),
      tokenTotals('qwen', 'mini', 'bob', { output: 6 }),
    ]
    const values = await scrape(metrics)
    expect(values.get(at('tokens_total', '{model="other",host="other",key="other",type="output"}'))).toBe(11)
  })
})

/** Histograms of requests; the steps of the gateway's own work and the delays of its timers are there from the beginning, gaps come with their streams. */
function timesOfRequests(values: ReadonlyMap<string, number>): string[] {
  return [...values.keys()].filter((series) => /_(?<!overhead_|gap_|delay_)seconds_count/.test(series))
}

function answered(status: string, end: string): string {
  return `{endpoint="chat_completions",model="qwen",key="alice",status="${status}",end="${end}"}`
}
