/** `check-config` and the Redis that a configuration names: it is looked at, and a gateway starts without it all the same. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cli, StoreFolder } from '../kit/cli-run.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'

const password = 'correct-horse-battery'
const closedUrl = 'redis://127.0.0.1:1'

let folder: StoreFolder

beforeAll(async () => {
  folder = await StoreFolder.make()
})
afterAll(() => folder[Symbol.asyncDispose]())

async function check(redis: Readonly<Record<string, unknown>>, ...flags: string[]) {
  const text = `storage: { redis: ${JSON.stringify({ connectMsMax: 10_000, ...redis })} }\n`
  return cli([
    'check-config',
    '--config',
    await folder.write('redis.yaml', text),
    '--store',
    folder.storePath,
    ...flags,
  ])
}

describe.skipIf(!hasRedis)('check-config with a Redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis(['--requirepass', password, '--maxmemory-policy', 'allkeys-lru'])
  })
  afterAll(() => redis.close())

  test('says what it found, and what a start would warn of', async () => {
    const { code, out, err } = await check({ url: redis.url, password, fleet: 'night' })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      new RegExp(`^  redis    127\\.0\\.0\\.1:${redis.port}  fleet night  Redis \\d+\\.\\d+\\.\\d+$`, 'm'),
    )
    expect(out).toMatch(/^Note: .*set maxmemory-policy noeviction \(now allkeys-lru\)\.$/m)
  })

  test('a wrong password is a note, and shown nowhere', async () => {
    const { code, out, err } = await check({ url: redis.url.replace('//', '//:wrong-horse@') })
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/cannot be used now$/m)
    expect(out).toMatch(/^Note: Redis cannot be used now: Redis does not accept this password/m)
    expect(out).not.toContain('wrong-horse')
  })
})

test('one that is not there is a note: a gateway goes on without it', async () => {
  const { code, out } = await check({ url: closedUrl })
  expect(code).toBe(0)
  expect(out).toMatch(/^Note: Redis cannot be used now: Redis at 127\.0\.0\.1:1: nothing listens there/m)
})

test('--json for programs', async () => {
  const { out } = await check({ url: closedUrl }, '--json')
  expect(JSON.parse(out)).toMatchObject({
    ok: true,
    redis: {
      at: '127.0.0.1:1',
      fleet: 'default',
      server: null,
      problem: expect.stringContaining('ECONNREFUSED') as string,
    },
  })
})

test('a file that is not there is a fault: a gateway would not start', async () => {
  const { code, err } = await check({ url: closedUrl, passwordFile: '/nowhere/password' })
  expect(code).toBe(1)
  expect(err).toContain('storage.redis.passwordFile: there is no file /nowhere/password.')
})
