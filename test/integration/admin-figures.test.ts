/** The pages of hosts, models and the whole gateway against a scrape of the same moment: they tell no other story. */

import { beforeAll, describe, expect, test } from 'vitest'
import type { HostsPage, ModelsPage } from '../../src/http/admin/fleet-schema.ts'
import type { StatsPage } from '../../src/http/admin/stats-schema.ts'
import { ask, clientOf, gatewayBefore, model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { admin, chat, expectSeen, held, startStream } from './admin-line-scene.ts'

const page = async <Page>(gateway: GatewayUnderTest, path: string): Promise<Page> =>
  (await admin(gateway, 'GET', `/admin/${path}`)).json as Page

/** What a busy hour has, in small: streams and whole answers of two keys at two hosts, refusals, a limit, a failover. */
async function busyFleet() {
  const decodeTokensPerSecond = 200
  const studio = await startDouble({ cost: { ttftMs: 20, decodeTokensPerSecond } })
  const mini = await startDouble({ cost: { ttftMs: 20, decodeTokensPerSecond }, models: [model, 'org/other'] })
  const gone = await startDouble({ faults: { emptyReply: true } })
  const gateway = await gatewayBefore(
    [
      { name: 'studio', url: studio.url },
      { name: 'mini', url: mini.url },
      { name: 'gone', url: gone.url },
    ],
    { models: { aliases: { fast: model } } },
  )
  const [alice, bob] = [await gateway.createKey({ name: 'alice' }), await gateway.createKey({ name: 'bob' })]
  const slow = await gateway.createKey({ name: 'slow', limits: { requestsPerDay: 1 } })
  const options = (key: string) => ({ apiKey: key, maxRetries: 0 })
  const stream = async (key: string, name = model): Promise<void> => {
    const answer = await clientOf(gateway, options(key)).chat.completions.create({
      ...ask('x', 40),
      model: name,
      stream: true,
    })
    for await (const chunk of answer) expect(chunk.object).toBe('chat.completion.chunk')
  }
  const whole = (key: string, name = model) =>
    clientOf(gateway, options(key)).chat.completions.create({ ...ask('y', 10), model: name })
  await Promise.all([stream(alice.key), stream(alice.key), stream(bob.key, 'fast'), whole(bob.key), whole(slow.key)])
  await Promise.all([whole(alice.key, 'org/other'), stream(bob.key), stream(alice.key)])
  await Promise.allSettled([whole('wrong'), whole(alice.key, 'nowhere'), whole(slow.key)])
  return gateway
}

test('a busy fleet that is at rest has the same figures on each page as in its metrics', async () => {
  const gateway = await busyFleet()
  await gateway.outcomesOnce(11)
  await expectHosts(gateway)
  await expectModels(gateway)
  await expectStats(gateway)
})

async function expectHosts(gateway: GatewayUnderTest): Promise<void> {
  const { hosts } = await page<HostsPage>(gateway, 'hosts')
  expect(hosts.map(({ name }) => name)).toEqual(['studio', 'mini', 'gone'])
  for (const host of hosts) {
    const of = { host: host.name }
    expect(host.tokens).toMatchObject(await tokensOf(gateway, of))
    expect(host.tokens.discarded).toBe(await gateway.sum('discarded_tokens_total', of))
    await expectCounts(gateway, 'host_errors_total', 'reason', { counts: host.errors, where: of })
    const { up, paused, ejected, limit, inFlight, zombieSlots } = host
    const shown = [Number(up), Number(paused), Number(ejected), limit, inFlight, zombieSlots]
    const gauges = ['up', 'paused', 'circuit_open', 'concurrency_limit', 'inflight', 'zombie_slots']
    expect(shown).toEqual(await Promise.all(gauges.map((name) => gateway.sum(`host_${name}`, of))))
    await expectSpeeds(gateway, host)
  }
  const [studio, , gone] = hosts
  expect(sumOf(gone?.errors ?? {})).toBeGreaterThan(0)
  const { ttftP50Ms, ttftP95Ms } = studio?.speeds.lastMinute ?? {}
  expect(ttftP50Ms).toBeGreaterThan(0)
  expect(ttftP95Ms).toBeGreaterThanOrEqual(ttftP50Ms ?? Number.NaN)
}

/** All that there was lies in both windows. */
async function expectSpeeds(gateway: GatewayUnderTest, { name: host, speeds, tokens }: HostsPage['hosts'][number]) {
  const { lastMinute, last5Minutes } = speeds
  expect(last5Minutes).toEqual(lastMinute)
  const total = (name: string) => gateway.sum(`${name}_total`, { host })
  const [decode, whole, busy] = [
    await total('decode_seconds'),
    await total('whole_seconds'),
    await total('host_generating_seconds'),
  ]
  expectQuotient(lastMinute.outputTokensPerSecond, tokens.output, lastMinute.windowSeconds)
  expectQuotient(lastMinute.streamTokensPerSecond, await total('decode_tokens'), await total('decode_token_seconds'))
  expectQuotient(lastMinute.busyTokensPerSecond, tokens.output, busy)
  expectQuotient(lastMinute.batchSize, decode + whole, busy)
  expectQuotient(lastMinute.prefillTokensPerSecond, await total('prefill_tokens'), await total('prefill_token_seconds'))
  // Several models at once take a host no longer: while it generates it is at least as fast as over all the time.
  expect(lastMinute.busyTokensPerSecond ?? 0).toBeGreaterThanOrEqual(lastMinute.outputTokensPerSecond ?? Number.NaN)
}

async function expectModels(gateway: GatewayUnderTest): Promise<void> {
  const { models } = await page<ModelsPage>(gateway, 'models')
  const names = models.map(({ model: name, isAlias }) => [name, isAlias])
  expect(names).toEqual([
    ['fast', true],
    ['org/other', false],
    [model, false],
  ])
  for (const one of models) {
    const where = { model: one.model }
    expect(one.tokens).toMatchObject(await tokensOf(gateway, where))
    expect(one.requests?.total).toBe(await gateway.sum('requests_total', where))
    await expectCounts(gateway, 'requests_total', 'status', { counts: one.requests?.byStatus, where })
    await expectCounts(gateway, 'requests_total', 'end', { counts: one.requests?.byEnd, where })
    expect(one.places.filter(({ able }) => able)).toHaveLength(await gateway.sum('model_hosts_up', where))
    await expectObjectives(gateway, one.objectives, where)
  }
  const fast = models.find(({ isAlias }) => isAlias)
  expect(fast?.places.map(({ host, model: there }) => [host, there])).toContainEqual(['mini', model])
  expect(fast?.requests).toEqual({ total: 1, byStatus: { 200: 1 }, byEnd: { '--': 1 } })
  expect(fast?.objectives?.goodput).toEqual({ met: 1, missed: 0 })
}

async function expectStats(gateway: GatewayUnderTest): Promise<void> {
  const stats = await page<StatsPage>(gateway, 'stats')
  expect(stats).toMatchObject({ version: '0.0.0-test', metrics: true, hosts: { total: 3 } })
  expect(stats.tokens).toMatchObject(await tokensOf(gateway, {}))
  expect(stats.requests).toMatchObject({ total: 11, byStatus: { 401: 1, 404: 1, 429: 1 } })
  await expectCounts(gateway, 'requests_total', 'status', { counts: stats.requests?.byStatus })
  await expectCounts(gateway, 'requests_total', 'end', { counts: stats.requests?.byEnd })
  await expectCounts(gateway, 'ratelimit_decisions_total', 'decision', { counts: stats.limits })
  await expectCounts(gateway, 'failovers_total', 'result', { counts: stats.failovers })
  await expectCounts(gateway, 'queue_rejections_total', 'reason', { counts: stats.line.rejections })
  await expectObjectives(gateway, stats.objectives)
  expect(stats.limits?.['reject']).toBe(1)
  expect(stats.overhead?.['auth']?.count).toBeGreaterThan(0)
  for (const [stage, { count, meanMs }] of Object.entries(stats.overhead ?? {})) {
    expect(count).toBe(await gateway.sum('gateway_overhead_seconds_count', { stage }))
    const sum = await gateway.sum('gateway_overhead_seconds_sum', { stage })
    if (count > 0) expect(meanMs).toBeCloseTo((1_000 * sum) / count, 3)
  }
  expect(stats.streams).toEqual({ open: 0, prefill: 0, decode: 0, whole: 0 })
  expect(stats.line).toMatchObject({ paused: false, waiting: 0, oldestMs: 0 })
  expect(stats.process.rssBytes).toBeGreaterThan(10_000_000)
  for (const { key, cost, requests } of stats.keys) {
    expect([key, requests, cost]).toEqual([
      key,
      await gateway.sum('requests_total', { key }),
      await gateway.sum('key_service_cost_total', { key }),
    ])
  }
  const costs = stats.keys.map(({ cost }) => cost)
  expect(costs).toEqual(costs.toSorted((a, b) => b - a))
  expect(costs).toHaveLength(3)
  expect((await page<StatsPage>(gateway, 'stats?keys=1')).keys).toEqual([stats.keys[0]])
  expect((await admin(gateway, 'GET', '/admin/stats?keys=0')).status).toBe(400)
}

type Labels = Readonly<Record<string, string>>
type Counts = Readonly<Record<string, number>>

async function tokensOf(gateway: GatewayUnderTest, where: Labels) {
  return {
    input: await gateway.sum('tokens_total', { ...where, type: 'input' }),
    cachedInput: await gateway.sum('tokens_total', { ...where, type: 'cached_input' }),
    output: await gateway.sum('tokens_total', { ...where, type: 'output' }),
    reasoning: await gateway.sum('tokens_total', { ...where, type: 'reasoning' }),
  }
}

/** Each of them is what the metric has by that label, and together they are all that it has. */
async function expectCounts(
  gateway: GatewayUnderTest,
  metric: string,
  label: string,
  { counts, where = {} }: { counts: Counts | null | undefined; where?: Labels },
): Promise<void> {
  for (const [value, count] of Object.entries(counts ?? {})) {
    expect(count, `${metric} ${value}`).toBe(await gateway.sum(metric, { ...where, [label]: value }))
  }
  expect(sumOf(counts ?? {}), metric).toBe(await gateway.sum(metric, where))
}

async function expectObjectives(gateway: GatewayUnderTest, objectives: StatsPage['objectives'], where: Labels = {}) {
  expect(Object.keys(objectives ?? {})).toEqual(['availability', 'ttft', 'tpot', 'goodput'])
  for (const [slo, { met, missed }] of Object.entries(objectives ?? {})) {
    expect(met).toBe(await gateway.sum('slo_requests_total', { ...where, slo, met: 'true' }))
    expect(missed).toBe(await gateway.sum('slo_requests_total', { ...where, slo, met: 'false' }))
  }
}

function sumOf(counts: Counts): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}

