/** What metrics tell of gateways that share a Redis: under whose name, and what becomes of it when Redis goes and others come and go. */

import { describe, expect, onTestFinished, test } from 'vitest'
import { metricPrefix } from '../../src/observe/metric-names.ts'
import { ask, clientOf, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { startOtlpReceiver } from '../kit/otlp-receiver.ts'
import { prometheusMissing, promtoolProblems } from '../kit/prometheus.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { readExposition } from '../kit/scripted-sources.ts'
import { becomesTrue } from '../kit/within.ts'

const mustRun = process.env['CI'] === 'true'
/** Nothing listens there. */
const nowhere = 'redis://127.0.0.1:9'

async function replicaOf(url: string, replica: string, config: object = {}): Promise<GatewayUnderTest> {
  const double = await startDouble()
  // A machine that is busy with other tests makes nobody seem gone, and Redis neither.
  const patience = { connectMsMax: 10_000, answerMsMax: 2_000, goneAfterMs: 20_000 }
  const storage = { path: ':memory:', redis: { url, replica, ...patience } }
  const gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }], storage, ...config })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return gateway
}

async function redisOfTest(): Promise<RedisServer> {
  const redis = await startRedis()
  onTestFinished(() => redis.close())
  return redis
}

/** Of one gateway, by name. */
function figure(gateway: GatewayUnderTest, name: string, labels: Readonly<Record<string, string>> = {}) {
  return gateway.sum(name, labels)
}

test('a gateway has its name in all that it shows and sends, though its Redis was never there', async () => {
  const receiver = await startOtlpReceiver()
  const otlp = { endpoint: receiver.url, traces: false, metrics: true, metricsIntervalMs: 3_600_000 }
  // Without keys, which it could not know.
  const gateway = await replicaOf(nowhere, 'east:4000', { otlp, server: { allowAnonymous: true } })
  await clientOf(gateway).chat.completions.create({ ...ask('hello'), stream: false })
  const text = await gateway.metrics()
  const series = [...readExposition(text).keys()]
  expect(series.filter((one) => !/^\w+\{replica="east:4000"[,}]/.test(one))).toEqual([])
  expect(await figure(gateway, 'redis_up')).toBe(0)
  expect(await figure(gateway, 'sharing_degraded')).toBe(1)
  expect(await figure(gateway, 'replicas')).toBe(1)
  await gateway.gateway.stop()
  expect(receiver.resource()).toMatchObject({ 'service.instance.id': 'east:4000' })
  const sent = receiver.metrics().flatMap(({ points }) => points)
  expect(sent.length).toBeGreaterThan(100)
  expect(sent.filter(({ attributes }) => 'replica' in attributes)).toEqual([])
})

test('one that stands alone shows nothing of what is shared, and its name is nowhere', async () => {
  const double = await startDouble()
  await using gateway = await startGateway({ hosts: [{ name: 'studio', url: double.url }] })
  const text = await gateway.metrics()
  expect(text).not.toContain('replica')
  expect(text).not.toContain(`${metricPrefix}redis`)
  expect(text).not.toContain(`${metricPrefix}shar`)
})

