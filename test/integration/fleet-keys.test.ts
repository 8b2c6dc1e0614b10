/** Keys of several gateways on a real Redis: one's change is known to all, and none is lost by what Redis loses. */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { AdminTokenKnown, SharedStoreAway, StoreError } from '../../src/base/store-error.ts'
import { openStore } from '../../src/stores/open-store.ts'
import type { AccessChange } from '../../src/stores/store.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { type FleetMember, type FleetMemberSettings, openFleetMember } from '../kit/redis-stores.ts'
import { auditEntry, keyRecord, type ScratchFolder, scratchFolder, storedAtMs } from '../kit/stored-rows.ts'
import { becomesTrue, eventually } from '../kit/within.ts'

const longMs = 20_000

interface Gateway extends FleetMember {
  /** What it was told of keys since it opened: names, and `!` behind a revoked one. */
  readonly told: string[]
  readonly changes: AccessChange[]
  readonly log: string[]
}

describe.skipIf(!hasRedis)('keys of a fleet on a real Redis', () => {
  let redis: RedisServer
  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(async () => {
    await redis.startAgain()
    // What an earlier test has saved comes back with it.
    await redis.command('FLUSHALL')
  })
  afterAll(() => redis.close())

  async function gateway(settings: Partial<FleetMemberSettings> = {}): Promise<Gateway> {
    const log: string[] = []
    const member = await openFleetMember({
      url: redis.url,
      fleet: 'keys',
      log: (level, message) => void log.push(`${level} ${message}`),
      ...settings,
    })
    onTestFinished(() => member.close())
    const told: string[] = []
    const changes: AccessChange[] = []
    member.store.watch({
      changed: (change) => {
        changes.push(change)
        told.push(...change.keys.map(({ name, revokedAtMs }) => (revokedAtMs === null ? name : `${name}!`)))
      },
      unreadable: () => {},
      alarm: () => {},
    })
    return { ...member, told, changes, log }
  }

  function folder(): ScratchFolder {
    const made = scratchFolder()
    onTestFinished(() => made[Symbol.dispose]())
    return made
  }

  async function folderWith(...names: readonly string[]): Promise<string> {
    const { storePath: path } = folder()
    const store = await openStore({ path, role: 'gateway' })
    for (const name of names) await store.keys.insert(keyRecord(name), auditEntry('key.create', { keyName: name }))
    await store.close()
    return path
  }

  const revoked = (name: string, revision = 2) =>
    keyRecord(name, { revokedAtMs: storedAtMs + 5, secrets: [], revision })
  const known = (one: Gateway, text: string) => eventually(longMs, text, () => one.told.includes(text))

  it('are the same at all gateways, each change before the next one is made', async () => {
    const [a, b] = [await gateway(), await gateway({ path: folder().storePath })]
    const names = Array.from({ length: 20 }, (_, at) => `key-${at}`)
    for (const [at, name] of names.entries()) {
      const [from, to] = at % 2 === 0 ? [a, b] : [b, a]
      expect(await from.store.keys.insert(keyRecord(name, { id: `id${at}` }), auditEntry('key.create'))).toBe(at === 0)
      await known(to, name)
      expect(await to.store.keys.replace({ ...revoked(name), id: `id${at}` }, auditEntry('key.revoke'))).toBe(true)
      await known(from, `${name}!`)
    }
    const inOrder = names.flatMap((name) => [name, `${name}!`])
    expect(a.told).toEqual(inOrder)
    expect(b.told).toEqual(inOrder)
    expect(await a.store.keys.list()).toEqual(await b.store.keys.list())
    expect(await a.store.keys.audit(100)).toEqual(await b.store.keys.audit(100))
    expect(await a.store.keys.audit(100)).toHaveLength(40)
  })

  it('are seen although messages are lost', async () => {
    const [a, b] = [await gateway(), await gateway({ isDeaf: true })]
    for (let at = 0; at < 5; at += 1) {
      await a.store.keys.insert(keyRecord(`key-${at}`, { id: `id${at}` }), auditEntry('key.create'))
      await known(b, `key-${at}`)
    }
    expect(b.told).toHaveLength(5)
  })

  it('cross without a change that is lost: one of two is told that it came second', async () => {
    const [a, b] = [await gateway(), await gateway()]
    await a.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    const change = (one: Gateway, weight: number) =>
      one.store.keys.replace(keyRecord('ci', { weight, revision: 2 }), auditEntry('key.change'))
    const made = await Promise.all([change(a, 2), change(b, 3)])
    expect(made.toSorted()).toEqual([false, true])
    expect((await a.store.keys.find('ci'))?.weight).toBe(made[0] ? 2 : 3)
    expect(await b.store.keys.find('ci')).toEqual(await a.store.keys.find('ci'))
  })

  it('go on being good while Redis is away, where no change is made in part', async () => {
    const a = await gateway()
    await a.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await redis.kill()
    await eventually(longMs, 'Redis to be missed', () => !a.link.isUp)
    await expect(a.store.keys.insert(keyRecord('web'), auditEntry('key.create'))).rejects.toThrow(
      /^Redis is not there, .*nothing was changed; try again once it is back/,
    )
    await expect(a.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))).rejects.toBeInstanceOf(SharedStoreAway)
    await expect(a.store.keys.setAdminTokenDigest('ab', auditEntry('admin-token.rotate'))).rejects.toThrow(StoreError)
    expect(await a.store.keys.list()).toEqual([keyRecord('ci')])
    expect(await a.store.keys.audit(10)).toHaveLength(1)
    await redis.startAgain()
    await eventually(longMs, 'Redis to be back', () => a.link.isUp)
    expect(await a.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))).toBe(true)
    expect(a.told).toEqual(['ci', 'ci!'])
  })

  it('are changed also where Redis has lost them and has got back a part alone', async () => {
    const [a, b] = [await gateway({ isDeaf: true }), await gateway({ isDeaf: true })]
    await a.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await known(b, 'ci')
    await redis.command('FLUSHALL')
    await redis.command('HSET', 'lmx-gateway:{keys}:keys:meta', 'generation', 'new', 'count', '0', 'names', '0')
    expect(await a.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))).toBe(true)
    await known(b, 'ci!')
    expect(await b.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))).toBe(false)
  })

  it('are known at a start without Redis, by a gateway that has seen them; one that has not refuses to start', async () => {
    const { storePath: path } = folder()
    const first = await openFleetMember({ url: redis.url, fleet: 'keys', path })
    await first.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    await first.store.keys.setAdminTokenDigest('ab'.repeat(32), auditEntry('admin-token.create'))
    await first.close()
    await redis.kill()
    const { store } = await gateway({ path })
    expect(store.state).toEqual({ keys: [keyRecord('ci')], keysEverCreated: true, adminTokenDigest: 'ab'.repeat(32) })
    await expect(gateway()).rejects.toThrow(/^Redis is not there, and this gateway has never seen the keys/)
    expect((await gateway({ allowAnonymous: true })).store.state.keys).toEqual([])
  })

  it('are waited for by a gateway that has never seen them, where Redis lets it in a little later', async () => {
    await (await gateway()).store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
    redis.freeze()
    onTestFinished(() => redis.thaw())
    const log: string[] = []
    const opening = gateway({ log: (_level, message) => void log.push(message) })
    await eventually(longMs, 'the wait to be told', () => log.some((line) => line.includes('waits for Redis')))
    redis.thaw()
    expect((await opening).store.state).toMatchObject({ keys: [keyRecord('ci')], keysEverCreated: true })
  })

  it.each(['emptied', 'another one'])(
    'are brought back to a Redis that was %s, the revoked ones as such',
    async (how) => {
      const [a, b] = [await gateway({ path: folder().storePath }), await gateway()]
      await a.store.keys.setAdminTokenDigest('ab'.repeat(32), auditEntry('admin-token.create'))
      await a.store.keys.setAdminTokenDigest('cd'.repeat(32), auditEntry('admin-token.rotate'))
      for (const name of ['ci', 'web'])
        await a.store.keys.insert(keyRecord(name), auditEntry('key.create', { keyName: name }))
      await b.store.keys.replace(revoked('web'), auditEntry('key.revoke'))
      await known(a, 'web!')
      const before = await a.store.keys.list()
      if (how === 'emptied') await redis.command('FLUSHALL')
      else await redis.startAgain()
      const c = await (async () => {
        await becomesTrue(longMs, 'keys to be back', async () =>
          (await redis.command('HLEN', 'lmx-gateway:{keys}:keys')).startsWith(':2'),
        )
        return gateway()
      })()
      expect(c.store.state).toEqual({ keys: before, keysEverCreated: true, adminTokenDigest: 'cd'.repeat(32) })
      expect(await c.store.keys.insert(keyRecord('new'), auditEntry('key.create'))).toBe(false)
      await known(a, 'new')
      await known(b, 'new')
      expect(await c.store.keys.audit(10)).toHaveLength(6)
    },
  )

  it.each([0, 10])(
    'are brought forward where Redis came back with an older state and %i later changes',
    async (more) => {
      const [a, b] = [await gateway(), await gateway()]
      await a.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
      await a.store.keys.insert(keyRecord('web'), auditEntry('key.create'))
      await redis.command('SAVE')
      await a.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))
      await a.store.keys.insert(keyRecord('late'), auditEntry('key.create'))
      await known(b, 'late')
      await redis.startAgain()
      await redis.command('HINCRBY', 'lmx-gateway:{keys}:keys:meta', 'version', `${more}`)
      await becomesTrue(longMs, 'the late key to be back', async () =>
        (await redis.command('HLEN', 'lmx-gateway:{keys}:keys')).startsWith(':3'),
      )
      const c = await gateway()
      expect((await c.store.keys.find('ci'))?.revokedAtMs).toBe(storedAtMs + 5)
      expect((await c.store.keys.list()).map(({ name }) => name).toSorted()).toEqual(['ci', 'late', 'web'])
      // A change that others make goes by versions that were there before.
      await c.store.keys.insert(keyRecord('new'), auditEntry('key.create'))
      await known(a, 'new')
      await known(b, 'new')
    },
  )

  it('of gateways that stood alone come together once, those of one name as two', async () => {
    const paths = [await folderWith('ci', 'one'), await folderWith('two'), await folderWith()]
    const [taken = ''] = paths
    const other = folder().storePath
    const store = await openStore({ path: other, role: 'gateway' })
    await store.keys.insert(keyRecord('ci', { id: 'othersci' }), auditEntry('key.create', { keyName: 'ci' }))
    await store.close()
    expect(taken).not.toBe('')
    const all = await Promise.all([...paths, other].map((path) => gateway({ path })))
    const names = async (one: Gateway) => (await one.store.keys.list()).map(({ name }) => name).toSorted()
    const ids = async (one: Gateway) => (await one.store.keys.list()).map(({ id }) => id).toSorted()
    for (const one of all) {
      expect(await ids(one)).toEqual(['ci000000', 'one00000', 'othersci', 'two00000'])
      expect(await names(one)).toEqual(await names(all[0]!))
      expect(await names(one)).toContain('ci')
      expect(new Set(await names(one)).size).toBe(4)
    }
    expect(all.flatMap(({ log }) => log).filter((line) => line.includes('Two keys had one name'))).toHaveLength(1)
  })

  it.each(['keys', 'keys:index', 'keys:names', 'keys:changed', 'keys:meta'])(
    'are whole again where a Redis that is full has given up %s alone',
    async (name) => {
      const [a, b] = [await gateway(), await gateway()]
      await a.store.keys.insert(keyRecord('ci'), auditEntry('key.create'))
      await b.store.keys.insert(keyRecord('web'), auditEntry('key.create'))
      await known(a, 'web')
      await redis.command('DEL', `lmx-gateway:{keys}:${name}`)
      expect(await a.store.keys.replace(revoked('ci'), auditEntry('key.revoke'))).toBe(true)
      await known(b, 'ci!')
      await expect(b.store.keys.insert(keyRecord('web', { id: 'other' }), auditEntry('key.create'))).rejects.toThrow()
      const c = await gateway()
      expect(c.store.state.keys.map((key) => key.name).toSorted()).toEqual(['ci', 'web'])
    },
  )

  it.each(['first', 'last'])(
    'stay revoked where the gateway that knows it comes %s and another one knows later changes',
    async (when) => {
      const paths: string[] = []
      for (const key of [revoked('ci'), keyRecord('ci', { weight: 3, revision: 5 })]) {
        const { storePath } = folder()
        const store = await openStore({ path: storePath, role: 'gateway' })
        await store.mirror.mirror({ keys: [key], keysEverCreated: true, adminToken: null, audit: [], position: null })
        await store.close()
        paths.push(storePath)
      }
      if (when === 'last') paths.reverse()
      const all: Gateway[] = []
      for (const path of paths) all.push(await gateway({ path }))
      for (const { store, told, changes } of all) {
        expect(await store.keys.find('ci')).toMatchObject({ revokedAtMs: storedAtMs + 5, secrets: [], revision: 5 })
        if (store.state.keys[0]?.revokedAtMs === null) expect([told, changes.length]).toEqual([['ci!'], 1])
        expect(await store.keys.replace(keyRecord('ci', { revision: 5 }), auditEntry('key.change'))).toBe(false)
      }
    },
  )

  it('have one admin token, whoever makes the first', async () => {
    const all = await Promise.all([gateway(), gateway(), gateway()])
    const digests = ['aa', 'bb', 'cc'].map((start) => start.repeat(32))
    const made = await Promise.allSettled(
      all.map(({ store }, at) => store.keys.setAdminTokenDigest(digests[at]!, auditEntry('admin-token.create'))),
    )
    const first = made.findIndex(({ status }) => status === 'fulfilled')
    const others = made.filter((one) => one.status === 'rejected')
    expect(others.map(({ reason }) => reason instanceof AdminTokenKnown)).toEqual([true, true])
    for (const { changes } of all)
      await eventually(longMs, 'the token', () => changes.at(-1)?.adminTokenDigest === digests[first])
  })
})
