/** The default policy: what it reckons, when it waits for a host that is full, and what decides among equals. */
import { describe, expect, it } from 'vitest'
import { fastest } from '../../../src/balancing/fastest.ts'
import type { Ask, Choice, Place } from '../../../src/balancing/policy.ts'
import type { Speed } from '../../../src/balancing/speed.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { askFor, placeAt } from '../../kit/places.ts'

const speed: Speed = { prefillTokensPerSecond: 1_000, decodeTokensPerSecond: 50, slowdown: 0.5, samples: 100 }
const half: Speed = { ...speed, prefillTokensPerSecond: 500, decodeTokensPerSecond: 25 }

/** The same hosts each time, or what was learned of them would be of others. */
const hosts = new Map(['a', 'b', 'c'].map((name) => [name, knownHost(name)]))

function at(name: string, more: Partial<Place> = {}): Place {
  return placeAt(name, { host: hosts.get(name)!, speed, ...more })
}

function choose(places: readonly Place[], ask: Partial<Ask> = {}, policy = fastest(() => 0.5)): Choice {
  const [first, ...others] = places
  return policy.choose(askFor(ask), [first!, ...others])
}

/** How many of so many requests, one after the other, each was given. */
function wentTo(count: number, places: readonly Place[], ask: Partial<Ask> = {}): { a: number; b: number } {
  const policy = fastest(() => 0.5)
  const went = Array.from({ length: count }, () => choose(places, ask, policy).place.host.name)
  return { a: went.filter((name) => name === 'a').length, b: went.filter((name) => name === 'b').length }
}

const score = (place: Place, ask: Partial<Ask> = {}): number | null | undefined => choose([place], ask).scores?.[0]

describe('what it reckons, in ms', () => {
  it('reading the prompt, and a third of the answer; all of it for bulk, which waits for its end', () => {
    const ask = { tokens: { input: 1_000, output: 300 } }
    expect(score(at('a'), ask)).toBeCloseTo(1_000 + 0.3 * 6_000)
    expect(score(at('a'), { ...ask, class: 'interactive' })).toBeCloseTo(1_000 + 0.3 * 6_000)
    expect(score(at('a'), { ...ask, class: 'bulk' })).toBeCloseTo(1_000 + 6_000)
  })

  it('prompts that are read before it, answers that share its steps, and what these lose by it', () => {
    const busy = at('a', { running: 1, inputAhead: 2_000, outputAhead: 100, uncachedTokens: 500 })
    // Two of them take 1.5 of a step of 20 ms: the one there loses 10 ms a token.
    expect(score(busy, { tokens: { input: 1_000, output: 300 } })).toBeCloseTo(2_000 + 500 + 0.3 * 9_000 + 0.3 * 1_000)
  })

  it('a slot that is not free yet and a model that is not loaded; a host reads what is ahead while one waits for it', () => {
    const ask = { tokens: { input: 1_000, output: 0 } }
    const full = { isFree: false, running: 2, inputAhead: 500 }
    expect(score(at('a', { ...full, slotWaitMs: 3_000 }), ask)).toBeCloseTo(3_000 + 1_000)
    expect(score(at('a', { ...full, slotWaitMs: 100 }), ask)).toBeCloseTo(500 + 1_000)
    expect(score(at('a', { loadMs: 24_000 }), ask)).toBeCloseTo(24_000 + 1_000)
  })
})

describe('where it goes', () => {
  it('to the faster host, until that has so much more to do', () => {
    expect(choose([at('a'), at('b', { speed: half })]).place.host.name).toBe('a')
    expect(choose([at('a', { running: 4, inputAhead: 6_000 }), at('b', { speed: half })]).place.host.name).toBe('b')
  })

  it('a long prompt to the host that reads faster, a long answer to the one that generates faster', () => {
    const reads = at('a', { speed: { ...speed, prefillTokensPerSecond: 4_000, decodeTokensPerSecond: 25 } })
    const generates = at('b')
    const long = { uncachedTokens: 8_000 }
    const prompt = choose(
      [
        { ...reads, ...long },
        { ...generates, ...long },
      ],
      { tokens: { input: 8_000, output: 100 } },
    )
    expect(prompt.place.host.name).toBe('a')
    const brief = { uncachedTokens: 100 }
    const answer = choose(
      [
        { ...reads, ...brief },
        { ...generates, ...brief },
      ],
      { tokens: { input: 100, output: 2_000 } },
    )
    expect(answer.place.host.name).toBe('b')
  })

  it('back to where the conversation was, and says so only where that decided', () => {
    const ask = { tokens: { input: 4_000, output: 100 } }
    const home = { uncachedTokens: 200, isHome: true }
    const cold = { uncachedTokens: 4_000 }
    expect(choose([at('a', cold), at('b', { ...home, speed: half })], ask)).toMatchObject({
      place: { host: { name: 'b' } },
      reason: 'prefix',
    })
    // It would have been chosen in any case.
    expect(choose([at('a', { ...cold, inputAhead: 9_000 }), at('b', home)], ask)).toMatchObject({
      place: { host: { name: 'b' } },
      reason: 'fastest',
    })
    // The prefix gives way where there is too much to do.
    expect(choose([at('a', cold), at('b', { ...home, running: 1, inputAhead: 4_500 })], ask)).toMatchObject({
      place: { host: { name: 'a' } },
      reason: 'fastest',
    })
  })
})

