/** What becomes of limits that several gateways share when Redis has something else in their place, or will not do what it is asked. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Subject } from '../../src/access/limiter.ts'
import { Reservation } from '../../src/access/reservation.ts'
import type { Log } from '../../src/base/log.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { startedLink } from './redis-link-scene.ts'
import { beginEpoch, SetClock, type SharedGateway, setTime, sharedGateway } from './shared-limits-scene.ts'

const ids = ['a', 'b']
const request = (input: number) => ({ requests: 1, input, output: 0 })

describe.skipIf(!hasRedis)('limits of two gateways', () => {
  let redis: RedisServer
  let link: RedisLink
  let clock: SetClock
  let told: string[]
  let a: SharedGateway
  let b: SharedGateway

  beforeAll(async () => {
    redis = await startRedis()
  })

  beforeEach(async () => {
    link = (await startedLink({ url: redis.url })).link
    clock = new SetClock()
    told = []
    const log: Log = (_level, message) => void told.push(message)
    await begun()
    a = sharedGateway('a', { link, clock, log })
    b = sharedGateway('b', { link, clock, log })
  })

  afterAll(() => redis?.close())

  async function begun(): Promise<void> {
    await link.command(['FLUSHALL'])
    await beginEpoch(link, ids)
    await setTime(link, clock.ms)
  }

  const otherForm = { minute: { tokensPerMinute: { limit: 1, level: 'none' } }, epoch: 'one' }
  const otherPeriods = { minute: {}, epoch: 'one', day: [['2026-01-15', 'evening', 1, 2]] }
  const otherLive = { minute: {}, epoch: 'one', live: { a: 'many' } }

  test.each([
    ['a text', ['SET', 'garbage']],
    ['a number', ['SET', '17']],
    ['a hash', ['HSET', 'a', 'hash']],
    ['an account of another form', ['SET', JSON.stringify(otherForm)]],
    ['days of another form', ['SET', JSON.stringify(otherPeriods)]],
    ['requests at once of another form', ['SET', JSON.stringify(otherLive)]],
  ] as const)(
    '%s in the place of an account costs nobody else anything, and the account begins anew',
    async (_, [command, ...words]) => {
      const [bad, good] = [keyOf('BAD'), keyOf('GOOD')]
      for (const subject of [bad, good]) expect(await a.ask(subject, request(100))).toBeInstanceOf(Reservation)
      await a.settled()
      await link.command(['DEL', link.key('limits:key:BAD')])
      await link.command([command, link.key('limits:key:BAD'), ...words])
      const [first, second] = await Promise.all([a.ask(bad, request(10)), a.ask(good, request(10))])
      expect([first, second]).toEqual([expect.any(Reservation), expect.any(Reservation)])
      expect(a.failures).toEqual([])
      await a.settled()
      await a.settled()
      // Another gateway is told what was known here: as much as before, and what was asked with it counts in part at least.
      await b.ask(bad, request(1))
      expect(left(b, bad)).toBeLessThanOrEqual(10_000 - 100 - 1)
      await b.ask(good, request(1))
      expect(left(b, good)).toBe(10_000 - 100 - 10 - 1)
      expect(told).toEqual([expect.stringContaining('none of this version')])
    },
  )

  test('what a ledger knows of an emptied Redis is the base of what is charged since, whoever tells it, and once', async () => {
    const subject = keyOf('KEY')
    const limitsOf = () => ({ name: 'KEY', limits: subject.limits })
    const before = String(await link.command(['GET', link.key('epoch')])).split(' ')[0] ?? ''
    await a.ask(subject, request(300))
    await a.settled()
    await begun()
    // Before the ledger of one was read, the other charged already.
    b.begunAnew()
    await b.ask(subject, request(10))
    const past = (input: number) => {
      const row = { keyId: 'KEY', team: null, startedAtMs: clock.ms, requests: 1, input, cachedInput: 0, output: 0 }
      return { day: [row], month: [row] }
    }
    b.limiter.recall(past(300), limitsOf, before)
    await b.settled()
    a.begunAnew()
    a.limiter.recall(past(300), limitsOf, before)
    await a.settled()
    await b.ask(subject, request(5))
    expect(left(b, subject)).toBe(10_000 - 300 - 10 - 5)
    // Of all until now it is never added, but to less.
    b.limiter.recall(past(312), limitsOf, null)
    await b.settled()
    await a.ask(subject, request(1))
    expect(left(a, subject)).toBe(10_000 - 300 - 10 - 5 - 1)
    b.limiter.recall(past(400), limitsOf, null)
    await b.settled()
    await a.ask(subject, request(1))
    expect(left(a, subject)).toBe(10_000 - 400 - 1)
  })

  test('what Redis will not do is not asked of it again and again, is charged here, and is told once it will', async () => {
    const subject = { ...keyOf('KEY'), limits: { tokensPerDay: 10_000, concurrentRequests: 50 } }
    expect(await a.ask(subject, request(100))).toBeInstanceOf(Reservation)
    await a.settled()
    await link.command(['DEL', link.key('alive')])
    await link.command(['SET', link.key('alive'), 'no list'])
    for (let i = 0; i < 20; i++) expect(await a.ask(subject, request(10))).toBeInstanceOf(Reservation)
    await a.settled()
    // In no time at all it is asked once.
    expect(a.failures).toHaveLength(1)
    expect(a.lane.isShared).toBe(false)
    expect(a.lane.paused?.why).toContain('WRONGTYPE')
    clock.ms += 101
    expect(a.lane.isShared).toBe(true)
    await a.ask(subject, request(10))
    expect(a.failures).toHaveLength(2)
    clock.ms += 101
    expect(a.lane.isShared).toBe(false)
    await link.command(['DEL', link.key('alive')])
    for (const id of ids) await link.command(['ZADD', link.key('alive'), 9_000_000_000_000, id])
    clock.ms += 1_000
    await setTime(link, clock.ms)
    await a.ask(subject, request(10))
    for (let i = 0; i < 3; i++) await a.settled()
    expect(a.lane.waiting).toBe(0)
    expect(a.lane.paused).toBeNull()
    await b.ask(subject, request(1))
    expect(left(b, subject)).toBe(10_000 - 100 - 22 * 10 - 1)
  })
})

function left({ limiter }: SharedGateway, subject: Subject): number | undefined {
  return limiter.left(subject).find(({ limit }) => limit === 'tokensPerDay')?.remaining
}

function keyOf(keyId: string): Subject & { readonly keyId: string } {
  return { keyId, name: keyId, team: null, limits: { tokensPerDay: 10_000, concurrentRequests: 5 } }
}
