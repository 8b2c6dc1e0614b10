/** Where the time to the first token went, of real requests that waited, failed over and came from two hosts. */
import { expect, it } from 'vitest'
import { ask, clientOf, gatewayBefore, startDouble } from '../kit/fleet.ts'
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
