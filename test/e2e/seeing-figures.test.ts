/**
 * The figures of the rules against the truth: a real Prometheus scrapes a gateway under mixed load, and what its rules
 * record must be what the hosts sent and the clients saw. All windows are divided by one factor, with TEST_LONG=true by
 * a small one.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { requestClasses } from '../../src/base/request-class.ts'
import { metricDefinitions } from '../../src/observe/metric-names.ts'
import { endpointNames } from '../../src/wire/endpoints.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { type KnownHostSpeed, KnownLoad } from '../kit/known-load/known-load.ts'
import type { KnownRequest } from '../kit/known-load/known-request.ts'
import { inventedMark } from '../kit/known-load/nuisances.ts'
import { farFrom, outsideBucket, type RuleFigure, recordedFigures } from '../kit/known-load/rule-figures.ts'
import { firstTokenSeconds, meanBatch, streamSpeed, tokensPerSecond, waitSeconds } from '../kit/known-load/truth.ts'
import { type Prometheus, prometheusMissing, startPrometheus } from '../kit/prometheus.ts'
import { ruleFiles } from '../kit/rules/rule-files.ts'
import { job } from '../kit/rules/rule-shapes.ts'
import { becomesTrue } from '../kit/within.ts'

const mustRun = process.env['CI'] === 'true'
if (prometheusMissing && !mustRun) {
  process.stderr.write(
    'prometheus is not installed (apt-get install prometheus): figures are not held against the truth\n',
  )
}

/** Almost three minutes of load, or some forty seconds. */
const isLong = process.env['TEST_LONG'] === 'true'
const factor = isLong ? 2 : 10
const minuteSeconds = 60 / factor
const fiveMinutesSeconds = 300 / factor
/** Every figure that is recorded in this time is compared. */
const comparedSeconds = isLong ? 15 : 5

const fast = { models: ['org/fast'], slots: 4, cost: { ttftMs: 120, decodeTokensPerSecond: 60, batchSlowdown: 0.05 } }
/** Two models, and what it makes of both at once takes it no longer. */
const slow = {
  models: ['org/slow', 'org/seldom'],
  slots: 4,
  cost: { ttftMs: 400, decodeTokensPerSecond: 25, batchSlowdown: 0.1 },
}
const hosts = [
  { name: 'fast-1', ...fast },
  { name: 'fast-2', ...fast },
  { name: 'slow', ...slow },
] satisfies readonly KnownHostSpeed[]
/** Half as many again as there are slots. */
const clients = { 'org/fast': 12, 'org/slow': 4, 'org/seldom': 2 }
const models = Object.keys(clients)
/** Models at hosts. */
const placesCount = hosts.reduce((sum, host) => sum + host.models.length, 0)
const keyNames = ['alice', 'bob', 'carol']

