/** What may become of Redis, one after the other, and what it costs whoever asks. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { redisRoad } from '../kit/redis-road.ts'
import { eventually, within } from '../kit/within.ts'
import { type HeldLink, heldLink, startedLink } from './redis-link-scene.ts'

const failuresMax = 5

describe.skipIf(!hasRedis)('a Redis that fails', () => {
  let redis: RedisServer

  beforeEach(async () => {
    redis = await startRedis()
    onTestFinished(() => redis.close())
  })

  it('is not there at the start: nobody waits, and it is used when it comes', async () => {
    await redis.kill()
    const held = heldLink({ url: redis.url })
    await within(10_000, 'a start without Redis', held.link.start())
    await expect(held.add(1)).rejects.toThrow('nothing listens there; start Redis, or check storage.redis.url')
    expect(held.calls).toEqual([{ operation: 'add', outcome: 'down', ms: 0 }])
    await redis.startAgain()
    await held.isUp()
    expect(await held.add(1)).toBe(1)
    expect(held.log.map(({ level }) => level)).toEqual(['error', 'info'])
    expect(held.changes).toEqual([held.problems()[0], null])
  })

  it('dies: what waits is told at once, and it is back with nothing in it', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 60_000 })
    await held.add(5)
    redis.freeze()
    const waiting = Promise.allSettled([held.add(1), held.add(1)])
    await redis.kill()
    const [one] = await within(10_000, 'what waited', waiting)
    expect(one).toMatchObject({ status: 'rejected', reason: { name: 'RedisUnavailable' } })
    expect(held.link.isUp).toBe(false)
    await held.told(/has closed the connection/)
    await redis.startAgain()
    await held.isUp()
    expect(await held.add(1)).toBe(1)
  })

  it('hangs: after some calls nobody asks, one at a time looks, and what it answers late can be undone', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 300, connectMsMax: 300 })
    await held.add(1)
    redis.freeze()
    const late: number[] = []
    const asked = Array.from({ length: failuresMax }, () => held.add(1, (sum) => late.push(sum)))
    for (const call of asked) await expect(call).rejects.toThrow('Redis did not answer within 300 ms.')
    expect(held.link.isUp).toBe(false)
    await Promise.allSettled(Array.from({ length: 1_000 }, () => held.add(1)))
    expect(held.link.state).toMatchObject({ calls: 1 + failuresMax, timeouts: failuresMax })
    road.forget()
    const before = road.came
    await eventually(20_000, 'some looks', () => road.came >= before + 2)
    // The old one, that still waits for its answers, and one that looks.
    expect(road.openMax).toBeLessThanOrEqual(2)
    await held.told(/did not let this gateway in within 300 ms/)
    redis.thaw()
    await eventually(20_000, 'late answers', () => late.length === failuresMax)
    expect(held.link.state.lateAnswers).toBe(failuresMax)
    await held.isUp()
    // Long before it would be given up.
    await eventually(5_000, 'the old connection to be closed', () => road.open === 1)
    expect(held.problems()).toHaveLength(2)
    expect(held.changes).toEqual([null, ...held.problems(), null])
  })

  it('hangs for a moment: whoever asks after one that is late waits for nothing, until that is answered', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 1_000 })
    await held.add(1)
    redis.freeze()
    const late: number[] = []
    await expect(held.add(1, (sum) => late.push(sum))).rejects.toThrow('Redis did not answer within 1000 ms.')
    await expect(held.add(1)).rejects.toThrow('Redis did not answer within 1000 ms.')
    expect(held.calls.map(({ outcome }) => outcome)).toEqual(['ok', 'timeout', 'down'])
    expect(held.link.isUp).toBe(true)
    redis.thaw()
    await eventually(20_000, 'the late answer', () => late.length === 1)
    expect(held.link.isUp).toBe(true)
    expect(await held.add(1)).toBe(3)
    expect(held.problems()).toEqual([])
  })

  it('hangs for a moment: who may wait longer than requests is asked all the same, and answered', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 2_000 })
    await held.add(1)
    redis.freeze()
    await expect(held.add(1)).rejects.toThrow('Redis did not answer within 2000 ms.')
    const sum = held.link.command(['GET', held.link.key('sum')], 20_000)
    // What is rejected later must not be so unheard.
    sum.catch(() => {})
    await expect(held.add(1)).rejects.toThrow('Redis did not answer within 2000 ms.')
    redis.thaw()
    expect(await sum).toBe('2')
  })

  it('hangs while hardly anybody asks: one call that stays without an answer is enough', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 50 })
    road.blocked = true
    await expect(held.add(1)).rejects.toThrow('Redis did not answer within 50 ms.')
    await eventually(20_000, 'Redis to be given up', () => !held.link.isUp)
    expect(held.problems()).toEqual(['Redis did not answer within 50 ms.'])
  })

  it('hangs: whoever has less time than others is told in that, and the log says what is configured', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 50 })
    road.blocked = true
    const ask = (answerMsMax: number) => held.link.command(['GET', held.link.key('sum')], answerMsMax)
    const asked = [ask(49.6), ask(10), ask(10.2), ask(50), ask(120)]
    const told = await Promise.allSettled(asked)
    const waited = [50, 10, 11, 50]
    for (const [index, ms] of waited.entries()) {
      expect(told[index]).toMatchObject({ reason: { message: `Redis did not answer within ${ms} ms.` } })
    }
    await eventually(20_000, 'Redis to be given up', () => !held.link.isUp)
    expect(held.problems()).toEqual(['Redis did not answer within 50 ms.'])
  })

  it('is not late for those who give up before it is', async () => {
    const held = await startedLink({ url: redis.url, answerMsMax: 60_000 })
    redis.freeze()
    const ask = () => held.link.command(['GET', held.link.key('sum')], 1)
    for (const one of await Promise.allSettled(Array.from({ length: 2 * failuresMax }, ask)))
      expect(one.status).toBe('rejected')
    expect(held.link.isUp).toBe(true)
    redis.thaw()
    await expect(held.add(1)).resolves.toBe(1)
  })

  it('answers nobody ever again on this connection: another is opened', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 50, connectMsMax: 300 })
    road.blocked = true
    await Promise.allSettled(Array.from({ length: failuresMax }, () => held.add(1)))
    expect(held.link.isUp).toBe(false)
    const before = road.came
    await eventually(20_000, 'some looks', () => road.came >= before + 2)
    road.blocked = false
    await held.isUp()
    expect(road.came).toBeGreaterThan(before)
  })

  it('is slow: it is not used again until it is quick enough', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 200 })
    road.delayMs = 300
    await Promise.allSettled(Array.from({ length: failuresMax }, () => held.add(1)))
    expect(held.link.isUp).toBe(false)
    const before = road.came
    await eventually(20_000, 'some looks', () => road.came >= before + 3)
    expect(held.changes).toEqual([null, 'Redis did not answer within 200 ms.'])
    road.delayMs = 0
    await held.isUp()
  })

  it('is paused for writes alone, when a ping would be answered', async () => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url, answerMsMax: 100, connectMsMax: 300 })
    await redis.command('CLIENT', 'PAUSE', '600000', 'WRITE')
    await Promise.allSettled(Array.from({ length: failuresMax }, () => held.add(1)))
    const before = road.came
    await eventually(20_000, 'some looks', () => road.came >= before + 2)
    expect(held.changes.filter((change) => change === null)).toHaveLength(1)
    await redis.command('CLIENT', 'UNPAUSE')
    await held.isUp()
  })

  const refusals: readonly [
    string,
    RegExp,
    (way: RedisServer) => Promise<unknown>,
    (way: RedisServer) => Promise<unknown>,
  ][] = [
    [
      'is full',
      /reached its maxmemory.*raise maxmemory.*\(OOM\)/,
      (way) => way.command('CONFIG', 'SET', 'maxmemory', '1'),
      (way) => way.command('CONFIG', 'SET', 'maxmemory', '0'),
    ],
    [
      'becomes a replica of another',
      /read-only replica; name its primary in storage\.redis\.url \(READONLY\)/,
      (way) => way.command('REPLICAOF', '127.0.0.1', '1'),
      (way) => way.command('REPLICAOF', 'NO', 'ONE'),
    ],
    [
      'has too few replicas',
      /too few of its replicas.*\(NOREPLICAS\)/,
      (way) => way.command('CONFIG', 'SET', 'min-replicas-to-write', '1'),
      (way) => way.command('CONFIG', 'SET', 'min-replicas-to-write', '0'),
    ],
  ]

  it.each(refusals)('%s: told once, and not tried again with what waits', async (_what, problem, plant, undo) => {
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url })
    await plant(redis)
    await expect(held.add(1)).rejects.toThrow(problem)
    expect(held.link.isUp).toBe(false)
    await looksInVain(held, road)
    await undo(redis)
    await held.isUp()
    expect(held.problems()).toEqual([expect.stringMatching(problem)])
    expect(held.changes).toEqual([null, ...held.problems(), null])
    expect(await held.add(1)).toBe(1)
  })

  it('is loading its data', async () => {
    await redis.command('EVAL', "for i = 1, 300 do redis.call('SET', 'filler' .. i, i) end", '0')
    await redis.command('SAVE')
    await using road = await redisRoad(redis.port)
    const held = await startedLink({ url: road.url })
    await redis.startAgain('--loading-process-events-interval-bytes', '1024', '--key-load-delay', '10000')
    await held.told(/still loading its data; it is used as soon as it has \(LOADING\)/)
    await held.isUp()
    expect(held.problems().filter((text) => text.includes('LOADING'))).toHaveLength(1)
    expect(await held.add(1)).toBe(1)
  })

  it('has as many clients as it may have', async () => {
    const held = heldLink({ url: redis.url })
    await redis.command('CONFIG', 'SET', 'maxclients', '1')
    const only = await startedLink({ url: redis.url })
    await held.link.start()
    expect(held.problems()).toEqual([expect.stringMatching(/as many clients as it may have; raise maxclients/)])
    await only.link.close()
    await held.isUp()
  })

  async function looksInVain(held: HeldLink, road: { readonly came: number }): Promise<void> {
    const before = road.came
    await eventually(20_000, 'some looks', () => road.came >= before + 2)
    await pause(20)
    expect(held.changes.filter((change) => change === null)).toHaveLength(1)
  }
})
