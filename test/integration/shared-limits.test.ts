/** Limits of several gateways on one Redis: exact together, as shares without it, and nothing is charged twice or forgotten. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Subject } from '../../src/access/limiter.ts'
import { Reservation } from '../../src/access/reservation.ts'
import type { LimitBatch, LimitStore } from '../../src/access/shared-limits.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { eventually } from '../kit/within.ts'
import { startedLink } from './redis-link-scene.ts'
import { beginEpoch, loneLimiter, SetClock, type SharedGateway, setTime, sharedGateway } from './shared-limits-scene.ts'

const ids = ['a', 'b', 'c', 'd']
const nothing = { requests: 1, input: 0, output: 0 }

describe.skipIf(!hasRedis)('limits of four gateways', () => {
  let redis: RedisServer
  let link: RedisLink
  let clock: SetClock

  beforeAll(async () => {
    redis = await startRedis()
  })

  beforeEach(async () => {
    link = (await startedLink({ url: redis.url })).link
    clock = new SetClock()
    await emptied()
  })

  afterAll(() => redis?.close())

  async function emptied(): Promise<void> {
    await link.command(['FLUSHALL'])
    await beginEpoch(link, ids)
    await setTime(link, clock.ms)
  }

  async function pass(ms: number): Promise<void> {
    clock.ms += ms
    await setTime(link, clock.ms)
  }

  const gatewaysOf = (store?: (inner: LimitStore) => LimitStore): SharedGateway[] =>
    ids.map((id) => sharedGateway(id, { link, clock, ...(store && { store }) }))

  const admittedOf = async (gateways: readonly SharedGateway[], subject: Subject, each: number, input = 0) => {
    const asked = gateways.flatMap(({ ask }) =>
      Array.from({ length: each }, () => ask(subject, { requests: 1, input, output: 0 })),
    )
    return (await Promise.all(asked)).filter((answer) => answer instanceof Reservation)
  }

  const everywhere = (gateways: readonly SharedGateway[], isShared: boolean, count = ids.length): void => {
    for (const { fleet } of gateways) Object.assign(fleet, { isShared, count })
  }

  test('of many requests that all of them are sent at once exactly those are admitted that one would admit', async () => {
    const subject = keyOf({ requestsPerMinute: 100, tokensPerMinute: 50_000 })
    const lone = loneLimiter(clock)
    let expected = 0
    for (let i = 0; i < 200; i++) if (lone.ask(subject, nothing) instanceof Reservation) expected += 1
    expect(await admittedOf(gatewaysOf(), subject, 50)).toHaveLength(expected)
  })

  test('requests at once are counted over all of them, and those of one that is gone count no more', async () => {
    const gateways = gatewaysOf()
    const subject = keyOf({ concurrentRequests: 5 })
    const running = await admittedOf(gateways, subject, 4)
    expect(running).toHaveLength(5)
    running[0]?.settle(null)
    for (const { settled } of gateways) await settled()
    expect(await admittedOf(gateways.slice(3), subject, 4)).toHaveLength(1)
    await link.command(['ZREM', link.key('alive'), 'a'])
    // It had four of them, of which one was over.
    expect(await admittedOf(gateways.slice(3), subject, 8)).toHaveLength(3)
  })

  test('a request that is one too many at one gateway takes no place from others', async () => {
    const [first, second] = gatewaysOf()
    const subject = keyOf({ concurrentRequests: 5, tokensPerMinute: 4_000 })
    if (first === undefined || second === undefined) return
    expect(await admittedOf([first], subject, 8, 1_000)).toHaveLength(1)
    await first.settled()
    expect(await admittedOf([second], subject, 8)).toHaveLength(4)
  })

  test('who waits is admitted by those that run, however many began to wait at once at several gateways', async () => {
    const [first, second] = gatewaysOf()
    const subject = keyOf({ concurrentRequests: 2 })
    if (first === undefined || second === undefined) return
    for (const { limiter, settled } of [first, second]) {
      for (let i = 0; i < 2; i++) limiter.placesOf(subject).takePlace()
      await settled()
    }
    const asked = (gateway: SharedGateway) => gateway.ask(subject, nothing, { isPlaced: true })
    expect(await asked(first)).toBeInstanceOf(Reservation)
    expect(await asked(second)).toBeInstanceOf(Reservation)
    expect(await asked(second)).toMatchObject({ limit: 'concurrentRequests' })
    expect(await second.ask(subject, nothing)).toMatchObject({ limit: 'concurrentRequests' })
  })

  test('what comes behind one of its key that was told to wait is not asked for before it', async () => {
    const [first, second] = gatewaysOf()
    const subject = keyOf({ tokensPerMinute: 4_000 })
    if (first === undefined || second === undefined) return
    await first.ask(subject, { requests: 1, input: 900, output: 0 })
    const large = first.ask(subject, { requests: 1, input: 1_000, output: 0 }, { patienceMs: 60_000 })
    const small = first.ask(subject, { requests: 1, input: 1, output: 0 }, { patienceMs: 60_000 })
    expect(await large).toMatchObject({ limit: 'tokensPerMinute' })
    await expect(small).rejects.toThrow('another of its line goes first')
    // At another gateway it has another line.
    expect(await second.ask(subject, { requests: 1, input: 1, output: 0 })).toBeInstanceOf(Reservation)
  })

  test('what was charged survives that Redis is emptied, each telling what it knows', async () => {
    const gateways = gatewaysOf()
    const subject = keyOf({ tokensPerDay: 10_000, tokensPerMinute: 4_000 })
    expect(await admittedOf(gateways, subject, 1, 250)).toHaveLength(4)
    await emptied()
    for (const gateway of gateways) {
      gateway.begunAnew()
      await gateway.settled()
    }
    // One that has never heard of the key.
    const other = sharedGateway('e', { link, clock })
    await other.ask(subject, { requests: 1, input: 1, output: 0 })
    expect(left(other, subject, 'tokensPerDay')).toBe(10_000 - 4 * 250 - 1)
    expect(left(other, subject, 'tokensPerMinute')).toBe(0)
  })

  test('what ended without Redis is given back once, also by who tells anew what it knows', async () => {
    const [first, second] = gatewaysOf()
    const subject = keyOf({ tokensPerDay: 10_000, requestsPerDay: 100 })
    if (first === undefined || second === undefined) return
    const running = [await first.ask(subject, request(1_000)), await second.ask(subject, request(500))]
    everywhere([first, second], false)
    for (const one of running) {
      if (one instanceof Reservation) one.settle({ input: 10, output: 0, cachedInput: 0, reasoning: 0 })
    }
    const alone = first.limiter.ask(subject, request(70))
    expect(alone).toBeInstanceOf(Reservation)
    await emptied()
    for (const one of [first, second]) one.begunAnew()
    await eventually(20_000, 'both to have told', () => first.lane.waiting + second.lane.waiting === 0)
    everywhere([first, second], true)
    for (const { settled } of [first, second]) await settled()
    const other = sharedGateway('e', { link, clock })
    await other.ask(subject, request(1))
    expect(left(other, subject, 'tokensPerDay')).toBe(10_000 - 10 - 10 - 70 - 1)
    expect(left(other, subject, 'requestsPerDay')).toBe(100 - 4)
  })

  test('without Redis each keeps a share, and what it charged is told once Redis is back', async () => {
    const gateways = gatewaysOf()
    const subject = keyOf({ tokensPerDay: 100_000, tokensPerMinute: 40_000, requestsPerDay: 800 })
    await admittedOf(gateways, subject, 1, 100)
    everywhere(gateways, false)
    const apart = await admittedOf(gateways, subject, 400, 100)
    // A quarter of the bucket each.
    expect(apart.length).toBeLessThanOrEqual(150)
    expect(apart.length).toBeGreaterThan(90)
    everywhere(gateways, true)
    for (const { settled } of gateways) await settled()
    const other = sharedGateway('e', { link, clock })
    const answer = await other.ask(subject, { requests: 1, input: 100, output: 0 })
    const more = answer instanceof Reservation ? 1 : 0
    expect(left(other, subject, 'requestsPerDay')).toBe(800 - 4 - apart.length - more)
    expect(left(other, subject, 'tokensPerDay')).toBe(100_000 - 100 * (4 + apart.length + more))
    // Of what may be used at once nothing is left.
    expect(left(other, subject, 'tokensPerMinute')).toBeLessThan(500)
    for (const reservation of apart) reservation.settle(null)
    for (const { settled } of gateways) await settled()
    await other.ask(subject, { requests: 1, input: 100, output: 0 })
    expect(left(other, subject, 'requestsPerDay')).toBeGreaterThanOrEqual(800 - 4 - 2)
  })

  test('what ends without Redis is given back once it is back, in the day that it was charged to', async () => {
    const gateways = gatewaysOf()
    const subject = keyOf({ tokensPerDay: 100_000, tokensPerMinute: 40_000 })
    const running = await admittedOf(gateways, subject, 1, 1_000)
    everywhere(gateways, false)
    for (const reservation of running) reservation.settle({ input: 10, output: 5, cachedInput: 0, reasoning: 0 })
    await pass(30_000)
    everywhere(gateways, true)
    for (const { settled } of gateways) await settled()
    const [first] = gateways
    if (first === undefined) return
    await first.ask(subject, { requests: 1, input: 0, output: 0 })
    expect(left(first, subject, 'tokensPerDay')).toBe(100_000 - 4 * 15)
  })

  test.each(['asked', 'lost'] as const)(
    'a batch that was %s, and of whose answer nobody knows, is in effect once',
    async (what) => {
      let fails = false
      const gateways = gatewaysOf((inner) => ({
        answerMsMax: 5_000,
        async charge(batch: LimitBatch, ms: number) {
          if (!fails) return inner.charge(batch, ms)
          fails = false
          if (what === 'asked') await inner.charge(batch, ms)
          throw new Error('no answer in time')
        },
      }))
      const [first] = gateways
      const subject = keyOf({ tokensPerDay: 100_000, requestsPerDay: 100 })
      if (first === undefined) return
      const running = await first.ask(subject, { requests: 1, input: 1_000, output: 0 })
      if (running instanceof Reservation) running.settle({ input: 400, output: 0, cachedInput: 0, reasoning: 0 })
      fails = true
      const alone = await first.ask(subject, { requests: 1, input: 500, output: 0 })
      expect(alone).toBeInstanceOf(Reservation)
      for (let i = 0; i < 3; i++) await first.settled()
      const other = sharedGateway('e', { link, clock })
      await other.ask(subject, { requests: 1, input: 1, output: 0 })
      expect(left(other, subject, 'tokensPerDay')).toBe(100_000 - 400 - 500 - 1)
      expect(left(other, subject, 'requestsPerDay')).toBe(100 - 3)
    },
  )
})

const request = (input: number) => ({ requests: 1, input, output: 0 })

function left({ limiter }: SharedGateway, subject: Subject, name: string): number | undefined {
  return limiter.left(subject).find(({ limit }) => limit === name)?.remaining
}

function keyOf(limits: Subject extends { limits: infer L } ? L : Record<string, number>): Subject {
  return { keyId: 'KEY', name: 'key', team: null, limits }
}