describe.skipIf(!hasRedis && !mustRun)('on a real Redis', () => {
  test.skipIf(prometheusMissing && !mustRun)('promtool finds nothing wrong', async () => {
    const gateway = await replicaOf((await redisOfTest()).url, 'east')
    await clientOf(gateway).chat.completions.create({ ...ask('hello'), stream: false })
    const text = await gateway.metrics()
    const ours = text.split('\n').filter((line) => line.replace(/^# \w+ /, '').startsWith(metricPrefix))
    expect(promtoolProblems(`${ours.join('\n')}\n`)).toBe('')
    expect(text).toMatch(/lmx_gateway_redis_call_seconds_bucket\{replica="east",operation="beat",le="0.1"\} [1-9]/)
  })

  test('gateways that come and go, and a Redis that is emptied, are seen by those that stay', async () => {
    const redis = await redisOfTest()
    const east = await replicaOf(redis.url, 'east')
    const west = await replicaOf(redis.url, 'west')
    await becomesTrue(20_000, 'two in each other’s sight', async () => {
      const seen = await Promise.all([east, west].map((one) => figure(one, 'replicas')))
      return seen.every((count) => count === 2)
    })
    expect(await figure(east, 'redis_epochs_total')).toBe(0)
    await redis.command('FLUSHALL')
    await becomesTrue(20_000, 'a new beginning', async () => (await figure(east, 'redis_epochs_total')) >= 1)
    await becomesTrue(20_000, 'both to share again', async () => (await figure(east, 'sharing_degraded')) === 0)
    await west.gateway.stop()
    await becomesTrue(20_000, 'the one that is left', async () => (await figure(east, 'replicas')) === 1)
    expect(await figure(east, 'replicas_gone_total', { how: 'left' })).toBe(1)
    expect(await figure(east, 'replicas_gone_total', { how: 'missed' })).toBe(0)
  })

  test('requests of one are counted where they came: their slots, and their rows until the other has them', async () => {
    const redis = await redisOfTest()
    const east = await replicaOf(redis.url, 'east')
    const west = await replicaOf(redis.url, 'west')
    for (const one of [east, west])
      await becomesTrue(20_000, 'sharing', async () => (await figure(one, 'sharing_degraded')) === 0)
    const client = clientOf(east)
    for (const text of ['one', 'two', 'three']) await client.chat.completions.create({ ...ask(text), stream: false })
    expect(await figure(east, 'shared_slot_decisions_total', { host: 'studio' })).toBeGreaterThanOrEqual(3)
    expect(await figure(west, 'shared_slot_decisions_total', { host: 'studio' })).toBe(0)
    expect(await figure(east, 'shared_slots_elsewhere', { host: 'studio' })).toBe(0)
    await becomesTrue(20_000, 'three rows', async () => (await figure(west, 'usage_rows_taken_in_total')) === 3)
    expect(await figure(east, 'usage_rows_handed_over_total')).toBe(3)
    await becomesTrue(20_000, 'none left', async () => (await figure(east, 'usage_hand_over_waiting_rows')) === 0)
    expect(await figure(east, 'usage_hand_over_lag_seconds')).toBe(0)
    expect(await figure(east, 'usage_rows_taken_in_total')).toBe(0)
    expect(await figure(west, 'usage_rows_handed_over_total')).toBe(0)
  })

  test('limits are asked of all while Redis is there, and of this gateway’s share while it is not', async () => {
    const redis = await redisOfTest()
    const east = await replicaOf(redis.url, 'east')
    await becomesTrue(20_000, 'sharing', async () => (await figure(east, 'sharing_degraded')) === 0)
    const { key } = await east.createKey({ name: 'alice', limits: { requestsPerMinute: 100 } })
    const client = clientOf(east, { apiKey: key })
    await client.chat.completions.create({ ...ask('one'), stream: false })
    expect(await figure(east, 'shared_limit_decisions_total', { by: 'shared' })).toBe(1)
    expect(await figure(east, 'shared_limit_charges_waiting')).toBe(0)
    await redis.kill()
    await becomesTrue(20_000, 'the loss', async () => (await figure(east, 'sharing_degraded')) === 1)
    await client.chat.completions.create({ ...ask('two'), stream: false })
    expect(await figure(east, 'shared_limit_decisions_total', { by: 'local' })).toBe(1)
    expect(await figure(east, 'shared_limit_charges_waiting')).toBe(1)
    await redis.startAgain()
    await becomesTrue(20_000, 'all told', async () => (await figure(east, 'shared_limit_charges_waiting')) === 0)
    await becomesTrue(20_000, 'sharing again', async () => (await figure(east, 'sharing_degraded')) === 0)
    await client.chat.completions.create({ ...ask('three'), stream: false })
    expect(await figure(east, 'shared_limit_decisions_total', { by: 'shared' })).toBe(2)
  })

  test('a Redis that goes is told at once and counted once, and is there again when it is', async () => {
    const redis = await redisOfTest()
    const gateway = await replicaOf(redis.url, 'east')
    await becomesTrue(20_000, 'sharing', async () => (await figure(gateway, 'sharing_degraded')) === 0)
    expect(await figure(gateway, 'redis_up')).toBe(1)
    await redis.kill()
    await becomesTrue(20_000, 'the loss', async () => (await figure(gateway, 'redis_up')) === 0)
    expect(await figure(gateway, 'sharing_degraded')).toBe(1)
    await clientOf(gateway).chat.completions.create({ ...ask('hello'), stream: false })
    await redis.startAgain()
    await becomesTrue(20_000, 'its return', async () => (await figure(gateway, 'redis_up')) === 1)
    await becomesTrue(20_000, 'a new beginning', async () => (await figure(gateway, 'redis_epochs_total')) === 1)
    await becomesTrue(20_000, 'sharing again', async () => (await figure(gateway, 'sharing_degraded')) === 0)
    expect(await figure(gateway, 'redis_outages_total')).toBe(1)
  })
})
