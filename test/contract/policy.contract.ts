/** What every balancing policy must do, whatever it goes by. */
import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  type Ask,
  type Chance,
  type Choice,
  type Place,
  type Policy,
  routingReasons,
} from '../../src/balancing/policy.ts'
import { requestClasses } from '../../src/base/request-class.ts'
import { knownHost } from '../kit/known-hosts.ts'
import { askFor, placeAt } from '../kit/places.ts'
import { SeededRandom } from '../soak/seeded-random.ts'

type PolicyOf = (chance: Chance) => Policy
type SomePlaces = [Place, ...Place[]]

/** Made once: a host holds sockets and timers, and each example wants some. */
const hosts = Array.from({ length: 8 }, (_, at) => knownHost(`host-${at}`, { weight: 1 + (at % 3) }))

/** As small as the greatest, and as great as the smallest figure that can be thought of. */
const figure = fc.oneof(
  fc.constantFrom(0, Number.MIN_VALUE, 1e-9, 1, 1e9, Number.MAX_SAFE_INTEGER, 1e300),
  fc.double({ min: 0, max: 100_000, noNaN: true }),
)
const count = fc.oneof(fc.constantFrom(0, 1, 1_000_000), fc.integer({ min: 0, max: 64 }))

const somePlace = fc.record({
  isFree: fc.boolean(),
  slotWaitMs: figure,
  loadMs: figure,
  running: count,
  inputAhead: figure,
  outputAhead: figure,
  uncachedTokens: fc.oneof(fc.constant(0), figure),
  isHome: fc.boolean(),
  speed: fc.record({
    prefillTokensPerSecond: figure,
    decodeTokensPerSecond: figure,
    slowdown: figure,
    samples: count,
  }),
})

const somePrint = fc.record({
  digests: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 5 }),
  commonCount: fc.integer({ min: 0, max: 6 }),
  owner: fc.constantFrom('ann', 'ben'),
})

const someAsk: fc.Arbitrary<Ask> = fc
  .record({
    model: fc.constantFrom('m', 'n'),
    class: fc.constantFrom(...requestClasses),
    tokens: fc.record({ input: figure, output: figure }),
    session: fc.option(fc.constantFrom('one', 'two', '')),
    print: fc.option(somePrint),
  })
  .map(({ session, print, ...ask }) => {
    const ends = print?.digests.map((_, at) => (at + 1) * 1_000) ?? []
    return { ...ask, prompt: { session, print: print === null ? null : { ...print, ends, bytes: 5_000 } } }
  })

/** Of hosts that are all different; at least one is free, as whoever asks sees to. */
const somePlaces: fc.Arbitrary<SomePlaces> = fc
  .tuple(fc.shuffledSubarray(hosts, { minLength: 1 }), fc.array(somePlace, { minLength: 8, maxLength: 8 }), fc.nat())
  .map(([some, figures, free]) =>
    some.map((host, at) => {
      const figured = figures[at] ?? {}
      return placeAt(host.name, { ...figured, host, ...(at === free % some.length && { isFree: true }) })
    }),
  )
  .filter((places): places is SomePlaces => places.length > 0)

const someSteps = fc.array(fc.tuple(someAsk, somePlaces), { minLength: 1, maxLength: 12 })

