/** What metrics are told of limits: each request once, by what kept it away. */
import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import type { RequestClass } from '../../../src/base/request-class.ts'
import { type Asked, accessScene } from './access-scene.ts'
import { used } from './limiter-parts.ts'
import { sampleKey } from './sample-key.ts'

/** One a second, after 15 at once; with ten tokens for each answer those leave room for more. */
const ci = sampleKey({ name: 'ci', limits: { requestsPerMinute: 60, tokensPerMinute: 1_200 } })

function usedUp(parts: Parameters<typeof accessScene>[0] = {}) {
  const scene = accessScene(parts)
  scene.give(ci.record)
  for (let i = 0; i < 15; i++) scene.ask(ci, { maxOutputTokens: 10 })
  expect(scene.told.decisions).toEqual(Array.from({ length: 15 }, () => 'ci  allow'))
  scene.told.decisions.length = 0
  return scene
}

describe('a request that asks', () => {
  it('and fits is allowed, by no limit, and waited for nothing', () => {
    const { ask, told } = accessScene()
    ask('192.0.2.7')
    expect(told).toMatchObject({ decisions: ['anonymous  allow'], waits: [] })
  })

  it('and fits a little later is told of once it is admitted, with its class and its wait', () => {
    const { clock, ask, told } = usedUp()
    const one = ask(ci, { class: 'interactive' })
    clock.advanceSync(999)
    expect([one.state, told.decisions, told.waits]).toEqual(['waiting', [], []])
    clock.advanceSync(1)
    expect([one.state, told.decisions, told.waits]).toEqual([
      'admitted',
      ['ci requestsPerMinute queue'],
      ['interactive admitted 1000'],
    ])
  })

  it.each([
    ['its patience', { patienceMs: 999 }, {}, 'rate_limit_exceeded'],
    ['the length of its line', {}, { waitingMax: 0 }, 'concurrency_limit_exceeded'],
    ['all that may wait', {}, { hasRoom: () => false }, 'queue_full'],
    ['a gateway where nobody may wait', {}, { mayWait: () => false }, 'rate_limit_exceeded'],
  ])('and does not fit %s is refused at once by the limit in its way', (_what, asking, parts, code) => {
    const { ask, told } = usedUp(parts)
    expect(ask(ci, asking).error?.code).toBe(code)
    expect(told).toMatchObject({ decisions: ['ci requestsPerMinute reject'], waits: [] })
  })

  it('and would be one too many at once is refused by that limit', () => {
    const busy = sampleKey({ name: 'busy', limits: { concurrentRequests: 1, requestsPerMinute: 60 } })
    const { give, ask, told } = accessScene()
    give(busy.record)
    ask(busy)
    ask(busy)
    expect(told.decisions).toEqual(['busy  allow', 'busy concurrentRequests reject'])
  })

  it('and could wait for another limit, but would be one too many at once, is refused by the latter', () => {
    const busy = sampleKey({ name: 'busy', limits: { concurrentRequests: 4, requestsPerMinute: 4 } })
    const { give, ask, told } = accessScene()
    give(busy.record)
    for (let i = 0; i < 5; i++) ask(busy)
    expect(told.decisions.at(-1)).toBe('busy concurrentRequests reject')
  })

  it('and is refused when its patience ends has waited, and was refused, once', () => {
    const { clock, access, ask, told } = usedUp()
    const one = ask(ci, { patienceMs: 1_000 })
    // Its administrator takes from it what it waits for.
    access.apply({ keys: [{ ...ci.record, limits: { requestsPerMinute: 1 }, revision: 2 }], keysEverCreated: true })
    clock.advanceSync(1_000)
    expect(one.state).toBe('refused')
    expect(told).toMatchObject({ decisions: ['ci requestsPerMinute reject'], waits: ['default refused 1000'] })
  })

  it('and leaves while it waits is told of as one that left, and by no decision, then or later', () => {
    const { clock, ask, told } = usedUp()
    const one = ask(ci, { class: 'bulk' })
    clock.advanceSync(400)
    one.leave()
    one.leave()
    clock.advanceSync(60_000)
    expect(told).toMatchObject({ decisions: [], waits: ['bulk left 400'] })
  })

  it('and was admitted has not left when it ends', () => {
    const { ask, told } = accessScene()
    ask('192.0.2.7').leave()
    expect(told).toMatchObject({ decisions: ['anonymous  allow'], waits: [] })
  })
})

