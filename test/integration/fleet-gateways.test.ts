/** Two real gateways on a real Redis: keys and usage are those of both, whichever is asked. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { scratchFolder } from '../kit/stored-rows.ts'
import { becomesTrue } from '../kit/within.ts'

const longMs = 20_000

interface Sum {
  readonly requests: number
  readonly outputTokens: number
}

describe.skipIf(!hasRedis)('gateways of a fleet', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(async () => {
    await redis.startAgain()
  })
  afterAll(() => redis.close())

  function keptFolder() {
    const folder = scratchFolder()
    onTestFinished(() => folder[Symbol.dispose]())
    return folder
  }

  async function gateway(url: string, allowAnonymous = false, folder = keptFolder()): Promise<GatewayUnderTest> {
    const started = await startGateway({
      hosts: [{ name: 'studio', url, slots: 4 }],
      server: { allowAnonymous },
      // A busy machine is not to be taken for a Redis that is gone.
      storage: { path: folder.storePath, redis: { url: redis.url, answerMsMax: 20_000, goneAfterMs: 60_000 } },
    })
    onTestFinished(() => started[Symbol.asyncDispose]())
    return started
  }

  async function statusOf({ baseUrl }: GatewayUnderTest, key: string): Promise<number> {
    const answer = await fetch(`${baseUrl}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify({ model, max_tokens: 4, messages: [{ role: 'user', content: 'hello' }] }),
    })
    await answer.text()
    return answer.status
  }

  /** The token that the first of them was told holds for all. */
  async function asked({ adminUrl }: GatewayUnderTest, token: string, method: string, path: string, body?: object) {
    const answer = await fetch(`${adminUrl}/admin/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }

  const becomes = (one: GatewayUnderTest, key: string, status: number) =>
    becomesTrue(longMs, `a key to be answered ${status}`, async () => (await statusOf(one, key)) === status)

  it('take the keys of each other, end what the other revokes, and tell the usage of both', async () => {
    const double = await startDouble()
    const a = await gateway(double.url)
    const b = await gateway(double.url)
    const { adminToken } = a
    expect(b.adminToken).toBe('')
    const made = await asked(a, adminToken, 'POST', 'keys', { name: 'alice' })
    const key = String(made.body['key'])
    await becomes(b, key, 200)
    expect(await statusOf(a, key)).toBe(200)
    expect(await statusOf(b, '')).toBe(401)
    const usage = async (one: GatewayUnderTest): Promise<Sum | undefined> => {
      const { body } = await asked(one, adminToken, 'GET', 'usage?by=key')
      return (body['rows'] as Sum[])[0]
    }
    for (const one of [a, b])
      await becomesTrue(longMs, 'the usage of both', async () => (await usage(one))?.requests === 2)
    expect(await usage(a)).toEqual(await usage(b))
    expect((await asked(b, adminToken, 'POST', 'keys/alice/revoke', {})).status).toBe(200)
    await becomes(a, key, 401)
    const { body } = await asked(a, adminToken, 'GET', 'keys')
    expect(body['keys']).toMatchObject([{ name: 'alice', state: 'revoked' }])
    const trail = await Promise.all([a, b].map(async (one) => asked(one, adminToken, 'GET', 'audit')))
    expect(trail[0]).toEqual(trail[1])
  })

  it('refuse changes of keys while Redis is away, and go on with those that are known', async () => {
    const double = await startDouble()
    const a = await gateway(double.url)
    const { adminToken } = a
    const made = await asked(a, adminToken, 'POST', 'keys', { name: 'alice' })
    const key = String(made.body['key'])
    await redis.kill()
    await becomesTrue(longMs, 'Redis to be missed', async () => (await a.sum('redis_up')) === 0)
    for (const [path, body] of [
      ['keys', { name: 'bob' }],
      ['keys/alice/revoke', {}],
      ['keys/alice/rotate', {}],
    ] as const) {
      const refused = await asked(a, adminToken, 'POST', path, body)
      expect(refused.status).toBe(503)
      expect(refused.body['error']).toMatchObject({ code: 'store_unavailable' })
      expect(JSON.stringify(refused.body)).toMatch(/"Redis is not there, [^"]* try again once it is back\."/)
    }
    expect(await statusOf(a, key)).toBe(200)
    const { body } = await asked(a, adminToken, 'GET', 'keys')
    expect(body['keys']).toMatchObject([{ name: 'alice', state: 'live' }])
    await redis.startAgain()
    await becomesTrue(
      longMs,
      'changes to be made again',
      async () => (await asked(a, adminToken, 'POST', 'keys', { name: 'bob' })).status === 201,
    )
    expect(await statusOf(a, key)).toBe(200)
  })

  it('begin with as many as they were where Redis is away at their start, and find each other once it is back', async () => {
    const double = await startDouble()
    const folders = [keptFolder(), keptFolder(), keptFolder()]
    const started = async () => {
      const all: GatewayUnderTest[] = []
      for (const folder of folders) all.push(await gateway(double.url, true, folder))
      return all
    }
    const become = async (all: readonly GatewayUnderTest[], count: number) => {
      for (const one of all)
        await becomesTrue(longMs, `${count} gateways`, async () => (await one.sum('replicas')) === count)
    }
    const first = await started()
    await become(first, 3)
    await redis.kill()
    for (const one of first) await one[Symbol.asyncDispose]()
    const again = await started()
    await become(again, 3)
    for (const one of again) expect(await one.sum('redis_up')).toBe(0)
    await redis.startAgain()
    for (const one of again)
      await becomesTrue(longMs, 'limits to be shared', async () => (await one.sum('sharing_degraded')) === 0)
    await become(again, 3)
  })

  it('make the admin token once Redis is there, where it was not at the start', async () => {
    const double = await startDouble()
    await redis.kill()
    const a = await gateway(double.url, true)
    expect(a.adminToken).toBe('')
    await redis.startAgain()
    await becomesTrue(longMs, 'the token to be made', async () =>
      (await redis.command('HGET', 'lmx-gateway:{default}:keys:meta', 'admin')).startsWith('$64'),
    )
  })
})