export function policyContract(name: string, policyOf: PolicyOf): void {
  describe(`the policy ${name}`, () => {
    let policy: Policy

    beforeEach(() => {
      policy = policyOf(seeded(1))
    })

    it('chooses one of the places, and one that is full only with a time for how long it is waited for', () => {
      fc.assert(
        fc.property(someSteps, (steps) => {
          for (const [ask, places] of steps) {
            const { place, waitMsMax = 0, reason } = policy.choose(ask, places)
            expect(places).toContain(place)
            expect(routingReasons).toContain(reason)
            expect(Number.isFinite(waitMsMax)).toBe(true)
            // Longer than it is expected to take, or it would give up before it can have come.
            if (!place.isFree) expect(waitMsMax).toBeGreaterThan(place.slotWaitMs)
          }
        }),
      )
    })

    it('never waits where all are free', () => {
      fc.assert(
        fc.property(someAsk, somePlaces, (ask, [first, ...others]) => {
          const free = (place: Place): Place => ({ ...place, isFree: true, slotWaitMs: 0 })
          const { place, waitMsMax = 0 } = policy.choose(ask, [free(first), ...others.map(free)])
          expect([place.isFree, waitMsMax]).toEqual([true, 0])
        }),
      )
    })

    it('has a score for each place in their order, or none at all, and each is a number whatever the figures are', () => {
      fc.assert(
        fc.property(someSteps, (steps) => {
          for (const [ask, places] of steps) {
            const { scores = places.map(() => null) } = policy.choose(ask, places)
            expect(scores).toHaveLength(places.length)
            expect(scores.filter((score) => score !== null && !Number.isFinite(score))).toEqual([])
          }
        }),
      )
    })

    it('the score that it gives a place stays with it, wherever it stands in the list', () => {
      fc.assert(
        fc.property(someAsk, somePlaces, (ask, places) => {
          const [first, ...others] = places.toReversed()
          const there = scoresByHost(policyOf(seeded(1)).choose(ask, places), places)
          const back = scoresByHost(policyOf(seeded(1)).choose(ask, [first!, ...others]), places.toReversed())
          const both = [...there].filter(([host, score]) => score !== null && back.get(host) !== null)
          expect(both.map(([host]) => back.get(host))).toEqual(both.map(([, score]) => score))
        }),
      )
    })

    it('leaves what it is given as it is', () => {
      fc.assert(
        fc.property(someSteps, (steps) => {
          for (const [ask, places] of steps) {
            const frozen = places.map((place) => Object.freeze({ ...place, speed: Object.freeze(place.speed) }))
            const [first, ...others] = frozen
            expect(() => policy.choose(Object.freeze(ask), Object.freeze([first!, ...others] as const))).not.toThrow()
          }
        }),
      )
    })

    it('decides the same again where chance is the same', () => {
      fc.assert(
        fc.property(someSteps, fc.nat(), (steps, seed) => {
          const told = (): readonly Choice[] => {
            const one = policyOf(seeded(seed))
            return steps.map(([ask, places]) => one.choose(ask, places))
          }
          expect(told()).toEqual(told())
        }),
      )
    })

    it('takes the one place that there is, for any request', () => {
      const only = placeAt('only')
      for (const session of [null, 'one']) {
        expect(policy.choose(askFor({ prompt: { session, print: null } }), [only]).place).toBe(only)
      }
    })

    it('takes the one that is free where the others are full and have nothing to wait for', () => {
      const places = hosts.map((host, at) => placeAt(host.name, { host, isFree: at === 3, slotWaitMs: 5_000 }))
      const [first, ...others] = places
      for (let time = 0; time < 20; time++) expect(policy.choose(askFor(), [first!, ...others]).place).toBe(places[3])
    })

    it('spreads what comes over hosts that are alike: each gets its part, whichever stands first in the list', () => {
      const alike = Array.from({ length: 4 }, (_, at) => placeAt(`alike-${at}`))
      const times = new Map(alike.map(({ host }) => [host.name, 0]))
      const asked = 2_000
      for (let at = 0; at < asked; at++) {
        const [first, ...others] = alike
        // A conversation each, since a policy may go by them.
        const { place } = policy.choose(askFor({ prompt: { session: `session ${at}`, print: null } }), [
          first!,
          ...others,
        ])
        times.set(place.host.name, (times.get(place.host.name) ?? 0) + 1)
      }
      const share = asked / alike.length
      for (const [host, got] of times) expect(Math.abs(got - share), host).toBeLessThan(0.2 * share)
    })
  })
}

function scoresByHost({ scores }: Choice, places: readonly Place[]): Map<string, number | null> {
  return new Map(places.map(({ host }, at) => [host.name, scores?.[at] ?? null]))
}

function seeded(seed: number): Chance {
  const random = new SeededRandom(seed)
  return () => random.next()
}
