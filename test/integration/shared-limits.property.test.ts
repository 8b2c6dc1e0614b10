/** What Redis decides over the limits of all gateways is what one gateway alone would decide, request by request. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Obstacle } from '../../src/access/account.ts'
import type { Subject } from '../../src/access/limiter.ts'
import type { LimitLeft } from '../../src/access/limits-left.ts'
import { Reservation } from '../../src/access/reservation.ts'
import type { RedisLink } from '../../src/stores/redis/link.ts'
import { hasRedis, type RedisServer, startRedis } from '../kit/redis.ts'
import { startedLink } from './redis-link-scene.ts'
import { beginEpoch, loneLimiter, SetClock, type SharedGateway, setTime, sharedGateway } from './shared-limits-scene.ts'

const isLong = process.env['TEST_LONG'] === 'true'

interface Asked {
  /** Of the gateways. */
  readonly at?: number
  readonly key: number
  readonly input: number
  readonly output: number
  readonly patienceMs: number
}

type Step =
  | (Asked & { readonly kind: 'ask' })
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'topUp'; readonly which: number; readonly by: number }
  | { readonly kind: 'settle'; readonly which: number; readonly share: number; readonly blameless: boolean }
  | { readonly kind: 'limits'; readonly key: number; readonly tokens: number }

const amount = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 3_000 }))

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      at: fc.nat(2),
      key: fc.nat(2),
      input: amount,
      output: amount,
      patienceMs: fc.constantFrom(0, 2_000, 60_000),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.oneof(fc.nat(400), fc.nat(9_000), fc.nat(100_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('topUp' as const), which: fc.nat(50), by: fc.nat(2_000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      which: fc.nat(50),
      share: fc.double({ min: 0, max: 1.5, noNaN: true }),
      blameless: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('limits' as const),
      key: fc.nat(2),
      tokens: fc.integer({ min: 1, max: 9_000 }),
    }),
  },
)

const teams = { team: { tokensPerMinute: 9_000, requestsPerMinute: 40, concurrentRequests: 9 } }

interface Running {
  readonly at: SharedGateway
  readonly lone: Reservation
  readonly shared: Reservation
  readonly input: number
  readonly output: number
}

/** How many run elsewhere is known only to the one that asked. */
const remaining = (left: readonly LimitLeft[]) =>
  left.filter(({ limit }) => limit !== 'concurrentRequests').map(({ limit, remaining: rest }) => [limit, rest])

const seen = (answer: Reservation | Obstacle) =>
  answer instanceof Reservation
    ? 'admitted'
    : { limit: answer.limit, most: answer.most, cost: answer.cost, waitMs: answer.waitMs, of: answer.owner.kind }

describe.skipIf(!hasRedis)('the script of limits', () => {
  let redis: RedisServer
  let link: RedisLink

  beforeAll(async () => {
    redis = await startRedis()
  })

  afterAll(() => redis?.close())

  test.each([1, 3])(
    '%i on Redis admit, refuse and tell as one that stands alone',
    async (many) => {
      const ids = ['a', 'b', 'c'].slice(0, many)
      link = (await startedLink({ url: redis.url })).link
      await fc.assert(
        fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 60, size: 'max' }), async (all) => {
          await link.command(['FLUSHALL'])
          await beginEpoch(link, ids)
          const clock = new SetClock()
          await setTime(link, clock.ms)
          const gateways = ids.map((id) => sharedGateway(id, { link, clock, teams }))
          const lone = loneLimiter(clock, teams)
          const subjects = [0, 1, 2].map(subjectOf)
          const running: Running[] = []
          for (const step of all) {
            await taken(step)
            for (const { failures } of gateways) expect(failures).toEqual([])
            // Of several, each knows what it was told when it asked.
            if (many > 1) continue
            for (const subject of subjects)
              expect(gateways[0]?.limiter.left(subject)).toEqual(lone.limiter.left(subject))
          }

          async function asked({ key, input, output, patienceMs, at = 0 }: Asked): Promise<void> {
            const subject = subjects[key]
            const shared = gateways[at % many]
            if (subject === undefined || shared === undefined) return
            const cost = { requests: 1, input, output }
            const ours = await shared.ask(subject, cost, { patienceMs })
            const theirs = lone.ask(subject, cost, { patienceMs })
            expect(seen(ours)).toEqual(seen(theirs))
            await shared.settled()
            expect(remaining(shared.limiter.left(subject))).toEqual(remaining(lone.limiter.left(subject)))
            if (ours instanceof Reservation && theirs instanceof Reservation) {
              running.push({ at: shared, shared: ours, lone: theirs, input, output })
            }
          }

          async function taken(step: Step): Promise<void> {
            if (step.kind === 'pass') {
              clock.ms += step.ms
              await setTime(link, clock.ms)
            } else if (step.kind === 'limits') {
              const subject = subjects[step.key]
              if (subject?.keyId == null) return
              subjects[step.key] = { ...subject, limits: { ...subject.limits, tokensPerMinute: step.tokens } }
              // Each gateway hears of it; Redis does with the next request, and one that stands alone looks at it at once.
              for (const { limiter } of gateways) limiter.left(subjects[step.key] ?? subject)
              await asked({ key: step.key, input: 1, output: 0, patienceMs: 0 })
            } else if (step.kind === 'ask') await asked(step)
            else await goneOn(step)
          }

          async function goneOn(step: Step & { readonly kind: 'topUp' | 'settle' }): Promise<void> {
            const at = step.which % Math.max(1, running.length)
            const one = running[at]
            if (one === undefined) return
            for (const reservation of [one.shared, one.lone]) {
              if (step.kind === 'topUp') reservation.topUp(one.output + step.by)
              else {
                const of = (tokens: number) => Math.round(tokens * step.share)
                const used = { input: of(one.input), output: of(one.output), cachedInput: 0, reasoning: 0 }
                reservation.settle(step.share === 0 ? null : used, step.blameless)
              }
            }
            if (step.kind === 'settle') running.splice(at, 1)
            await one.at.settled()
          }
        }),
        { numRuns: isLong ? 3_000 : 100 },
      )
    },
    600_000,
  )
})

function subjectOf(n: number): Subject {
  const limits = [
    { tokensPerMinute: 4_000, requestsPerMinute: 7, concurrentRequests: 4 },
    { tokensPerMinute: 2_500, outputTokensPerMinute: 900, tokensPerDay: 9_000 },
    { requestsPerMinute: 3, inputTokensPerMinute: 3_000, requestsPerDay: 30, tokensPerMonth: 40_000 },
  ][n]
  return { keyId: `KEY${n}`, name: `key-${n}`, team: 'team', limits: limits ?? {} }
}
