/** What a gateway's metrics say of its limits, of requests that the official client sends. */
import { RateLimitError } from 'openai'
import { expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gaugeReaches, model, oneHost, startDouble } from '../kit/fleet.ts'
import { startGateway } from '../kit/gateway-under-test.ts'

test('refusals by a limit are counted by key and limit, as they are by status, and what is left is none', async () => {
  const { gateway } = await oneHost({}, { limits: { waitMsMax: 0 } })
  const key = await gateway.createKey({ name: 'ci', limits: { requestsPerDay: 2 } })
  const client = clientOf(gateway, { apiKey: key.key, maxRetries: 0 })
  const decided = (decision: string) => gateway.sum('ratelimit_decisions_total', { key: 'ci', decision })
  await client.chat.completions.create(ask('Hi', 2))
  const limit = 'requestsPerDay'
  expect(await gateway.metric('ratelimit_remaining_ratio', { key: 'ci', limit })).toBe(0.5)
  // Before the first of them, so that rate() sees it.
  expect(await gateway.metric('ratelimit_decisions_total', { key: 'ci', limit, decision: 'reject' })).toBe(0)
  await client.chat.completions.create(ask('Hi', 2))
  for (let i = 0; i < 3; i++) {
    await expect(client.chat.completions.create(ask('Hi', 2))).rejects.toBeInstanceOf(RateLimitError)
  }
  expect(await gateway.metric('ratelimit_decisions_total', { key: 'ci', limit, decision: 'reject' })).toBe(3)
  expect([await decided('allow'), await decided('queue'), await decided('reject')]).toEqual([2, 0, 3])
  await gaugeReaches(gateway, 'requests_total', 3, { key: 'ci', status: '429' })
  expect(await gateway.metric('ratelimit_remaining_ratio', { key: 'ci', limit })).toBe(0)
  await gaugeReaches(gateway, 'ratelimit_reservation_ratio_count', 2, { model })
  expect(await gateway.metric('ratelimit_reservation_ratio_sum', { model })).toBeGreaterThan(0)
  expect(await gateway.sum('limit_wait_seconds_count')).toBe(0)
})

test('a wait for a limit is counted as one when it is over: of who was admitted, and of who left', async () => {
  const double = await startDouble()
  const clock = new FakeClock()
  const config = { hosts: [{ name: 'studio', url: double.url }], limits: { default: { requestsPerMinute: 4 } } }
  await using gateway = await startGateway(config, { clock })
  const client = clientOf(gateway, { maxRetries: 0 })
  const decided = (decision: string, limit: string) =>
    gateway.metric('ratelimit_decisions_total', { key: 'anonymous', limit, decision })
  for (let i = 0; i < 4; i++) await client.chat.completions.create(ask('Hi', 2))
  const gone = new AbortController()
  const leaves = client.chat.completions.create(ask('Hi', 2), { signal: gone.signal })
  const refused = expect(leaves).rejects.toThrow('aborted')
  await waitingForLimits(gateway, 1)
  gone.abort()
  await refused
  await gaugeReaches(gateway, 'limit_wait_seconds_count', 1, { outcome: 'left' })
  expect(await decided('queue', 'requestsPerMinute')).toBe(0)

  const waits = client.chat.completions.create(ask('Hi', 2))
  await waitingForLimits(gateway, 1)
  await clock.advance(15_000)
  await waits
  expect(await decided('queue', 'requestsPerMinute')).toBe(1)
  expect(await decided('allow', 'none')).toBe(4)
  const wait = { class: 'default', outcome: 'admitted' }
  expect(await gateway.metric('limit_wait_seconds_sum', wait)).toBe(15)
  expect(await gateway.sum('limit_wait_seconds_count')).toBe(2)
})

/** Resolves once so many requests wait for the limits of their keys. */
async function waitingForLimits(
  { admin }: { readonly admin: (method: string, path: string) => Promise<unknown> },
  count: number,
): Promise<void> {
  await expect
    .poll(async () => ((await admin('GET', '/admin/requests?phase=limit')) as { matching: number }).matching, {
      timeout: 10_000,
    })
    .toBe(count)
}
