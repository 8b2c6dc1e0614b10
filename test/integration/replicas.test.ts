/** Gateways of a fleet find each other through a real Redis, and go on through what may become of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { Replicas } from '../../src/replicas/replicas.ts'
import { RedisBeatStore } from '../../src/stores/redis/beat-store.ts'
import { RedisLink } from '../../src/stores/redis/link.ts'
import { configOf } from '../kit/config-of.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { silentLog } from '../kit/silent-log.ts'

const goneAfterMs = 1_500

interface Member {
  readonly link: RedisLink
  readonly replicas: Replicas
  readonly events: string[]
  readonly heard: Map<string, unknown>
}

async function linked(redis: RedisServer, fleet = 'default') {
  const options = configOf({
    hosts: [{ url: 'http://127.0.0.9:1' }],
    storage: { redis: { url: redis.url, fleet, goneAfterMs } },
  }).storage.redis
  if (options === undefined) throw new Error('no redis in the configuration')
  const link = new RedisLink(options, { clock: systemClock, log: silentLog, chance: Math.random })
  await link.start()
  onTestFinished(() => link.close())
  return { link, store: new RedisBeatStore(link, goneAfterMs) }
}

async function member(redis: RedisServer, id: string, fleet?: string): Promise<Member> {
  const { link, store } = await linked(redis, fleet)
  const events: string[] = []
  const heard = new Map<string, unknown>()
  const replicas = new Replicas({
    clock: systemClock,
    log: silentLog,
    store,
    own: { id, name: `gw-${id}`, version: '1', startedAtMs: Date.now() },
    events: () => ({ replicaGone: (how) => void events.push(how), epochChanged: () => {} }),
    goneAfterMs,
  })
  replicas.onEpoch(() => void events.push('told anew'))
  replicas.tell('load', () => `of ${id}`)
  replicas.hear('load', (from, told) => void heard.set(from, told))
  await replicas.start()
  onTestFinished(() => replicas.stop())
  return { link, replicas, events, heard }
}

/** Looks again until it is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(10)
}

describe.skipIf(!hasRedis)('replicas on a real Redis', { timeout: 120_000 }, () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })
  beforeEach(async () => {
    await redis.startAgain()
  })
  afterAll(async () => {
    await redis.close()
  })

  /** Its name. */
  const epochOf = async (): Promise<string | undefined> =>
    (await redis.command('GET', 'lmx-gateway:{default}:epoch')).split('\n')[1]?.split(' ')[0]

  /** Its name, when it began and when it settles, by the clock of Redis. */
  const settling = async (): Promise<{ readonly epoch: string; readonly beganMs: number; readonly atMs: number }> => {
    const [, text = ''] = (await redis.command('GET', 'lmx-gateway:{default}:epoch')).split('\n')
    const [epoch = '', atMs] = text.split(' ')
    return { epoch, beganMs: Number(epoch.split('.')[1]), atMs: Number(atMs) }
  }

  it('find each other, hear each other, and share once the epoch has settled; those of another fleet do not', async () => {
    const [a, b] = [await member(redis, 'a'), await member(redis, 'b')]
    const stranger = await member(redis, 'c', 'other')
    await until(() => a.replicas.count === 2 && b.replicas.count === 2)
    await until(() => a.heard.get('b') === 'of b' && b.heard.get('a') === 'of a')
    await until(() => a.replicas.isShared && b.replicas.isShared)
    expect(
      a.replicas
        .all()
        .map(({ status }) => status?.name)
        .toSorted((one = '', other = '') => one.localeCompare(other)),
    ).toEqual(['gw-a', 'gw-b'])
    expect([stranger.replicas.count, stranger.heard.size]).toEqual([1, 0])
    expect([a.events, b.events]).toEqual([['told anew'], ['told anew']])
  })

  it('miss one whose connection is gone, and are left by one that says so', async () => {
    const [a, b, c] = [await member(redis, 'a'), await member(redis, 'b'), await member(redis, 'c')]
    await until(() => a.replicas.count === 3)
    await c.replicas.stop()
    await until(() => a.replicas.count === 2)
    expect(a.events).toContain('left')
    await b.link.close()
    await until(() => a.replicas.count === 1)
    expect(a.events).toContain('missed')
  })

  it('tell all anew when Redis was emptied, each time', async () => {
    const [a, b] = [await member(redis, 'a'), await member(redis, 'b')]
    await until(() => a.replicas.isShared && b.replicas.isShared && a.replicas.count === 2)
    const epochs = new Set([await epochOf()])
    for (const times of [2, 3]) {
      await redis.command('FLUSHALL')
      for (const { events } of [a, b])
        await until(() => events.filter((event) => event === 'told anew').length === times)
      await until(() => a.replicas.isShared && b.replicas.isShared)
      expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
      epochs.add(await epochOf())
    }
    expect(epochs.size).toBe(3)
  })

  it('go on by themselves while Redis is away, and find each other and hear each other again after', async () => {
    const [a, b] = [await member(redis, 'a'), await member(redis, 'b')]
    await until(() => a.replicas.isShared && a.replicas.count === 2 && b.replicas.count === 2)
    await redis.kill()
    await until(() => !a.replicas.isShared && !b.replicas.isShared)
    expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
    expect(a.replicas.sharing.why).toMatch(/^Redis /)
    await redis.startAgain()
    await until(() => a.replicas.isShared && b.replicas.isShared)
    a.heard.clear()
    await until(() => a.heard.get('b') === 'of b')
    await until(() => a.replicas.count === 2 && b.replicas.count === 2)
  })

  it('find each other again after it stood still for so long that all were given up', async () => {
    const [a, b] = [await member(redis, 'a'), await member(redis, 'b')]
    await until(() => a.replicas.isShared && a.replicas.count === 2 && b.replicas.count === 2)
    redis.freeze()
    await until(() => !a.replicas.isShared && !b.replicas.isShared)
    await pause(goneAfterMs)
    redis.thaw()
    await until(() => a.replicas.isShared && b.replicas.isShared && a.replicas.count === 2 && b.replicas.count === 2)
    expect([a.events.at(0), b.events.at(0)]).toEqual(['told anew', 'told anew'])
  })

  it('share again once all have told what they hold, each time Redis was emptied', async () => {
    const [a, b] = [await member(redis, 'a'), await member(redis, 'b')]
    await until(() => a.replicas.isShared && b.replicas.isShared)
    let hasTold = true
    b.replicas.settlesOnce(() => hasTold)
    for (const times of [2, 3]) {
      hasTold = false
      await redis.command('FLUSHALL')
      await until(() => b.events.filter((event) => event === 'told anew').length === times)
      hasTold = times === 2
      await until(() => a.replicas.isShared && b.replicas.isShared)
      expect([a.replicas.count, b.replicas.count]).toEqual([2, 2])
    }
  })

  it('settle no sooner than half a second after one that has more to tell, and 5 s after the beginning', async () => {
    const { store } = await linked(redis)
    const beat = (id: string, toldAllIn: string | null) =>
      store.beat({ id, message: '{}', status: '{}', leaves: false, toldAllIn })
    await beat('a', null)
    const { epoch, beganMs, ...first } = await settling()
    let { atMs } = first
    expect(atMs - beganMs).toBe(1_000)
    for (;;) {
      const { settlesInMs } = await beat('b', 'another')
      const nowMs = (await settling()).atMs - settlesInMs
      if (settlesInMs === 0) break
      atMs = Math.max(atMs, Math.min(nowMs + 500, beganMs + 5_000))
      expect(await settling()).toEqual({ epoch, beganMs, atMs })
      await beat('a', epoch)
      expect(await settling()).toEqual({ epoch, beganMs, atMs })
      await pause(20)
    }
    expect(atMs).toBeGreaterThan(beganMs + 1_000)
    // Once settled it is not moved any more.
    await beat('b', null)
    expect(await settling()).toEqual({ epoch, beganMs, atMs })
  })

  it('are not kept alive by a clock of Redis that was set back', async () => {
    const a = await member(redis, 'a')
    const inAnHour = `${Date.now() + 3_600_000}`
    await redis.command('ZADD', 'lmx-gateway:{default}:alive', inAnHour, 'dead')
    await until(() => a.replicas.count === 2)
    await until(() => a.replicas.count === 1)
    await redis.command('SET', 'lmx-gateway:{default}:epoch', `of-before ${inAnHour}`)
    await until(() => a.events.filter((event) => event === 'told anew').length === 2)
    await until(() => a.replicas.isShared)
    expect(a.replicas.ids).toEqual(['a'])
  })
})
