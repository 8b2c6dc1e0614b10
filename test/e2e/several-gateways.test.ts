/** Several gateways behind HAProxy on one Redis, under mixed load with floods: to hosts and to clients they are one. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRedis } from '../kit/redis.ts'
import { isMissing } from '../kit/several-gateways/balancer.ts'
import { rowsOf } from '../kit/several-gateways/ledgers.ts'
import { enoughAnswers, groupsOf, hosts, keys, limits, shares, teams } from '../kit/several-gateways/mixed-load.ts'
import type { Replica } from '../kit/several-gateways/replica.ts'
import { atOnceMax, burstOf, sumOf, worstMinute } from '../kit/several-gateways/seen.ts'
import { SeveralGateways } from '../kit/several-gateways/several-gateways.ts'
import { goodEnds, Together } from '../kit/several-gateways/together.ts'
import { becomesTrue } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const loadMs = isLong ? 300_000 : 12_000
const isSkipped = !hasRedis || isMissing('haproxy')

describe.skipIf(isSkipped).each([2, 4])('%i gateways under mixed load', (gateways) => {
  let house: SeveralGateways
  let together: Together

  beforeAll(async () => {
    house = await SeveralGateways.start({ gateways, hosts, keys, config: { teams, limits: { waitMsMax: 1_500 } } })
    await house.load.begin(groupsOf(house), house.balancer.url)
    await Promise.all([pause(loadMs), house.load.answers(enoughAnswers)])
    await house.load.stop()
    together = new Together(await house.load.tell())
  }, loadMs + 120_000)

  afterAll(() => house?.[Symbol.asyncDispose]())

  test('whoever is not answered whole left, or is told that its limit is reached', () => {
    expect(together.ends(together.failures())).toEqual({})
    for (const end of goodEnds) expect(together.ends()[end], end).toBeGreaterThan(0)
  })

  test.each(hosts)(
    '$name has never more requests than slots, and has all of them used where many wait',
    ({ name, slots }) => {
      const most = atOnceMax(together.atHost(name))
      expect(most).toBeLessThanOrEqual(slots)
      if (name.startsWith('narrow')) expect(most).toBe(slots)
    },
  )

  test('a key has never more requests at once than it may, and as many', () => {
    expect(atOnceMax(together.atKeys(['at-once']))).toBe(limits.concurrentRequests)
  })

  test.each(shares)('$words: what may be used at once, and then as fast as it is refilled', (share) => {
    const amounts = share.counts === 'requests' ? together.requests(share.keys) : together.tokens(share.keys)
    expect(burstOf(amounts, share.perMinute)).toBeLessThanOrEqual(share.atOnceMax)
    expect(worstMinute(amounts)).toBeLessThanOrEqual(1.25 * share.perMinute)
    const refilled = (share.perMinute * loadMs) / 60_000
    if (isLong) expect(sumOf(amounts), 'of what was there').toBeGreaterThan(0.8 * (share.atOnce + refilled))
  })

  test('nothing is held any more', async () => {
    await becomesTrue(10_000, 'every host to be at rest', async () => {
      return new Together(await house.load.tell()).running.length === 0
    })
    for (const replica of house.replicas) {
      await replica.comesToRest()
      expect(replica.strayLines).toEqual([])
      expect(replica.log.filter(({ level }) => level === 'error')).toEqual([])
      await becomesTrue(10_000, `no place of a key to be taken at ${replica.name}`, async () => {
        const key = house.keys['at-once']?.id ?? ''
        const { limits: left } = await house.admin<{ limits: Left[] }>(replica, `/admin/limits/${key}`)
        return left.find(({ limit }) => limit === 'concurrentRequests')?.remaining === limits.concurrentRequests
      })
    }
  })

  test('every ledger has each answer once, with the tokens that its host counted', async () => {
    const problems = (replica: Replica) => together.ledgerProblems(rowsOf(replica))
    await becomesTrue(20_000, 'the last rows to be everywhere', async () =>
      house.replicas.every((replica) => problems(replica).length === 0),
    ).catch(() => {})
    for (const replica of house.replicas) expect(problems(replica), replica.name).toEqual([])
  })

  test('stopped, they leave in Redis what the fleet has for good, and what is forgotten by itself', async () => {
    for (const [name] of await house.kept()) {
      if (/^limits:(?:key|team):/.test(name)) expect(await house.text(name), name).toContain('"live":{}')
    }
    const ends = await Promise.all(house.replicas.map((replica) => replica.stop()))
    expect(ends).toEqual(house.replicas.map(() => ({ code: 0, signal: null })))
    const kept = await house.kept()
    const forGood = [...kept].flatMap(([name, leftMs]) => (leftMs === null ? [name] : []))
    expect(forGood.filter((name) => !/^(?:epoch|print-secret|keys(?::\w+)?|usage(?::stream)?)$/.test(name))).toEqual([])
    expect([...kept.keys()].filter((name) => name.startsWith('claims:'))).toEqual([])
  })
})

interface Left {
  readonly limit: string
  readonly remaining: number
}