describe('the limit that is told', () => {
  it('is the one that wanted it to wait for longest, not the last that it met', () => {
    const { clock, access, ask, told } = usedUp()
    // As a request it fits in a second, by its tokens a little later.
    const large = ask(ci, { maxOutputTokens: 1_000 })
    clock.advanceSync(500)
    access.apply({ keys: [{ ...ci.record, limits: { requestsPerMinute: 60 }, revision: 2 }], keysEverCreated: true })
    clock.advanceSync(499)
    expect(large.state).toBe('waiting')
    clock.advanceSync(1)
    expect(large.state).toBe('admitted')
    expect(told.decisions).toEqual(['ci tokensPerMinute queue'])
  })

  it('behind others of its key is what keeps those away', () => {
    const { clock, ask, told } = usedUp()
    ask(ci)
    ask(ci)
    clock.advanceSync(2_000)
    expect(told.decisions).toEqual(['ci requestsPerMinute queue', 'ci requestsPerMinute queue'])
    expect(told.waits).toEqual(['default admitted 1000', 'default admitted 2000'])
  })

  it('may be the team’s, and counts for the key that met it', () => {
    const [a, b] = ['a', 'b'].map((name) => sampleKey({ name, team: 'red' }))
    const { give, ask, told } = accessScene({ teams: { red: { requestsPerDay: 1 } } })
    give(a!.record, b!.record)
    ask(a!)
    ask(b!)
    expect(told.decisions).toEqual(['a  allow', 'b requestsPerDay reject'])
  })
})

describe('a reservation', () => {
  it('is held against what a host reported: all tokens of prompt and answer, by those reserved at first', () => {
    const { ask, told, access } = accessScene({ options: { default: { tokensPerMinute: 6_000 } } })
    const one = ask('192.0.2.7', { maxOutputTokens: 100 })
    const reserved = 6_000 * 0.25 - left(access, 'tokensPerMinute') * 6_000 * 0.25
    one.settle(used(60, 90, 50))
    expect(told.settled).toEqual([['m', expect.closeTo(150 / reserved, 9)]])
  })

  it('of a request that no host reported on says nothing', () => {
    const { ask, told } = accessScene()
    ask('192.0.2.7').settle(null)
    ask('192.0.2.7').settle(used(1, 1), false)
    expect(told.settled).toEqual([])
  })
})

function left(access: ReturnType<typeof accessScene>['access'], limit: string): number {
  return [...access.limitRests()].find((one) => one.limit === limit)?.share ?? Number.NaN
}

type Step =
  | { readonly kind: 'ask'; readonly who: number; readonly class: RequestClass; readonly patienceMs: number }
  | { readonly kind: 'leave' | 'settle'; readonly which: number }
  | { readonly kind: 'pass'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      who: fc.nat(2),
      class: fc.constantFrom<RequestClass>('interactive', 'default', 'bulk'),
      patienceMs: fc.nat(40_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('leave', 'settle'), which: fc.nat(1_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(8_000) }) },
)

/** Two keys of a team and a client without one, each with a few requests a minute. */
function played(steps: readonly Step[]) {
  const limits = { requestsPerMinute: 4, concurrentRequests: 6 }
  const keys = ['a', 'b'].map((name) => sampleKey({ name, team: 'red', limits }))
  const options = { default: { requestsPerMinute: 4 } }
  const scene = accessScene({ options, teams: { red: { requestsPerMinute: 7 } }, waitingMax: 3 })
  scene.give(...keys.map(({ record }) => record))
  const asked: Asked[] = []
  const one = (state: Asked['state'], which: number) => {
    const some = asked.filter((any) => any.state === state)
    return some[which % Math.max(1, some.length)]
  }
  for (const taken of steps) {
    if (taken.kind === 'pass') scene.clock.advanceSync(taken.ms)
    else if (taken.kind === 'ask') asked.push(scene.ask(keys[taken.who] ?? '192.0.2.1', taken))
    else if (taken.kind === 'leave') one('waiting', taken.which)?.leave()
    else one('admitted', taken.which)?.settle(null)
  }
  scene.clock.advanceSync(100_000)
  return { asked, told: scene.told }
}

test('whatever comes and goes, each that asked has one decision unless it left, and each that waited one end of it', () => {
  let waits = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 100, size: 'max' }), (steps) => {
      const { asked, told } = played(steps)
      const count = (state: Asked['state']) => asked.filter((one) => one.state === state).length
      const ended = (outcome: string) => told.waits.filter((one) => one.split(' ')[1] === outcome).length
      const decided = (decision: string) => told.decisions.filter((one) => one.endsWith(` ${decision}`)).length
      expect(told.decisions).toHaveLength(asked.length - count('left'))
      expect(decided('reject')).toBe(count('refused'))
      expect(decided('allow') + decided('queue')).toBe(count('admitted'))
      expect(ended('admitted')).toBe(decided('queue'))
      expect(ended('left')).toBe(count('left'))
      expect(ended('refused')).toBeLessThanOrEqual(count('refused'))
      waits += told.waits.length
    }),
  )
  expect(waits).toBeGreaterThan(100)
})
