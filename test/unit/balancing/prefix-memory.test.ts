/** Which host has read what: found, forgotten, bounded, and held against what hosts say. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { doubtHalvesMs, ownersMax } from '../../../src/balancing/cache-worth.ts'
import { keptMsMax, PrefixMemory } from '../../../src/balancing/prefix-memory.ts'
import type { PromptPrint } from '../../../src/balancing/prompt.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

const [a, b] = [knownHost('a'), knownHost('b')]

/** Digests of each beginning of the words, as a chain makes them; the first `commonCount` are common. */
function printOf(words: string, commonCount = 0, owner = 'ann'): PromptPrint {
  const digests: number[] = []
  let digest = 7
  for (const word of words) {
    digest = (digest * 31 + word.charCodeAt(0)) % Number.MAX_SAFE_INTEGER
    digests.push(digest)
  }
  const ends = digests.map((_, at) => 100 * (at + 1))
  return { digests, ends, bytes: 100 * digests.length, commonCount, owner }
}

function remembering(perHostMax = 1_000) {
  const clock = new FakeClock()
  const memory = new PrefixMemory(perHostMax, clock)
  const matched = (words: string, host: Host = a, model = 'm'): number =>
    Math.round(memory.match(host, model, printOf(words)).sentShare * words.length)
  return { clock, memory, matched }
}

describe('what was sent to a host', () => {
  it('is found again as far as it goes, at that host and model alone', () => {
    const { memory, matched } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    expect([matched('abcdef'), matched('abx'), matched('x'), matched('abcd')]).toEqual([4, 2, 0, 4])
    expect([matched('abcd', b), matched('abcd', a, 'other')]).toEqual([0, 0])
    expect(memory.match(a, 'm', printOf('abcdefgh')).share).toBe(0.5)
  })

  it('makes it the home of a conversation only beyond what many have in common', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('ssone', 2))
    expect(memory.match(a, 'm', printOf('sstwo', 2))).toEqual({ share: 0.4, sentShare: 0.4, isHome: false })
    expect(memory.match(a, 'm', printOf('ssone', 2)).isHome).toBe(true)
    expect(memory.match(a, 'm', printOf('', 0))).toEqual({ share: 0, sentShare: 0, isHome: false })
  })

  it('is forgotten of a model, or of all, and learned anew', () => {
    const { memory, matched } = remembering()
    for (const model of ['m', 'n']) for (const host of [a, b]) memory.remember(host, model, printOf('abc'))
    memory.forget(a, 'm')
    expect([matched('abc'), matched('abc', a, 'n'), matched('abc', b)]).toEqual([0, 3, 3])
    memory.forget(b)
    expect([matched('abc', b), matched('abc', b, 'n'), matched('abc', a, 'n')]).toEqual([0, 0, 3])
    memory.remember(b, 'm', printOf('abc'))
    expect(matched('abc', b)).toBe(3)
  })

  it('is forgotten when nobody asked for it in an hour, but not what others began with meanwhile', async () => {
    const { clock, memory, matched } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    await clock.advance(keptMsMax / 2)
    memory.remember(a, 'm', printOf('abxy'))
    await clock.advance(keptMsMax / 2)
    expect(matched('abcd')).toBe(4)
    await clock.advance(1_000)
    expect([matched('abcd'), matched('abxy')]).toEqual([2, 4])
  })
})

it('when a model leaves the memory of its host, what was kept with it is gone, and what comes after is not', async () => {
  const { clock, memory, matched } = remembering()
  const host = knownHost('o', { kind: hostKind('ollama'), lists: ['m', 'n'], parts: { clock } })
  for (const model of ['m', 'n']) memory.remember(host, model, printOf('abc'))
  await clock.advance(1_000)
  expect([matched('abc', host), matched('abc', host, 'n')]).toEqual([3, 3])
  host.memory.unloaded('m')
  expect([matched('abc', host), matched('abc', host, 'n')]).toEqual([0, 3])
  memory.remember(host, 'm', printOf('xyz'))
  expect([matched('abc', host), matched('xyz', host)]).toEqual([0, 3])
})

describe('the memory is bounded', () => {
  const words = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 })

  it('whatever comes, and what goes first is never the beginning of something that stays', () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (prompts, perHostMax) => {
        const { memory, matched } = remembering(perHostMax)
        for (const prompt of prompts) {
          memory.remember(a, 'm', printOf(prompt))
          expect(memory.sizes(a).get('m')).toBeLessThanOrEqual(perHostMax)
          // As long as there is room for it, the last one is there whole, and else as much of its beginning as there is room for.
          expect(matched(prompt)).toBeGreaterThanOrEqual(
            Math.min(prompt.length, perHostMax - Math.floor(perHostMax / 16)),
          )
        }
        for (const prompt of prompts) expect(matched(prompt)).toBe(oneByOne(memory, prompt))
      }),
    )
  })

  /** How many beginnings are there, looked for from the longest down: each by itself. */
  function oneByOne(memory: PrefixMemory, prompt: string): number {
    const { digests } = printOf(prompt)
    for (let count = digests.length; count > 0; count--) {
      const only = { digests: digests.slice(count - 1, count), ends: [1], bytes: 1, commonCount: 0, owner: 'ann' }
      if (memory.match(a, 'm', only).sentShare === 1) return count
    }
    return 0
  }

  it('what was used last stays', () => {
    const { memory, matched } = remembering(32)
    for (let at = 0; at < 100; at++) {
      memory.remember(a, 'm', printOf('kept'))
      memory.remember(a, 'm', printOf(`${String.fromCharCode(200 + at)}bcde`))
    }
    expect(matched('kept')).toBe(4)
    expect(matched(`${String.fromCharCode(200)}bcde`)).toBe(0)
  })

  it('in models too, which a host may invent', () => {
    const { memory } = remembering()
    for (let at = 0; at < 1_000; at++) memory.remember(a, `model ${at}`, printOf('abc'))
    expect(memory.sizes(a).size).toBe(64)
  })
})