describe.skipIf(prometheusMissing && !mustRun)('what the rules record of a gateway under mixed load', () => {
  const ends: (() => Promise<void>)[] = []
  let prometheus: Prometheus
  let requests: readonly KnownRequest[]
  let lagMs: number
  let until: number

  beforeAll(async () => {
    const load = await KnownLoad.start(hosts)
    ends.unshift(() => load[Symbol.asyncDispose]())
    const gateway = await startGateway({
      hosts: hosts.map(({ name, slots }) => ({ name, url: load.urls[name] ?? '', slots })),
    })
    ends.unshift(() => gateway.gateway.stop({ now: true }))
    const keys = await Promise.all(keyNames.map((name) => gateway.createKey({ name })))
    prometheus = await startPrometheus(
      [{ job_name: job, static_configs: [{ targets: [new URL(gateway.adminUrl).host] }] }],
      { ruleFiles: ruleFiles({ factor }).map(({ yaml }) => yaml), everyMs: Math.round(5_000 / factor) },
    )
    ends.unshift(() => prometheus.stop())
    await load.begin({ url: gateway.url, keys, clients })
    // rate() does not see the increment with which a series appears.
    await becomesTrue(30_000, 'every series of tokens and first tokens', async () => {
      const [tokens] = await prometheus.query('count(lmx_gateway_tokens_total{type="output"})')
      const [firstTokens] = await prometheus.query(`count(${ttft}_count)`)
      return tokens?.value[1] === `${placesCount * keyNames.length}` && firstTokens?.value[1] === `${placesCount}`
    })
    await pause(1000 * (fiveMinutesSeconds + comparedSeconds))
    until = Date.now() / 1000
    ;({ requests, lagMs } = await load.end())
  }, 300_000)

  afterAll(async () => {
    for (const end of ends) await end()
  }, 30_000)

  /** Of as many series as the load must have made. */
  const figuresOf = async (series: string, windowSeconds: number, seriesMin: number): Promise<RuleFigure[]> => {
    const figures = await recordedFigures(
      prometheus,
      { series, windowSeconds, seconds: comparedSeconds, until },
      requests,
    )
    expect(new Set(figures.map((figure) => figure.series)).size, series).toBeGreaterThanOrEqual(seriesMin)
    return figures
  }

  it('is of a load that had all sorts of requests', () => {
    for (const kind of ['chat_stream', 'completion_stream', 'whole', 'leaver']) {
      expect(requests.filter((request) => request.kind === kind).length, kind).toBeGreaterThan(5)
    }
    expect(requests.filter(({ status, kind }) => status !== 200 && kind !== 'leaver')).toEqual([])
    expect(requests.filter(({ host }) => host === null).length, 'left while they waited').toBeGreaterThan(0)
  })

  it('agrees within 2 % with the tokens that the hosts sent per second', async () => {
    const figures = [
      ...(await figuresOf('model:lmx_gateway_output_tokens:rate1m', minuteSeconds, models.length)),
      ...(await figuresOf('host_model:lmx_gateway_output_tokens:rate1m', minuteSeconds, placesCount)),
      ...(await figuresOf('key_type:lmx_gateway_tokens:rate5m{type="output"}', fiveMinutesSeconds, keyNames.length)),
    ]
    expect(farFrom(figures, tokensPerSecond, 0.02)).toEqual([])
  })

  it('agrees within 3 % with the speed at which the hosts made each stream', async () => {
    const series = 'host_model:lmx_gateway_stream_tokens_per_second:rate5m'
    expect(farFrom(await figuresOf(series, fiveMinutesSeconds, placesCount), streamSpeed, 0.03)).toEqual([])
  })

  it('agrees within 5 % with the answers that a host made at once, of all its models together', async () => {
    const series = 'host:lmx_gateway_mean_batch:rate5m'
    expect(farFrom(await figuresOf(series, fiveMinutesSeconds, hosts.length), meanBatch, 0.05)).toEqual([])
  })

  it.each([50, 95])('has the p%i of the time to first token in the bucket of what clients saw', async (percent) => {
    const figures = await figuresOf(`model:${ttft}:p${percent}`, fiveMinutesSeconds, models.length)
    const edges = metricDefinitions.time_to_first_token_seconds.buckets
    expect(outsideBucket(figures, firstTokenSeconds, { quantile: percent / 100, edges, lagMs })).toEqual([])
  })

  it.each([50, 95])(
    'has the p%i of the wait in line in the bucket of what lay between clients and hosts',
    async (percent) => {
      const figures = await figuresOf(`model:${queueWait}:p${percent}`, fiveMinutesSeconds, models.length)
      const edges = metricDefinitions.queue_wait_seconds.buckets
      expect(outsideBucket(figures, waitSeconds, { quantile: percent / 100, edges, lagMs })).toEqual([])
    },
  )

  it('has no label value that a client invented', async () => {
    const known: Readonly<Record<string, readonly string[]>> = {
      model: [...models, 'other'],
      host: hosts.map(({ name }) => name),
      key: [...keyNames, 'unknown', 'anonymous'],
      endpoint: endpointNames,
      class: requestClasses,
    }
    const series = await prometheus.series('{__name__=~".*lmx_gateway_.+"}')
    expect(series.length).toBeGreaterThan(500)
    expect(series.filter((labels) => JSON.stringify(labels).includes(inventedMark))).toEqual([])
    for (const [label, values] of Object.entries(known)) {
      const seen = new Set(series.flatMap((labels) => labels[label] ?? []))
      expect(
        [...seen].filter((value) => !values.includes(value)),
        label,
      ).toEqual([])
    }
  })
})

const ttft = 'lmx_gateway_time_to_first_token_seconds'
const queueWait = 'lmx_gateway_queue_wait_seconds'
