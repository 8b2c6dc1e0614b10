/** A flood at four gateways, in simulated time: what all of them admit in any minute, with Redis, without it, and between. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Subject } from '../../src/access/limiter.ts'
import { Reservation } from '../../src/access/reservation.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { seeded, sizeOfRequest } from '../unit/access/request-sizes.ts'
import { startedLink } from './redis-link-scene.ts'
import { beginEpoch, SetClock, type SharedGateway, setTime, sharedGateway } from './shared-limits-scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const ids = ['a', 'b', 'c', 'd']
const tokensPerMinute = 60_000
const minuteMs = 60_000
const stepMs = 200
/** What may be used at once beyond the even level, and the even level. */
const burst = 0.375
/** Each gateway keeps its shares in whole numbers, and an answer may be longer than was reserved. */
const worst = 1.25

const subject: Subject = { keyId: 'KEY', name: 'key', team: null, limits: { tokensPerMinute } }

interface Used {
  readonly atMs: number
  readonly tokens: number
}

/** By minute of the flood: what happens to Redis as it begins. */
type Happening = 'gone' | 'back' | 'emptied' | 'back and emptied'
type Plan = Readonly<Record<number, Happening>>

describe.skipIf(!hasRedis)('a flood at four gateways', () => {
  let redis: RedisServer
  let link: RedisLink

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis?.close())

  async function flooded(minutes: number, seed: number, plan: Plan): Promise<readonly Used[]> {
    link = (await startedLink({ url: redis.url })).link
    const random = seeded(seed)
    const clock = new SetClock()
    const startedAtMs = clock.ms
    await link.command(['FLUSHALL'])
    await beginEpoch(link, ids)
    await setTime(link, clock.ms)
    const gateways = ids.map((id) => sharedGateway(id, { link, clock }))
    const used: Used[] = []
    const ends: { readonly atMs: number; readonly end: () => void }[] = []

    async function arrive(gateway: SharedGateway): Promise<void> {
      const { input, output } = sizeOfRequest(random)
      const cost = { requests: 1, input, output: Math.round(200 * (0.5 + random())) }
      const answer = gateway.limiter.isShared ? await gateway.ask(subject, cost) : gateway.limiter.ask(subject, cost)
      if (!(answer instanceof Reservation)) return
      used.push({ atMs: clock.ms - startedAtMs, tokens: input + output })
      const tokens = { input, output, cachedInput: 0, reasoning: 0 }
      ends.push({ atMs: clock.ms + (output / 30) * 1_000, end: () => answer.settle(tokens) })
    }

    async function happens(what: Happening | undefined): Promise<void> {
      if (what === undefined) return
      for (const { fleet } of gateways) Object.assign(fleet, { isShared: what !== 'gone', count: ids.length })
      if (what === 'gone' || what === 'back') return
      await link.command(['FLUSHALL'])
      await beginEpoch(link, ids)
      await setTime(link, clock.ms)
      for (const { begunAnew } of gateways) begunAnew()
    }

    for (let passedMs = 0; passedMs < minutes * minuteMs; passedMs += stepMs) {
      clock.ms = startedAtMs + passedMs
      await setTime(link, clock.ms)
      if (passedMs % minuteMs === 0) await happens(plan[passedMs / minuteMs])
      const due = ends.filter(({ atMs }) => atMs <= clock.ms)
      for (const one of due) {
        ends.splice(ends.indexOf(one), 1)
        one.end()
      }
      await Promise.all(gateways.filter(() => random() < 0.7).map(arrive))
      await Promise.all(gateways.map(({ settled }) => settled()))
    }
    for (const { failures } of gateways) expect(failures).toEqual([])
    return used
  }

  const seeds = isLong ? [1, 2, 3, 4, 5, 6, 7, 8] : [1]

  test.each(seeds)(
    'with Redis they are one: no minute has more than 1.25 of the limit (%i)',
    async (seed) => {
      const used = await flooded(6, seed, {})
      expect(worstMinute(used) / tokensPerMinute).toBeLessThanOrEqual(worst)
      expect(sumOf(used, minuteMs, 6 * minuteMs) / 5 / tokensPerMinute).toBeGreaterThan(0.9)
    },
    60_000,
  )

  test.each(seeds)(
    'as it goes and comes back, no minute has more than a burst beyond that (%i)',
    async (seed) => {
      const used = await flooded(8, seed, { 2: 'gone', 4: 'back', 5: 'gone', 6: 'back' })
      expect(worstMinute(used) / tokensPerMinute).toBeLessThanOrEqual(worst + burst)
      // Without it each keeps its share, and there is no burst any more.
      expect(worstMinute(used.filter(({ atMs }) => atMs > 3 * minuteMs && atMs < 4 * minuteMs))).toBeLessThanOrEqual(
        worst * tokensPerMinute,
      )
      expect(sumOf(used, minuteMs, 8 * minuteMs) / 7 / tokensPerMinute).toBeGreaterThan(0.8)
    },
    60_000,
  )

  test.each(seeds)(
    'as it is emptied, what was charged before counts on (%i)',
    async (seed) => {
      const used = await flooded(8, seed, { 2: 'emptied', 3: 'emptied', 4: 'gone', 6: 'back and emptied' })
      expect(worstMinute(used) / tokensPerMinute).toBeLessThanOrEqual(worst + burst)
      const whileThere = used.filter(({ atMs }) => atMs < 4 * minuteMs)
      expect(worstMinute(whileThere) / tokensPerMinute).toBeLessThanOrEqual(worst)
    },
    60_000,
  )
})

function sumOf(used: readonly Used[], fromMs: number, toMs: number): number {
  return used.reduce((sum, { atMs, tokens }) => (atMs >= fromMs && atMs < toMs ? sum + tokens : sum), 0)
}

function worstMinute(used: readonly Used[]): number {
  let most = 0
  let sum = 0
  let first = 0
  const inOrder = used.toSorted((a, b) => a.atMs - b.atMs)
  for (const { atMs, tokens } of inOrder) {
    sum += tokens
    while ((inOrder[first]?.atMs ?? 0) <= atMs - minuteMs) sum -= inOrder[first++]?.tokens ?? 0
    most = Math.max(most, sum)
  }
  return most
}