/** To the hundredth to which pages round, and the millisecond of the window. */
function expectQuotient(shown: number | null, amount: number, seconds: number): void {
  if (seconds === 0) expect(shown).toBeNull()
  else expect(Math.abs((shown ?? Number.NaN) - amount / seconds)).toBeLessThan(0.01 + (0.001 * amount) / seconds)
}

test('while it works, who runs and who waits, the same on all pages', async () => {
  const { clock, double, gateway, finish } = await held()
  const { key } = await gateway.createKey({ name: 'alice' })
  const running = await startStream(gateway, double, { key, clock })
  const waiting = chat(gateway, 'waits', { key })
  const stats = () => page<StatsPage>(gateway, 'stats')
  while ((await stats()).line.waiting === 0);
  expect(await stats()).toMatchObject({
    streams: { open: 1, decode: 1, prefill: 0, whole: 0 },
    line: { waiting: 1, paused: false },
    keys: [{ key: 'alice', waiting: 1, running: 1 }],
  })
  const { models } = await page<ModelsPage>(gateway, 'models')
  expect(models).toMatchObject([{ model, waiting: [{ class: 'default', waiting: 1 }], places: [{ able: true }] }])
  await admin(gateway, 'POST', '/admin/hosts/studio/pause')
  const { hosts } = await page<HostsPage>(gateway, 'hosts')
  const doing = { inFlight: 1, slots: 1, streams: { decode: 1, prefill: 0, whole: 0 } }
  expect(hosts).toMatchObject([{ name: 'studio', kind: 'lmx', up: true, paused: true, models: [model], ...doing }])
  expect((await page<ModelsPage>(gateway, 'models')).models).toMatchObject([{ places: [{ able: false }] }])
  await admin(gateway, 'POST', '/admin/hosts/studio/resume')
  await finish()
  await running.rest()
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the one that waited')
  await finish()
  await waiting
})

