/** What each of the plain policies goes by; what all must do is a contract of its own. */
import { describe, expect, it } from 'vitest'
import { leastBusy } from '../../../src/balancing/least-busy.ts'
import { lmetric } from '../../../src/balancing/lmetric.ts'
import type { Ask, Place, Policy } from '../../../src/balancing/policy.ts'
import { randomTwo } from '../../../src/balancing/random-two.ts'
import { roundRobin } from '../../../src/balancing/round-robin.ts'
import { sticky } from '../../../src/balancing/sticky.ts'
import { weighted } from '../../../src/balancing/weighted.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor, placeAt } from '../../kit/places.ts'

const middle = (): number => 0.5
const names = ['a', 'b', 'c', 'd'] as const
const hosts = Object.fromEntries(names.map((name, at) => [name, knownHost(name, { weight: at + 1 })]))

const at = (name: string, more: Partial<Place> = {}): Place => placeAt(name, { host: hosts[name]!, ...more })

function went(policy: Policy, places: readonly Place[], ask: Partial<Ask> = {}): string {
  const [first, ...others] = places
  return policy.choose(askFor(ask), [first!, ...others]).place.host.name
}

function times<Item>(count: number, each: (at: number) => Item): Item[] {
  return Array.from({ length: count }, (_, index) => each(index))
}

describe('least-busy', () => {
  it('takes the host with the fewest requests', () => {
    expect(went(leastBusy(middle), [at('a', { running: 3 }), at('b', { running: 1 }), at('c', { running: 2 })])).toBe(
      'b',
    )
  })

  it.each([
    [0, 'c'],
    [0.999, 'a'],
  ])('picks by chance among those that are as busy (%d: %s)', (chance, name) => {
    expect(
      went(
        leastBusy(() => chance),
        [at('a'), at('b'), at('c')],
      ),
    ).toBe(name)
  })
})

describe('lmetric', () => {
  it('weighs what is to be read against how many share the host', () => {
    const [warm, cold] = [{ uncachedTokens: 300 }, { uncachedTokens: 1_000 }]
    expect(went(lmetric(middle), [at('a', { ...warm, running: 2 }), at('b', cold)])).toBe('a')
    expect(went(lmetric(middle), [at('a', { ...warm, running: 3 }), at('b', cold)])).toBe('b')
  })

  it('has no regard for speed, which a busy host has told already', () => {
    const fast = { prefillTokensPerSecond: 9_000, decodeTokensPerSecond: 200, slowdown: 0, samples: 100 }
    expect(went(lmetric(middle), [at('a', { running: 1, speed: fast }), at('b')])).toBe('b')
  })

  it('a prompt that is kept whole does not go to a host however busy it is', () => {
    expect(went(lmetric(middle), [at('a', { uncachedTokens: 0, running: 8 }), at('b', { uncachedTokens: 0 })])).toBe(
      'b',
    )
  })
})

