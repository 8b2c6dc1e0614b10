/** The link to a real Redis: what is asked of it, what it tells, and what it leaves behind. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Script, unsettled } from '../../src/stores/redis/script.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { redisRoad } from '../kit/redis-road.ts'
import { eventually, within } from '../kit/within.ts'
import { heldLink, startedLink } from './redis-link-scene.ts'

describe.skipIf(!hasRedis)('the link to Redis', () => {
  let redis: RedisServer

  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.close())

  it('runs a script that Redis does not know yet, and one that it has forgotten', async () => {
    const { add, calls } = await startedLink({ url: redis.url, fleet: 'scripts' })
    expect(await add(1)).toBe(1)
    expect(await add(2)).toBe(3)
    await redis.command('SCRIPT', 'FLUSH')
    expect(await Promise.all([add(3), add(4)])).toEqual([6, 10])
    expect(calls.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual(Array(4).fill('add ok'))
  })

  it('says what server it found and counts what it asked', async () => {
    const { link, add, log } = await startedLink({ url: redis.url, fleet: 'state' })
    expect(link.state).toMatchObject({ isUp: true, problem: null })
    expect(link.state.server).toMatch(/^Redis \d+\.\d+/)
    await add(1)
    await link.command(['GET', link.key('sum')])
    expect(link.state).toMatchObject({ calls: 2, timeouts: 0, errors: 0 })
    expect(link.state.lastAnswerMs).toBeGreaterThan(0)
    expect(log).toMatchObject([
      {
        level: 'info',
        message: 'Redis is there',
        fields: { at: `127.0.0.1:${redis.port}`, server: link.state.server },
      },
    ])
  })

  it('keeps the fleets of one server apart', async () => {
    const [one, other] = [
      await startedLink({ url: redis.url, fleet: 'one' }),
      await startedLink({ url: redis.url, fleet: 'other' }),
    ]
    await one.add(5)
    expect(await other.add(1)).toBe(1)
  })

  it('hears what is published, by itself too, once each', async () => {
    const { link } = await startedLink({ url: redis.url, fleet: 'heard' })
    const heard: string[] = []
    await link.subscribe(link.key('news'), (message) => heard.push(message))
    await link.subscribe(link.key('news'), (message) => heard.push(`${message} again`))
    await link.command(['PUBLISH', link.key('news'), 'a'])
    await redis.command('PUBLISH', link.key('news'), 'b')
    await eventually(10_000, 'what was published', () => heard.length >= 4)
    expect(heard).toEqual(['a', 'a again', 'b', 'b again'])
  })

  it('hears again after Redis was away, and when it was not there at first', async () => {
    const own = await startRedis()
    await own.kill()
    const held = heldLink({ url: own.url })
    const { link } = held
    const heard: string[] = []
    await within(10_000, 'a start without Redis', link.start())
    await within(
      1_000,
      'to be promised what will be published',
      link.subscribe(link.key('x'), (text) => heard.push(text)),
    )
    for (const round of ['first', 'second']) {
      await own.startAgain()
      await held.isUp()
      await own.command('PUBLISH', link.key('x'), round)
      await eventually(10_000, round, () => heard.at(-1) === round)
      await own.kill()
      await eventually(10_000, 'Redis to be gone', () => !link.isUp)
    }
    expect(heard).toEqual(['first', 'second'])
    await own.close()
  })

  it('goes on when one who listens fails, and tells of it once', async () => {
    const { link, add, problems } = await startedLink({ url: redis.url, fleet: 'fails' })
    const heard: string[] = []
    await link.subscribe(link.key('x'), () => {
      throw new Error('cannot read this')
    })
    await link.subscribe(link.key('x'), (message) => heard.push(message))
    for (const message of ['a', 'b', 'c']) await link.command(['PUBLISH', link.key('x'), message])
    await eventually(10_000, 'what was published', () => heard.length === 3)
    expect(await add(1)).toBe(1)
    expect(problems()).toEqual(['cannot read this'])
  })

  it('lets what is wrong with one call cost no other', async () => {
    const { link, add, problems, changes } = await startedLink({ url: redis.url, fleet: 'wrong' })
    const scripts = {
      faulty: new Script('faulty', `return redis.call('INCR', 'no', 'such')`, () => null),
      unreadable: new Script('unreadable', `return 'what'`, () => {
        throw new Error('no reply of mine')
      }),
      unsettled: new Script('unsettled', `return not_settled`, () => null),
    }
    for (const script of Object.values(scripts)) {
      for (let times = 0; times < 12; times++) {
        await expect(link.run(script, [link.key('epoch')], [])).rejects.toMatchObject({ name: 'RedisUnavailable' })
      }
    }
    await expect(link.run(scripts.unsettled, [link.key('epoch')], [])).rejects.toThrow(unsettled)
    expect(await add(1)).toBe(1)
    expect(changes).toEqual([null])
    expect(problems()).toEqual([expect.stringContaining('Wrong number of args'), 'no reply of mine'])
  })

  it('asks nothing after it was closed, and leaves nothing', async () => {
    await using road = await redisRoad(redis.port)
    const { link, add } = await startedLink({ url: road.url, fleet: 'closed' })
    road.blocked = true
    const waiting = add(1)
    await link.close()
    await expect(waiting).rejects.toMatchObject({ name: 'RedisUnavailable' })
    await expect(add(1)).rejects.toMatchObject({ name: 'RedisUnavailable' })
    await link.subscribe(link.key('x'), () => {})
    await eventually(10_000, 'the connection to be closed', () => road.open === 0)
    expect(link.isUp).toBe(false)
  })

  it('is closed while it opens a connection, which goes with it', async () => {
    await using road = await redisRoad(redis.port)
    road.blocked = true
    const { link, log } = heldLink({ url: road.url, fleet: 'closed' })
    const start = link.start()
    await eventually(10_000, 'a connection', () => road.open === 1)
    await link.close()
    await within(10_000, 'the start that was given up', start)
    await eventually(10_000, 'the connection to be closed', () => road.open === 0)
    expect(link.isUp).toBe(false)
    expect(log).toEqual([])
  })

  it('is closed at any moment of a start', async () => {
    await using road = await redisRoad(redis.port)
    for (let turns = 0; turns < 30; turns++) {
      const { link } = heldLink({ url: road.url, fleet: 'closed' })
      const start = link.start()
      for (let turn = 0; turn < turns; turn++) await nextTurn()
      await link.close()
      await within(10_000, 'the start that was given up', start)
      expect(link.isUp).toBe(false)
    }
    await eventually(10_000, 'all connections to be closed', () => road.open === 0)
  })

  it('warns once where Redis may throw keys away', async () => {
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
    const { log, isUp, link } = await startedLink({ url: redis.url, fleet: 'evicts' })
    await redis.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await eventually(10_000, 'the connection to be gone', () => !link.isUp)
    await isUp()
    await redis.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    expect(log.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { evictionPolicy: 'allkeys-lru' } }])
  })
})