test('a host that is down is told with the reason, and without its key', async () => {
  const gateway = await gatewayBefore([{ name: 'gone', url: 'http://127.0.0.1:1', apiKey: 'sk-of-the-host' }])
  const reply = await admin(gateway, 'GET', '/admin/hosts')
  expect(reply.json).toMatchObject({ hosts: [{ name: 'gone', url: 'http://127.0.0.1:1/', up: false, kind: null }] })
  expect((reply.json as HostsPage).hosts[0]?.problem).toMatch(/refused/)
  expect(reply.text).not.toContain('sk-of-the-host')
})

describe('where metrics are off', () => {
  let gateway: GatewayUnderTest
  beforeAll(async () => {
    const double = await startLmxDouble()
    gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }], metrics: { enabled: false } })
    await clientOf(gateway).chat.completions.create(ask('x', 10))
    return async () => {
      await gateway[Symbol.asyncDispose]()
      await double.stop()
    }
  })

  test('pages say all but what only metrics count', async () => {
    const stats = await page<StatsPage>(gateway, 'stats')
    const nulls = { requests: null, objectives: null, limits: null, failovers: null, overhead: null }
    expect(stats).toMatchObject({ metrics: false, tokens: { output: 10 }, keys: [{ key: 'anonymous' }], ...nulls })
    expect(stats.line).toMatchObject({ rejections: null, givenBack: null })
    const { hosts } = await page<HostsPage>(gateway, 'hosts')
    expect(hosts).toMatchObject([{ errors: null, tokens: { output: 10 } }])
    expect(hosts[0]?.speeds.lastMinute.outputTokensPerSecond).toBeGreaterThan(0)
    const { models } = await page<ModelsPage>(gateway, 'models')
    expect(models).toMatchObject([{ model, requests: null, objectives: null, tokens: { output: 10 } }])
  })
})

test('each route was seen to answer well, and to refuse what it says it may', () => {
  expectSeen('listHosts', 200)
  expectSeen('listModels', 200)
  expectSeen('readStats', 200, 400)
})