describe('random-two', () => {
  it('takes the less busy of two that are drawn, and looks at no other', () => {
    const draws = [0.3, 0.9]
    const policy = randomTwo(() => draws.shift() ?? 0.5)
    const places = [at('a'), at('b', { running: 5 }), at('c'), at('d', { running: 4 })] as const
    const { place, scores } = policy.choose(askFor(), places)
    expect([place.host.name, scores]).toEqual(['d', [null, 5, null, 4]])
  })

  it('draws each pair as often as any other', () => {
    const counts = new Map<string, number>()
    const policy = randomTwo(Math.random)
    const places = [at('a'), at('b'), at('c'), at('d')] as const
    for (let time = 0; time < 6_000; time++) {
      const { scores = [] } = policy.choose(askFor(), places)
      const pair = scores.map((score) => (score === null ? '-' : 'x')).join('')
      counts.set(pair, (counts.get(pair) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    for (const [pair, count] of counts) expect(Math.abs(count - 1_000), pair).toBeLessThan(200)
  })
})

describe('round-robin', () => {
  it('gives each host its turn, for each model apart', () => {
    const policy = roundRobin(middle)
    const places = [at('a'), at('b'), at('c')]
    const both = times(12, (turn) => [
      went(policy, places),
      turn % 2 === 0 ? went(policy, places, { model: 'n' }) : null,
    ])
    const [m, n] = [both.map(([one]) => one), both.flatMap(([, other]) => other ?? [])]
    for (const turns of [m, n]) {
      expect(new Set(turns.slice(0, 3)).size).toBe(3)
      expect(turns.slice(3)).toEqual(turns.slice(0, -3))
    }
  })

  it('stays fair when a host comes, goes, or is full for a while', () => {
    const policy = roundRobin(Math.random)
    times(7, () => went(policy, [at('a'), at('b'), at('c')]))
    times(5, () => went(policy, [at('a'), at('c', { isFree: false }), at('b')]))
    const back = times(9, () => went(policy, [at('d'), at('c'), at('a'), at('b')].slice(1)))
    for (const name of ['a', 'b', 'c']) expect(back.filter((one) => one === name)).toHaveLength(3)
    // A newcomer gets a turn like any other, and not all those that it was not there for.
    const withNew = times(8, () => went(policy, [at('a'), at('b'), at('c'), at('d')]))
    expect(withNew.filter((one) => one === 'd')).toHaveLength(2)
  })
})

describe('weighted', () => {
  it('gives each host its share, spread evenly', () => {
    const policy = weighted(Math.random)
    const places = names.map((name) => at(name))
    const turns = times(1_000, () => went(policy, places))
    expect(names.map((name) => turns.filter((one) => one === name).length)).toEqual([100, 200, 300, 400])
    // In any ten turns in a row each host has its own, give or take one.
    for (let from = 0; from + 10 <= turns.length; from++) {
      const four = turns.slice(from, from + 10).filter((one) => one === 'd').length
      expect(Math.abs(four - 4)).toBeLessThanOrEqual(1)
    }
  })

  it('shares among those that have a slot, and owes nothing for long to the one that had none', () => {
    const policy = weighted(Math.random)
    times(500, () => went(policy, [at('a'), at('b'), at('d', { isFree: false })]))
    const turns = times(70, () => went(policy, [at('a'), at('b'), at('d')]))
    expect(Math.abs(turns.filter((one) => one === 'd').length - 40)).toBeLessThanOrEqual(2)
  })
})

describe('sticky', () => {
  const bySession = (session: string): Partial<Ask> => ({ prompt: { session, print: null } })
  const byPrint = (digests: readonly number[], commonCount: number): Partial<Ask> => ({
    prompt: {
      session: null,
      print: { digests, ends: digests.map((_, end) => (end + 1) * 1_000), bytes: 9_000, commonCount, owner: 'ann' },
    },
  })
  const all = names.map((name) => at(name))

  it('keeps a session on its host, however busy that is and however the list is ordered', () => {
    const policy = sticky(Math.random)
    const first = went(policy, all, bySession('s'))
    const busy = all.map((place) => (place.host.name === first ? { ...place, running: 7 } : place))
    expect(times(10, () => went(policy, busy.toReversed(), bySession('s')))).toEqual(times(10, () => first))
  })

  it('knows a conversation by where it goes beyond what all have in common', () => {
    const policy = sticky(Math.random)
    const hostsOf = (prompts: readonly Partial<Ask>[]): Set<string> =>
      new Set(prompts.map((ask) => went(policy, all, ask)))
    expect(hostsOf(times(10, (turn) => byPrint([1, 2, 77, ...times(turn, (more) => 100 + more)], 2))).size).toBe(1)
    // The beginning is the same for all of these, and each is another conversation.
    expect(hostsOf(times(100, (each) => byPrint([1, 2, 1_000 + each], 2)))).toEqual(new Set(names))
    // Nothing but what is common: that tells nothing.
    expect(hostsOf(times(100, () => byPrint([1, 2], 2)))).toEqual(new Set(names))
  })

  it('moves only those of a host that goes, and gives them back to it', () => {
    const policy = sticky(Math.random)
    const sessions = times(400, (each) => `session ${each}`)
    const before = sessions.map((session) => went(policy, all, bySession(session)))
    const without = sessions.map((session) => went(policy, all.slice(1), bySession(session)))
    const moved = sessions.filter((_, each) => before[each] !== without[each])
    expect(moved).toEqual(sessions.filter((_, each) => before[each] === 'a'))
    expect(new Set(without)).toEqual(new Set(['b', 'c', 'd']))
    expect(sessions.map((session) => went(policy, all, bySession(session)))).toEqual(before)
  })

  it('goes to the next host of the conversation while its own is full, the same one each time', () => {
    const policy = sticky(Math.random)
    const own = went(policy, all, bySession('s'))
    const full = all.map((place) => (place.host.name === own ? { ...place, isFree: false, slotWaitMs: 1 } : place))
    const next = new Set(times(20, () => went(policy, full, bySession('s'))))
    expect(next.size).toBe(1)
    expect(next).not.toContain(own)
  })
})
