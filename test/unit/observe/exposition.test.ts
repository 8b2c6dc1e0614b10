/** The text of a scrape: both formats from one table, and how long it keeps others waiting. */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import { formatOf } from '../../../src/observe/exposition.ts'
import { type MetricDefinition, metricDefinitions, metricPrefix } from '../../../src/observe/metric-names.ts'
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts'
import { seriesMaxDefault as seriesMax } from '../../../src/observe/series-max.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { everyTurn, turnsDuring } from '../../kit/event-loop.ts'
import { expositionText } from '../../kit/exposition-text.ts'
import { fullSources, telling } from '../../kit/full-budget.ts'
import { readOpenMetrics } from '../../kit/open-metrics.ts'
import {
  firstToken,
  outcome,
  readExposition,
  ScriptedSources,
  scriptedSharing,
  tellEverything,
} from '../../kit/scripted-sources.ts'

const definitions = Object.entries<MetricDefinition>(metricDefinitions)
const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentSpanId: null, sampled: true, state: null }
/** A request whose first token and whose tokens came slowly. */
function tellSlow(metrics: Metrics, differing: Partial<Pick<Outcome, 'id' | 'requestId' | 'trace'>>): void {
  metrics.firstToken(firstToken({ ttftMs: 12_000, ...differing }))
  metrics.requestEnded(outcome({ ttftMs: 12_000, timePerOutputTokenMs: 250, ...differing }))
}

async function both(metrics: Metrics): Promise<{ text: string; openMetrics: string }> {
  const text = expositionText(await metrics.render('text'))
  return { text, openMetrics: expositionText(await metrics.render('openmetrics')) }
}

