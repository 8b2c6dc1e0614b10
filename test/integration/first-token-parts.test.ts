/** The time to the first token of real requests: where it went, when it is told, and of whom it is not. */
import { expect, it } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, oneHost, startDouble } from '../kit/fleet.ts'
import { readExposition } from '../kit/scripted-sources.ts'

const parts = ['read', 'limit', 'queue', 'lost', 'host', 'prefill']

it('the parts add up to the time itself, with waits and lost attempts among them', async () => {
  const slow = { ttftMs: 40, decodeTokensPerSecond: 400 }
  const broken = await startDouble({ slots: 1, faults: { emptyReply: true } })
  const sound = await startDouble({ slots: 1, cost: slow, answerTokens: 8 })
  const gateway = await gatewayBefore([
    { name: 'broken', url: broken.url, slots: 1 },
    { name: 'sound', url: sound.url, slots: 1 },
  ])
  const client = clientOf(gateway, { maxRetries: 0 })
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      const stream = await client.chat.completions.create({ ...ask('hello'), stream: true })
      for await (const _ of stream);
    }),
  )
  await gateway.outcomesOnce(6)
  const ttft = await gateway.sum('time_to_first_token_seconds_sum')
  const spent = await Promise.all(parts.map((part) => gateway.sum('time_to_first_token_part_seconds_total', { part })))
  expect(await gateway.sum('time_to_first_token_seconds_count')).toBe(6)
  expect(spent.reduce((sum, seconds) => sum + seconds, 0)).toBeCloseTo(ttft, 6)
  const of = Object.fromEntries(parts.map((part, index) => [part, spent[index] ?? 0]))
  // Five of six wait for one another, each at least as long as a prefill of another takes.
  expect(of['queue']).toBeGreaterThan(0.04 * 5)
  expect(of['lost']).toBeGreaterThan(0)
  expect(await gateway.sum('failovers_total', { result: 'ok' })).toBeGreaterThan(0)
  const series = [...readExposition(await gateway.metrics()).keys()]
  expect(series.filter((one) => one.startsWith('lmx_gateway_time_to_first_token_part'))).toHaveLength(parts.length)
})

const cost = { ttftMs: 100, decodeTokensPerSecond: 10 }

it('is told and judged while the answer still comes, and once', async () => {
  const clock = new FakeClock()
  const { client, double, gateway } = await oneHost({ clock, cost, answerTokens: 5 })
  const coming = client.chat.completions.create({ ...ask('hello'), stream: true })
  await double.waitFor((host) => host.running === 1, 'the request')
  expect(await gateway.sum('time_to_first_token_seconds_count')).toBe(0)
  await clock.advance(200)
  await gaugeReaches(gateway, 'time_to_first_token_seconds_count', 1)
  const told = async () => ({
    ttft: await gateway.sum('slo_requests_total', { slo: 'ttft' }),
    goodput: await gateway.sum('slo_requests_total', { slo: 'goodput' }),
    ok: await gateway.sum('request_outcomes_total', { outcome: 'ok' }),
  })
  expect([gateway.outcomes().length, await told()]).toEqual([0, { ttft: 1, goodput: 0, ok: 0 }])
  const seconds = await gateway.sum('time_to_first_token_seconds_sum')
  await clock.advance(10_000)
  for await (const _ of await coming);
  const [line] = await gateway.outcomesOnce(1)
  expect(await told()).toEqual({ ttft: 1, goodput: 1, ok: 1 })
  expect(await gateway.sum('time_to_first_token_seconds_count')).toBe(1)
  expect(line?.fields['ttftMs']).toBeCloseTo(1_000 * seconds, 0)
})

it('is none, and neither is the speed, of an answer that is read on after its client left', async () => {
  const clock = new FakeClock()
  const { client, double, gateway } = await oneHost(
    { clock, cost, answerTokens: 5 },
    { host: { onDisconnect: 'drain' } },
  )
  const controller = new AbortController()
  const asked = client.chat.completions.create({ ...ask('hello'), stream: true }, { signal: controller.signal })
  await double.waitFor((host) => host.running === 1, 'the request')
  controller.abort()
  await expect(asked).rejects.toThrow()
  await gateway.metrics()
  await clock.advance(10_000)
  const [line] = await gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ end: 'CF', tokensOut: 5, ttftMs: null, tpotMs: null, tokensPerSecond: null })
  const series = [...readExposition(await gateway.metrics()).keys()]
  expect(series.filter((one) => /first_token|per_output_token/.test(one))).toEqual([])
  expect(await gateway.sum('request_outcomes_total', { outcome: 'left' })).toBe(1)
})

it('of the waits of a key those count that led to nothing', async () => {
  const clock = new FakeClock()
  const { client, double, gateway } = await oneHost({ clock, cost, answerTokens: 5 }, { host: { slots: 1 } })
  const running = client.chat.completions.create(ask('first'))
  await double.waitFor((host) => host.running === 1, 'the first request')
  const controller = new AbortController()
  const waiting = client.chat.completions.create(ask('second'), { signal: controller.signal })
  await gaugeReaches(gateway, 'queue_depth', 1)
  controller.abort()
  await expect(waiting).rejects.toThrow()
  const [line] = await gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ end: 'CQ' })
  expect(line?.fields['queueMs']).toBeGreaterThan(0)
  expect(await gateway.sum('key_queue_seconds_total')).toBeCloseTo(Number(line?.fields['queueMs']) / 1_000, 3)
  await clock.advance(10_000)
  await running
})
