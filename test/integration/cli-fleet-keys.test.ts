/** The commands about keys where several gateways share a Redis: on whichever machine they are given, they are about the keys of all. */
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { parseKey } from '../../src/access/api-key.ts'
import { cli, StoreFolder } from '../kit/cli-run.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { openFleetMember } from '../kit/redis-stores.ts'
import { eventually } from '../kit/within.ts'

const longMs = 20_000

describe.skipIf(!hasRedis)('commands about keys of a fleet', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(() => redis.startAgain())
  afterAll(() => redis.close())

  async function machine(): Promise<{ readonly flags: readonly string[]; readonly storePath: string }> {
    const folder = await StoreFolder.make()
    onTestFinished(() => folder[Symbol.asyncDispose]())
    const storage = `storage: { redis: { url: '${redis.url}', fleet: office } }\n`
    await folder.write('gateway.yaml', `teams: { red: {} }\n${storage}`)
    return folder
  }

  const names = async ({ flags }: { readonly flags: readonly string[] }): Promise<readonly string[]> => {
    const { out } = await cli(['keys', 'list', '--all', '--json', ...flags])
    const { keys } = JSON.parse(out) as { keys: { name: string; state: string }[] }
    return keys.map(({ name, state }) => `${name} ${state}`)
  }

  test('made on one machine, seen and changed on another, followed by a gateway on a third', async () => {
    const [here, there] = [await machine(), await machine()]
    const gateway = await openFleetMember({ url: redis.url, fleet: 'office' })
    onTestFinished(() => gateway.close())
    const told: string[] = []
    gateway.store.watch({
      changed: ({ keys }) => told.push(...keys.map(({ name, revokedAtMs }) => `${name} ${revokedAtMs !== null}`)),
      unreadable: () => {},
      alarm: () => {},
    })
    expect((await cli(['keys', 'list', ...here.flags])).out).toBe('There are no keys yet in the fleet office.')
    const made = await cli(['keys', 'create', '--name', 'alice', '--team', 'red', ...here.flags])
    expect(made.err).toContain('This was the first key')
    expect(parseKey(made.out)).not.toBeNull()
    expect(await names(there)).toEqual(['alice live'])
    const taken = await cli(['keys', 'create', '--name', 'alice', ...there.flags])
    expect([taken.code, taken.err]).toEqual([1, expect.stringContaining('The name "alice" is taken')])
    const revoked = await cli(['keys', 'revoke', 'alice', ...there.flags])
    expect([revoked.code, revoked.err]).toEqual([0, expect.stringContaining('A gateway that runs follows')])
    expect(await names(here)).toEqual(['alice revoked'])
    await eventually(longMs, 'the gateway to follow', () => told.length === 2)
    expect(told).toEqual(['alice false', 'alice true'])
    const rotated = await cli(['admin-token', 'rotate', '--show', ...here.flags])
    expect(rotated.code).toBe(0)
  })

  test('without Redis they change nothing and say so; what is known can be read', async () => {
    const here = await machine()
    await cli(['keys', 'create', '--name', 'alice', ...here.flags])
    await redis.kill()
    const list = await cli(['keys', 'list', '--json', ...here.flags])
    expect((JSON.parse(list.out) as { keys: { name: string }[] }).keys.map(({ name }) => name)).toEqual(['alice'])
    expect(list.err).toMatch(
      /^Note: .*Redis.* Keys are shown as this machine last knew them, and none can be changed\.$/,
    )
    for (const command of [
      ['revoke', 'alice'],
      ['create', '--name', 'bob'],
      ['rotate', 'alice'],
    ]) {
      const { code, out, err } = await cli(['keys', ...command, ...here.flags])
      expect([code, out]).toEqual([1, ''])
      expect(err).toMatch(
        /\nlmx-gateway: Redis is not there, and keys of a fleet are changed there: nothing was changed/,
      )
    }
    expect((await cli(['usage', ...here.flags])).err).not.toContain('Redis')
  })
})
