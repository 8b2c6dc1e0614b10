/** Metrics by OTLP, and how any receiver is reached: against a real one on loopback. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { certificateFolder } from '../kit/certificate-files.ts'
import { certificate } from '../kit/certificates.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { everyPiece } from '../kit/every-piece.ts'
import { ask, clientOf, model, startDouble } from '../kit/fleet.ts'
import { startGateway } from '../kit/gateway-under-test.ts'
import { type OtlpReceiver, type ReceivedMetric, startOtlpReceiver } from '../kit/otlp-receiver.ts'
import { eventually, within } from '../kit/within.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const everyMs = 123_457

/** On which the time between two rounds is none. */
const hasty: Clock = {
  ...systemClock,
  after: (delayMs, callback) => systemClock.after(delayMs === everyMs ? 20 : delayMs, callback),
}

async function gatewayBefore(config: Omit<ConfigInput, 'hosts'>, clock: Clock = systemClock) {
  const double = await startDouble()
  const gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }], ...config }, { clock })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { gateway, client: clientOf(gateway) }
}

/** As it came last. */
function lastOf(receiver: OtlpReceiver, name: string): ReceivedMetric {
  const found = receiver.metrics().findLast((metric) => metric.name === name)
  if (found === undefined) throw new Error(`no metric ${name} was sent`)
  return found
}

/** Of an exposition: a metric without a series has nothing to send. */
function namesWithSamples(text: string): Set<string> {
  const names = [...text.matchAll(/^# TYPE (\S+) (\S+)/gm)].filter(([, name, type]) => {
    const sample = type === 'histogram' ? `${name}_count` : name
    return new RegExp(`^${sample}[ {]`, 'm').test(text)
  })
  return new Set(names.map(([, name]) => String(name)))
}

test('the receiver gets what /metrics shows, under the same names, and once more at the end', async () => {
  const receiver = await startOtlpReceiver()
  const otlp = { endpoint: receiver.url, traces: false, metrics: true, metricsIntervalMs: 3_600_000 }
  const { gateway, client } = await gatewayBefore({ otlp })
  for (const tokens of [2, 4]) {
    await everyPiece(await client.chat.completions.create({ ...ask('hello', tokens), stream: true }))
  }
  await gateway.outcomesOnce(2)
  // A first collection behind the last look would add a name.
  const counted = async (): Promise<string> => {
    for (;;) {
      const page = await gateway.metrics()
      collectGarbage()
      if (page.includes('nodejs_gc_duration_seconds_count')) return page
    }
  }
  const scraped = await within(5_000, 'a collection that was counted', counted())
  await gateway.gateway.stop()

  const requests = lastOf(receiver, 'lmx_gateway_requests_total')
  expect(requests).toMatchObject({ type: 'counter', isCumulative: true })
  const labels = { endpoint: 'chat_completions', model, key: 'anonymous', status: '200', end: '--' }
  expect(requests.points).toMatchObject([{ attributes: labels, value: 2 }])
  const [point] = requests.points
  expect(point!.startMs).toBeLessThan(point!.endMs)
  expect(lastOf(receiver, 'lmx_gateway_host_up')).toMatchObject({ type: 'gauge', points: [{ value: 1 }] })
  expect(lastOf(receiver, 'process_cpu_seconds_total').type).toBe('counter')

  const firstToken = lastOf(receiver, 'lmx_gateway_time_to_first_token_seconds')
  expect(firstToken).toMatchObject({ type: 'histogram', isCumulative: true })
  const { bounds, counts, sum } = firstToken.points[0]!.histogram!
  const texts = [...scraped.matchAll(/^lmx_gateway_time_to_first_token_seconds_bucket\{.*le="(.*)"\} (.*)$/gm)]
  expect([...bounds, Number.POSITIVE_INFINITY]).toEqual(texts.map(([, le]) => (le === '+Inf' ? Infinity : Number(le))))
  let before = 0
  const cumulative = counts.map((count) => (before += count))
  expect(cumulative).toEqual(texts.map(([, , count]) => Number(count)))
  expect(scraped).toContain(`} ${sum}\n`)

  expect(new Set(receiver.metrics().map(({ name }) => name))).toEqual(namesWithSamples(scraped))
})