describe('waiting for a host that is full', () => {
  const ask = { tokens: { input: 10_000, output: 100 } }
  const free = at('a', { uncachedTokens: 10_000 })
  const home = { isFree: false, running: 2, uncachedTokens: 500, isHome: true }

  it('where the conversation was before, while that costs less than reading it again, and no longer', () => {
    const choice = choose([free, at('b', { ...home, slotWaitMs: 4_000 })], ask)
    expect(choice).toMatchObject({ place: { host: { name: 'b' } }, reason: 'prefix' })
    // 9.5 s of reading are saved, and of the answer some is lost beside another one.
    expect(choice.waitMsMax).toBeCloseTo(9_500 - 0.3 * 100 * 10)
  })

  it('takes the slot that is there when the wait is as long as what it saves', () => {
    for (const slotWaitMs of [9_300, 60_000]) {
      expect(choose([free, at('b', { ...home, slotWaitMs })], ask).place.host.name).toBe('a')
    }
  })

  it('never for a host that is only faster', () => {
    const slow = at('a', { speed: { ...speed, prefillTokensPerSecond: 50 } })
    expect(choose([slow, at('b', { ...home, isHome: false, slotWaitMs: 10 })], ask).place.host.name).toBe('a')
  })

  it('for the one of several where it is done first', () => {
    const places = [free, at('b', { ...home, slotWaitMs: 4_000 }), at('c', { ...home, slotWaitMs: 2_000 })]
    expect(choose(places, ask).place.host.name).toBe('c')
  })
})

describe('among those that are as good', () => {
  it('cold ones go round, so that what the hosts have kept grows evenly, though their speeds differ by a little', () => {
    const policy = fastest(Math.random)
    const nearly = { ...speed, prefillTokensPerSecond: 1_030 }
    const went = Array.from(
      { length: 6 },
      () => choose([at('a'), at('b', { speed: nearly })], {}, policy).place.host.name,
    )
    expect(went.slice(2)).toEqual(went.slice(0, -2))
    expect(new Set(went)).toEqual(new Set(['a', 'b']))
  })

  it('work is shared evenly, and not only turns, when long and short requests alternate', () => {
    const policy = fastest(() => 0.5)
    const given = new Map([
      ['a', 0],
      ['b', 0],
    ])
    for (let turn = 0; turn < 1_000; turn++) {
      const output = turn % 2 === 0 ? 300 : 200
      const { name } = choose([at('a'), at('b')], { tokens: { input: 1_000, output } }, policy).place.host
      given.set(name, given.get(name)! + output)
    }
    const [a, b] = [given.get('a')!, given.get('b')!]
    expect(Math.abs(a - b)).toBeLessThanOrEqual(0.02 * Math.max(a, b))
  })

  it('a difference that nobody feels is none, and none that the few answers behind a speed may have made', () => {
    const short = { tokens: { input: 20, output: 0 } }
    const [quick, quicker] = [
      { uncachedTokens: 20, speed: { ...speed, prefillTokensPerSecond: 1_000 } },
      { uncachedTokens: 20, speed: { ...speed, prefillTokensPerSecond: 4_000 } },
    ]
    const long = { tokens: { input: 1_000, output: 0 } }
    const learned = (samples: number, prefillTokensPerSecond: number) => ({
      speed: { ...speed, samples, prefillTokensPerSecond },
    })
    expect(wentTo(10, [at('a', quick), at('b', quicker)], short)).toEqual({ a: 5, b: 5 })
    expect(wentTo(8, [at('a', learned(10, 1_000)), at('b', learned(10, 1_150))], long)).toEqual({ a: 4, b: 4 })
    expect(wentTo(8, [at('a', learned(1_000, 1_000)), at('b', learned(1_000, 1_150))], long)).toEqual({ a: 0, b: 8 })
  })

  it('one that is not far behind has a try now and then, or what made it look slower could never be put right', () => {
    const behind = at('a', { speed: { ...speed, prefillTokensPerSecond: 800, decodeTokensPerSecond: 40 } })
    expect(wentTo(90, [behind, at('b')])).toEqual({ a: 10, b: 80 })
    const far = at('a', { speed: half })
    expect(wentTo(90, [far, at('b')])).toEqual({ a: 0, b: 90 })
  })

  it('the one that has kept more of the conversation', () => {
    const ask = { tokens: { input: 1_000, output: 2_000 } }
    const [more, less] = [
      { isHome: true, uncachedTokens: 100 },
      { isHome: true, uncachedTokens: 200 },
    ]
    for (const places of [
      [at('a', more), at('b', less)],
      [at('b', less), at('a', more)],
    ])
      expect(choose(places, ask)).toMatchObject({ place: { host: { name: 'a' } }, reason: 'prefix' })
  })

  it('the one where a conversation with this name was last, of which nothing else is known', () => {
    for (const name of ['a', 'b', 'a']) {
      const places = [at('a', { lastHere: name === 'a' }), at('b', { lastHere: name === 'b' })]
      expect(choose(places)).toMatchObject({ place: { host: { name } }, reason: 'session' })
    }
  })
})