describe('a host that says how much it had kept', () => {
  const tell = (memory: PrefixMemory, cachedTokens: number, times = 1, sentTokens = 1_000): void => {
    for (let time = 0; time < times; time++) memory.told(a, 'm', { owner: 'ann', sentTokens, cachedTokens })
  }

  it('is believed slowly: where it keeps nothing, less and less is predicted until it is no home any more', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    const shares: number[] = []
    for (let time = 0; time < 30; time++) {
      shares.push(memory.match(a, 'm', printOf('abcd')).share)
      tell(memory, 0)
    }
    expect(shares).toEqual(shares.toSorted((one, other) => other - one))
    expect(shares[1]).toBeGreaterThan(0.8)
    const match = memory.match(a, 'm', printOf('abcd'))
    expect(match.share).toBeLessThan(0.05)
    expect([match.isHome, match.sentShare]).toEqual([false, 1])
  })

  it('is believed again once it keeps something', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    tell(memory, 0, 100)
    tell(memory, 1_200, 50)
    expect(memory.match(a, 'm', printOf('abcd'))).toMatchObject({ isHome: true })
    expect(memory.match(a, 'm', printOf('abcd')).share).toBeGreaterThan(0.95)
  })

  it('where half is there, half is predicted', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    tell(memory, 500, 100)
    expect(memory.match(a, 'm', printOf('abcd')).share).toBeCloseTo(0.5, 2)
  })

  it('tells nothing of prompts that had little in common with others, and nothing of other models and hosts', () => {
    const { memory } = remembering()
    for (const model of ['m', 'n']) for (const host of [a, b]) memory.remember(host, model, printOf('abcd'))
    tell(memory, 0, 100, 100)
    expect(memory.match(a, 'm', printOf('abcd')).share).toBe(1)
    tell(memory, 0, 100)
    expect(memory.match(a, 'n', printOf('abcd')).share).toBe(1)
    expect(memory.match(b, 'm', printOf('abcd')).share).toBe(1)
  })

  it('of the prompts of one is no less a home of those of others, whom it may tell otherwise', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    tell(memory, 0, 1_000)
    const of = (owner: string) => memory.match(a, 'm', printOf('abcd', 0, owner))
    expect(of('ann').isHome).toBe(false)
    expect(of('ben')).toMatchObject({ isHome: true })
    expect(of('ben').share).toBeCloseTo(0.5, 2)
    for (let time = 0; time < 30; time++) {
      memory.told(a, 'm', { owner: 'ben', sentTokens: 1_000, cachedTokens: 1_000 })
    }
    expect(of('ben').share).toBeGreaterThan(0.95)
    expect([of('ann').isHome, of('eve').isHome]).toEqual([false, true])
  })

  it('and that has kept nothing of anybody’s is hardly expected to have kept what comes next, whoever sends it', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    for (let owner = 0; owner < 30; owner++) {
      for (let time = 0; time < 30; time++) {
        memory.told(a, 'm', { owner: `${owner}`, sentTokens: 1_000, cachedTokens: 0 })
      }
    }
    expect(memory.match(a, 'm', printOf('abcd', 0, 'eve'))).toMatchObject({ isHome: false, sentShare: 1 })
  })

  it('is tried again after a while, since nobody who returns would ask it', () => {
    const { clock, memory } = remembering()
    tell(memory, 0, 1_000)
    const match = () => {
      memory.remember(a, 'm', printOf('abcd'))
      return memory.match(a, 'm', printOf('abcd'))
    }
    expect(match().isHome).toBe(false)
    clock.advanceSync(doubtHalvesMs / 5)
    expect(match().isHome).toBe(true)
    clock.advanceSync(doubtHalvesMs * 0.8)
    expect(match().share).toBeCloseTo(0.5, 2)
    clock.advanceSync(doubtHalvesMs * 10)
    expect(match().share).toBeGreaterThan(0.99)
  })

  it('of a bounded number of those whose prompts they were', () => {
    const { memory } = remembering()
    memory.remember(a, 'm', printOf('abcd'))
    tell(memory, 0, 1_000)
    const share = (): number => memory.match(a, 'm', printOf('abcd')).share
    const others = (count: number): void => {
      for (let owner = 0; owner < count; owner++) {
        memory.told(a, 'm', { owner: `${owner}`, sentTokens: 1_000, cachedTokens: 1_000 })
      }
    }
    others(ownersMax - 1)
    expect(share()).toBeLessThan(0.01)
    others(ownersMax)
    expect(share()).toBeGreaterThan(0.95)
  })
})