test('it gets them every so often', async () => {
  const receiver = await startOtlpReceiver()
  const otlp = { endpoint: receiver.url, traces: false, metrics: true, metricsIntervalMs: everyMs }
  await gatewayBefore({ otlp }, hasty)
  const rounds = () => receiver.metrics().filter(({ name }) => name === 'lmx_gateway_build_info')
  await eventually(10_000, 'a third round', () => rounds().length >= 3)
  const times = rounds().map(({ points }) => points[0]!.endMs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
})

test('a gateway that cannot open sends none', async () => {
  const receiver = await startOtlpReceiver()
  let rounds = 0
  const clock: Clock = {
    ...systemClock,
    after(delayMs, callback) {
      if (delayMs === everyMs) rounds += 1
      return systemClock.after(delayMs, callback)
    },
  }
  const hosts = [{ name: 'gone', url: 'http://127.0.0.1:9' }]
  const otlp = { endpoint: receiver.url, metrics: true, metricsIntervalMs: everyMs }
  const admin = { port: Number(new URL(receiver.url).port) }
  await expect(startGateway({ hosts, otlp, admin }, { clock })).rejects.toThrow(/in use/)
  expect(rounds).toBe(0)
  const open = await startGateway({ hosts, otlp }, { clock })
  onTestFinished(() => open[Symbol.asyncDispose]())
  expect(rounds).toBe(1)
})

test('a round that is not taken is counted, and told once', async () => {
  const receiver = await startOtlpReceiver()
  receiver.answer = 400
  const otlp = { endpoint: receiver.url, traces: false, metrics: true, metricsIntervalMs: everyMs }
  const { gateway } = await gatewayBefore({ otlp }, hasty)
  const dropped = () => gateway.metric('otlp_dropped_total', { signal: 'metrics' })
  await receiver.once(3)
  expect(await dropped()).toBeGreaterThanOrEqual(2)
  const lines = gateway.log.filter(({ message }) => message.includes('OTLP'))
  expect(lines).toMatchObject([{ level: 'warn', fields: { signal: 'metrics', reason: 'HTTP 400' } }])
})

test('without metrics none are sent', async () => {
  const receiver = await startOtlpReceiver()
  const otlp = { endpoint: receiver.url, metrics: true, metricsIntervalMs: everyMs }
  const { gateway, client } = await gatewayBefore({ otlp, metrics: { enabled: false } }, hasty)
  await client.chat.completions.create(ask('hello', 1))
  await gateway.gateway.stop()
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/v1/traces'])
})

test('a receiver behind a path and TLS is reached, with the authority that OpenTelemetry’s own variable names', async () => {
  const authority = certificate('an authority', { authority: true })
  const receiver = await startOtlpReceiver(certificate('receiver', { for: ['127.0.0.1'], by: authority }))
  vi.stubEnv('OTEL_EXPORTER_OTLP_CERTIFICATE', certificateFolder().write('authority.pem', authority.cert))
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
  const { gateway, client } = await gatewayBefore({ otlp: { endpoint: `${receiver.url}/otlp/`, metrics: true } })
  await client.chat.completions.create(ask('hello', 1))
  await gateway.gateway.stop()
  const paths = new Set(receiver.requests.map(({ path }) => path))
  expect(paths).toEqual(new Set(['/otlp/v1/traces', '/otlp/v1/metrics']))
})

test('a receiver whose certificate nobody vouches for is sent nothing', async () => {
  const receiver = await startOtlpReceiver(certificate('receiver', { for: ['127.0.0.1'] }))
  const { gateway, client } = await gatewayBefore({ otlp: { endpoint: receiver.url } })
  await client.chat.completions.create(ask('hello', 1))
  await gateway.gateway.stop()
  expect(receiver.requests).toEqual([])
  expect(gateway.log).toContainEqual(
    expect.objectContaining({ level: 'warn', fields: { signal: 'traces', reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' } }),
  )
})