/** The lines of ours, since those of the process change from scrape to scrape. */
function ours(body: string): string[] {
  return body.split('\n').filter((line) => line.replace(/^# \w+ /, '').startsWith(metricPrefix))
}

describe('the two formats', () => {
  it('are read by strict readers, and say the same of every series', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellEverything(metrics)
    const { text, openMetrics } = await both(metrics)
    const plain = [...readExposition(text)].filter(([series]) => series.startsWith(metricPrefix))
    const open = [...readOpenMetrics(openMetrics).samples].filter(([series]) => series.startsWith(metricPrefix))
    expect(open).toEqual(plain)
    expect(plain.some(([series]) => series.includes('le="1.0"'))).toBe(true)
  })

  it('do not change each other, however they alternate', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellEverything(metrics)
    const first = await both(metrics)
    for (let round = 0; round < 3; round += 1) {
      const { text, openMetrics } = await both(metrics)
      expect(ours(text)).toEqual(ours(first.text))
      expect(ours(openMetrics)).toEqual(ours(first.openMetrics))
    }
    const [text, openMetrics] = await Promise.all([metrics.render('text'), metrics.render('openmetrics')])
    expect(ours(expositionText(text))).toEqual(ours(first.text))
    expect(ours(expositionText(openMetrics))).toEqual(ours(first.openMetrics))
  })

  it('name each type: a counter with its suffix in plain text, by its family without it in OpenMetrics', async () => {
    const sources = new ScriptedSources()
    sources.sharing = scriptedSharing()
    const { text, openMetrics } = await both(createMetrics(sources))
    for (const [name, { type }] of definitions) {
      expect(text.match(new RegExp(`^# TYPE ${metricPrefix}${name} ${type}$`, 'gm'))).toHaveLength(1)
      expect(readOpenMetrics(openMetrics).types.get(metricPrefix + name.replace(/_total$/, ''))).toBe(type)
    }
    expect(definitions.filter(([name, { type }]) => (type === 'counter') !== name.endsWith('_total'))).toEqual([])
  })

  it('name themselves', async () => {
    const metrics = createMetrics(new ScriptedSources())
    expect((await metrics.render('text')).contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
    expect((await metrics.render('openmetrics')).contentType).toBe(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    )
  })

  it.each([
    [undefined, 'text'],
    ['*/*', 'text'],
    ['text/plain', 'text'],
    ['application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4', 'openmetrics'],
    ['application/openmetrics-text;q=0.2,text/plain;q=0.4', 'text'],
    ['application/openmetrics-text; version=2.0.0', 'text'],
    ['application/openmetrics-text;q=0', 'text'],
    ['application/openmetrics-text;q=x', 'text'],
    // Prometheus 3.
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
  ])('for %s: %s', (accept, format) => {
    expect(formatOf(accept)).toBe(format)
  })
})

describe('an exemplar', () => {
  it('leads from a slow first token and a slow token to the request and its trace, in OpenMetrics alone', async () => {
    const metrics = createMetrics(new ScriptedSources())
    tellSlow(metrics, { id: 'x'.repeat(22), requestId: 'of-the-client', trace })
    const { text, openMetrics } = await both(metrics)
    const { exemplars } = readOpenMetrics(openMetrics)
    const labels = { request_id: 'x'.repeat(22), trace_id: trace.traceId }
    expect(
      [...exemplars].map(([series, { value, labels: of }]) => [series.replace(/_bucket.*/, ''), value, of]),
    ).toEqual([
      [`${metricPrefix}time_to_first_token_seconds`, 12, labels],
      [`${metricPrefix}time_per_output_token_seconds`, 0.25, labels],
    ])
    expect(text).not.toContain('request_id')
    expect(openMetrics).not.toContain('of-the-client')
  })

  it('says nothing of a trace that is not sampled, nor of a request that met its objectives', async () => {
    const metrics = createMetrics(new ScriptedSources())
    metrics.firstToken(firstToken({ id: 'quick', ttftMs: 10_000, trace }))
    metrics.requestEnded(outcome({ id: 'quick', ttftMs: 10_000, timePerOutputTokenMs: 100, trace }))
    tellSlow(metrics, { id: 'slow', trace: { ...trace, sampled: false } })
    const { exemplars } = readOpenMetrics(expositionText(await metrics.render('openmetrics')))
    expect([...exemplars.values()].map(({ labels }) => labels)).toEqual([
      { request_id: 'slow' },
      { request_id: 'slow' },
    ])
  })

  it('is of the last such request in its bucket', async () => {
    const metrics = createMetrics(new ScriptedSources())
    for (const id of ['first', 'last']) metrics.firstToken(firstToken({ ttftMs: 12_000, id }))
    const { exemplars } = readOpenMetrics(expositionText(await metrics.render('openmetrics')))
    expect([...exemplars.values()].map(({ labels }) => labels)).toEqual([{ request_id: 'last' }])
  })
})

describe('a scrape at the full budget of series, with as many tallies and waiting keys as there can be', () => {
  it('leaves the event loop to others each millisecond, whatever it does', async () => {
    const sources = fullSources()
    // Time is told by how often the clock is looked at, and who looks seldom holds the loop for long.
    let looks = 0
    const looksByTurn: number[] = []
    let turnBegan = 0
    sources.clock = { ...systemClock, wallMs: () => 0, now: () => ++looks / 100 }
    const metrics = telling(createMetrics(sources, seriesMax))
    for (const format of ['text', 'openmetrics'] as const) {
      looks = 0
      turnBegan = 0
      const stop = everyTurn(() => {
        looksByTurn.push(looks - turnBegan)
        turnBegan = looks
      })
      const body = expositionText(await metrics.render(format))
      stop()
      // The turn in which it ended is one as well.
      looksByTurn.push(looks - turnBegan)
      expect(looks).toBeGreaterThan(65_000)
      expect(body.split('\n').length).toBeGreaterThan(seriesMax)
    }
    expect(Math.max(...looksByTurn)).toBeLessThanOrEqual(102)
  }, 30_000)

  it('is many short turns and no long one, by the processor time they take', async () => {
    const sources = fullSources()
    const metrics = telling(createMetrics(sources, seriesMax))
    const told: string[] = []
    for (let scrapes = 0; scrapes < 4; scrapes += 1) {
      const turns = await turnsDuring(() => metrics.render(scrapes % 2 === 0 ? 'text' : 'openmetrics'))
      const longest = turns[0] ?? Number.POSITIVE_INFINITY
      const whole = turns.reduce((sum, turn) => sum + turn, 0)
      told.push(`${longest.toFixed(1)} of ${whole.toFixed(0)}`)
      // A fifth has room for a collection of garbage; uncut, one turn would be nearly all of it.
      expect(longest).toBeLessThan(whole / 5)
      for (const tally of sources.tallies) tally.output += 3
    }
    process.stdout.write(`longest turn of each scrape at ${seriesMax} series, in ms: ${told.join(', ')}\n`)
  }, 30_000)
})
