/** What may become of one of several gateways, or of their Redis, each once under load: limits hold by what is promised, and all heals. */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasRedis } from '../kit/redis.ts'
import { isMissing } from '../kit/several-gateways/balancer.ts'
import { rowsOf, rowsOfAll } from '../kit/several-gateways/ledgers.ts'
import {
  enoughAnswers,
  groupsOf,
  hosts,
  keys,
  limits,
  shares,
  someAnswers,
  teams,
} from '../kit/several-gateways/mixed-load.ts'
import { atOnceMax, burstOf, type SeenRequest, type Span, sumOf, unixMs } from '../kit/several-gateways/seen.ts'
import { SeveralGateways } from '../kit/several-gateways/several-gateways.ts'
import { Together } from '../kit/several-gateways/together.ts'
import { becomesTrue } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
/** Without a fault, or while one lasts. */
const phaseMs = isLong ? 45_000 : 4_000
const gateways = 3
/** `storage.redis.goneAfterMs`, by default. */
const goneAfterMs = 3_000
/** Long for what is 50 ms by default: how slow a busy machine is must not be taken for a fault. */
const answerMsMax = 1_000
/** A busy machine sees it later. */
const slackMs = 2_000
/** So long before a kill may rows not have been written; five times the second that is promised, for a busy machine. */
const unwrittenMs = 5_000

const faults = ['a gateway is killed', 'Redis is stopped', 'Redis is slow', 'Redis is emptied'] as const
type Fault = (typeof faults)[number]

describe.skipIf(!hasRedis || isMissing('haproxy'))('faults of several gateways under load', () => {
  let house: SeveralGateways
  let together: Together
  let endedMs: number
  const beganMs = new Map<Fault, number>()
  const healedMs = new Map<Fault, number>()

  const plays: Readonly<Record<Fault, () => Promise<void>>> = {
    async 'a gateway is killed'() {
      await house.replicas[0]?.kill()
      await pause(goneAfterMs)
      await house.shares(house.replicas.slice(1))
    },
    async 'Redis is stopped'() {
      await house.redis.kill()
      await pause(phaseMs)
      await house.redis.startAgain()
      await house.shares()
    },
    async 'Redis is slow'() {
      await house.redis.command('CLIENT', 'PAUSE', `${phaseMs}`, 'ALL')
      await pause(phaseMs)
      await house.shares()
    },
    async 'Redis is emptied'() {
      await house.redis.command('FLUSHALL')
      // By then each of them has seen it.
      await pause(slackMs)
      await house.shares()
    },
  }

  beforeAll(
    async () => {
      house = await SeveralGateways.start({
        gateways,
        hosts,
        keys,
        config: { teams, limits: { waitMsMax: 1_500 } },
        answerMsMax,
      })
      await house.load.begin(groupsOf(house), house.balancer.url)
      await Promise.all([pause(phaseMs), house.load.answers(enoughAnswers)])
      for (const fault of faults) {
        beganMs.set(fault, unixMs())
        await plays[fault]()
        // What was begun meanwhile has ended by then.
        await pause(slackMs)
        healedMs.set(fault, unixMs())
        await Promise.all([pause(phaseMs), house.load.answers(someAnswers, 30_000)])
        if (fault !== 'a gateway is killed') continue
        await house.replicas[0]?.start()
        await house.ready(true)
        await house.shares()
      }
      endedMs = unixMs()
      await house.load.stop()
      together = new Together(await house.load.tell())
    },
    24 * phaseMs + 120_000,
  )

  afterAll(() => house?.[Symbol.asyncDispose]())

  const from = (fault: Fault | undefined): number => (fault === undefined ? endedMs : (beganMs.get(fault) ?? endedMs))
  /** From a fault until the next one. */
  const during = (fault: Fault): Span => ({ fromMs: from(fault), toMs: from(faults[faults.indexOf(fault) + 1]) })
  const healed = (fault: Fault): Span => ({ fromMs: healedMs.get(fault) ?? 0, toMs: during(fault).toMs })
  const whileRedisWasThere = (): Span => ({ fromMs: 0, toMs: from('Redis is stopped') })

  test('nobody is cut off or refused but by the gateway that was killed', () => {
    const killedMs = from('a gateway is killed')
    const wasThere = ({ sentMs, endedMs: overMs }: SeenRequest) =>
      sentMs <= killedMs + slackMs && (overMs ?? Number.POSITIVE_INFINITY) >= killedMs
    const failures = together.failures()
    expect(together.ends(failures.filter((one) => !wasThere(one)))).toEqual({})
    expect(failures.filter(wasThere).length).toBeGreaterThan(0)
  })

  test.each(hosts)(
    '$name has never more than slots and shares, and once all is healed all slots and no more',
    (host) => {
      const { name, slots } = host
      const spans = together.atHost(name)
      expect(atOnceMax(spans)).toBeLessThanOrEqual(slots + Math.max(slots, gateways))
      expect(atOnceMax(spans, whileRedisWasThere())).toBeLessThanOrEqual(slots)
      for (const fault of faults) {
        const most = atOnceMax(spans, healed(fault))
        expect(most, fault).toBeLessThanOrEqual(slots)
        if (name.startsWith('narrow')) expect(most, `all slots are used again after: ${fault}`).toBe(slots)
      }
    },
  )

  test('a key has never more at once than its limit and shares of it, and once all is healed its limit', () => {
    const most = limits.concurrentRequests
    const spans = together.atKeys(['at-once'])
    expect(atOnceMax(spans)).toBeLessThanOrEqual(most + Math.max(most, gateways))
    expect(atOnceMax(spans, whileRedisWasThere())).toBe(most)
    for (const fault of faults) expect(atOnceMax(spans, healed(fault)), fault).toBe(most)
  })

  test.each(shares)('$words: a fault gives one burst more and no more, and takes no refill away', (share) => {
    const amounts = share.counts === 'requests' ? together.requests(share.keys) : together.tokens(share.keys)
    for (const fault of faults) {
      const more = fault === 'a gateway is killed' ? 0 : share.atOnce + gateways
      const span = during(fault)
      expect(burstOf(amounts, share.perMinute, span), fault).toBeLessThanOrEqual(share.atOnceMax + more)
      const refill = (share.perMinute * (span.toMs - span.fromMs)) / 60_000
      if (isLong) expect(sumOf(amounts, span), `of what was refilled after: ${fault}`).toBeGreaterThan(0.8 * refill)
    }
  })

  test('nothing is held any more', async () => {
    await becomesTrue(10_000, 'every host to be at rest', async () => {
      return new Together(await house.load.tell()).running.length === 0
    })
    for (const replica of house.replicas) {
      await replica.comesToRest()
      expect(replica.strayLines).toEqual([])
      const errors = replica.log.filter(({ level }) => level === 'error')
      expect(errors.filter(({ msg }) => !/^Redis is (?:gone|not there)/.test(String(msg)))).toEqual([])
    }
  })

  test('every ledger has each answer once, with the tokens that its host counted', async () => {
    const killedMs = from('a gateway is killed')
    const isExcused = ({ endedMs: overMs }: SeenRequest) =>
      overMs !== null && overMs > killedMs - unwrittenMs && overMs <= killedMs
    const problems = (rows = rowsOfAll(house.replicas)) => together.ledgerProblems(rows, isExcused)
    await becomesTrue(30_000, 'the last rows to be everywhere', async () =>
      house.replicas.every((replica) => problems(rowsOf(replica)).length === 0),
    ).catch(() => {})
    expect(problems(), 'all together').toEqual([])
    for (const replica of house.replicas) expect(problems(rowsOf(replica)), replica.name).toEqual([])
  })
})
