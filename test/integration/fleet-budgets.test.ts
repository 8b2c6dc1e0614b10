/** Budgets of a day are kept by a fleet whose Redis is emptied or gone, also where the gateway that was asked is not there any more. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { scratchFolder } from '../kit/stored-rows.ts'
import { becomesTrue } from '../kit/within.ts'

const longMs = 30_000

describe.skipIf(!hasRedis)('the budget of a day of a fleet', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(async () => {
    await redis.startAgain()
  })
  afterAll(() => redis.close())

  function folder(): string {
    const scratch = scratchFolder()
    onTestFinished(() => scratch[Symbol.dispose]())
    return scratch.storePath
  }

  async function gateway(url: string, path: string): Promise<GatewayUnderTest> {
    const started = await startGateway({
      hosts: [{ name: 'studio', url, slots: 4 }],
      // A busy machine is not to be taken for a Redis that is gone.
      storage: { path, redis: { url: redis.url, answerMsMax: 10_000, goneAfterMs: 20_000 } },
    })
    onTestFinished(() => started[Symbol.asyncDispose]())
    return started
  }

  async function admitted(one: GatewayUnderTest, key: string, many: number): Promise<number> {
    let good = 0
    for (let i = 0; i < many; i++) {
      const answer = await fetch(`${one.baseUrl}/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: JSON.stringify({ model, max_tokens: 2, messages: [{ role: 'user', content: 'hello' }] }),
      })
      await answer.text()
      if (answer.ok) good += 1
      else expect(answer.status).toBe(429)
    }
    return good
  }

  /** One key of which the first has used so much, and the second has heard of it by its ledger alone. */
  async function used(requestsPerDay: number, many: number) {
    const double = await startDouble()
    const path = folder()
    const first = await gateway(double.url, path)
    const second = await gateway(double.url, folder())
    const { key } = await first.createKey({ limits: { requestsPerDay } })
    const sum = async (one: GatewayUnderTest): Promise<number> => {
      const { adminToken } = first
      const answer = await fetch(`${one.adminUrl}/admin/usage?by=key`, {
        headers: { authorization: `Bearer ${adminToken}` },
      })
      const { rows } = (await answer.json()) as { rows: { requests: number }[] }
      return rows[0]?.requests ?? 0
    }
    expect(await admitted(first, key, many)).toBe(many)
    await becomesTrue(longMs, 'the other to have all rows', async () => (await sum(second)) === many)
    return { double, path, first, second, key }
  }

  const shares = (one: GatewayUnderTest, isShared: boolean) =>
    becomesTrue(
      longMs,
      `limits to be ${isShared ? '' : 'not '}shared`,
      async () => (await one.sum('sharing_degraded')) === (isShared ? 0 : 1),
    )

  it('is not given a second time when Redis is emptied', async () => {
    const { first, second, key } = await used(6, 6)
    await first.gateway.stop()
    await redis.command('FLUSHALL')
    await shares(second, false)
    await shares(second, true)
    expect(await admitted(second, key, 4)).toBe(0)
  })

  it('is not given a second time to one that starts before an empty Redis', async () => {
    const { double, path, first, second, key } = await used(6, 6)
    await first.gateway.stop()
    await second.gateway.stop()
    await redis.command('FLUSHALL')
    const again = await gateway(double.url, path)
    expect(await admitted(again, key, 4)).toBe(0)
  })

  it('is shared out where Redis is gone, as far as it is left', async () => {
    const { second, key } = await used(20, 12)
    await redis.kill()
    await shares(second, false)
    // Of 8 that are left, half is for each.
    expect(await admitted(second, key, 10)).toBe(4)
  })
})
