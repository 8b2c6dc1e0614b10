import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ContextAsk,
  type ContextFit,
  ContextNeed,
  type ContextRuleName,
  contextRules,
  contextTokensFrom,
  contextTokensOf,
  distinctPlaces,
} from '../../../src/hosts/context-length.ts'

/** In the order in which they stand there. */
const contextRuleNames = Object.keys(contextRules) as ContextRuleName[]

function askOf(
  more: Partial<Omit<ContextAsk, 'prompt'>> & { prompt?: Partial<ContextAsk['prompt']> } = {},
): ContextAsk {
  const { prompt, ...others } = more
  return {
    prompt: { least: 700, most: 1_300, textBytes: 4_000, media: 0, ...prompt },
    outputLikely: 100,
    outputAsked: { least: null, most: null },
    numCtx: null,
    ...others,
  }
}

function fitAt(rule: ContextRuleName, ask: ContextAsk, contextTokens: number | null): ContextFit {
  return new ContextNeed(ask).fits({ rule, contextTokens })
}

/** The least contexts with which it may go there, and with which it surely fits. */
function bounds(rule: ContextRuleName, ask: ContextAsk): [number, number] {
  const first = (isThere: (fit: ContextFit) => boolean): number => {
    for (let tokens = 1; tokens < 20_000; tokens++) if (isThere(fitAt(rule, ask, tokens))) return tokens
    return Number.POSITIVE_INFINITY
  }
  return [first((fit) => fit !== 'no'), first((fit) => fit === 'sure')]
}

describe('a host that refuses what is too long', () => {
  it('is asked while the prompt may fit, and preferred where it surely does', () => {
    expect(bounds('refuses_prompt', askOf())).toEqual([701, 1_400])
  })

  it('as OpenAI does, counts the bound of the answer, whichever of several it reads', () => {
    const ask = askOf({ outputAsked: { least: 500, most: 2_000 } })
    expect(bounds('refuses_both', ask)).toEqual([1_200, 3_300])
    expect(bounds('refuses_both', askOf())).toEqual([701, 1_400])
  })

  it('by the prompt alone ends the answer where its context is full, however much was asked for', () => {
    const ask = askOf({ outputAsked: { least: 32_000, most: 32_000 } })
    expect(bounds('refuses_prompt', ask)).toEqual([701, 1_400])
  })
})

describe('a host that trims', () => {
  it('is not asked where it might', () => {
    expect(bounds('trims', askOf())).toEqual([1_300, 1_400])
  })

  it('by characters is not asked where it would: four are a token, and what the answer may have is set aside', () => {
    expect(bounds('trims_by_characters', askOf())).toEqual([1_000 + 2_048, 1_000 + 2_048])
    const asked = askOf({ outputAsked: { least: 300, most: 300 } })
    expect(bounds('trims_by_characters', asked)).toEqual([1_300, 1_300])
    expect(bounds('trims_by_characters', askOf({ prompt: { media: 2 } }))[0]).toBe(1_000 + 2 * 765 + 2_048)
    // Of a language with more tokens than it counts it would be beyond its model.
    expect(bounds('trims_by_characters', askOf({ prompt: { least: 3_000, most: 5_000 } }))[0]).toBe(3_000 + 2_048)
  })

  it('to the num_ctx of a request is held to that', () => {
    const ask = askOf({ numCtx: 4_096, outputAsked: { least: 2_000, most: 2_000 } })
    expect(fitAt('trims_by_characters', ask, 131_072)).toBe('sure')
    expect(fitAt('trims_by_characters', { ...ask, numCtx: 2_999 }, 131_072)).toBe('no')
    expect(fitAt('trims_by_characters', { ...ask, numCtx: 2_999 }, null)).toBe('no')
    expect(fitAt('trims_by_characters', { ...ask, numCtx: 131_072 }, 2_999)).toBe('no')
    expect(fitAt('refuses_prompt', { ...ask, numCtx: 512 }, 8_192)).toBe('sure')
  })
})

describe('a host that does not tell its context', () => {
  it.each(contextRuleNames)('is as good as any for an ordinary prompt, and goes last for a long one: %s', (rule) => {
    expect(fitAt(rule, askOf(), null)).toBe('sure')
    const long = askOf({ prompt: { least: 30_000, most: 60_000, textBytes: 160_000 } })
    expect(fitAt(rule, long, null)).toBe('perhaps')
  })
})

describe('requests of one group', () => {
  const size = fc.integer({ min: 0, max: 300_000 })
  const anyAsk: fc.Arbitrary<ContextAsk> = fc
    .record({
      least: size,
      more: size,
      textBytes: size,
      media: fc.nat(3),
      outputLikely: fc.nat(4_000),
      bound: fc.option(size),
      numCtx: fc.option(size),
    })
    .map(({ least, more, textBytes, media, outputLikely, bound, numCtx }) => ({
      prompt: { least, most: least + more, textBytes, media },
      outputLikely,
      outputAsked: { least: bound, most: bound },
      numCtx,
    }))
  const anyContext = fc.option(fc.constantFrom(2_048, 4_096, 8_192, 16_384, 40_960, 131_072, 262_144))
  const anyPlaces = fc.array(fc.record({ rule: fc.constantFrom(...contextRuleNames), contextTokens: anyContext }), {
    maxLength: 5,
  })

  it('fit the same hosts, each exactly as it would by itself', () => {
    let alike = 0
    fc.assert(
      fc.property(anyAsk, anyAsk, anyPlaces, (one, other, all) => {
        const places = distinctPlaces(all)
        const [a, b] = [new ContextNeed(one), new ContextNeed(other)]
        if (a.groupAmong(places) !== b.groupAmong(places)) return
        alike++
        for (const place of all) expect(a.fits(place)).toBe(b.fits(place))
      }),
      { numRuns: 2_000 },
    )
    expect(alike).toBeGreaterThan(100)
  })

  it('are told what the rule of the host says', () => {
    fc.assert(
      fc.property(anyAsk, fc.constantFrom(...contextRuleNames), size, (ask, rule, tokensThere) => {
        const { goesFrom, sureFrom } = contextRules[rule](ask)
        const tokens = rule === 'trims_by_characters' ? Math.min(tokensThere, ask.numCtx ?? tokensThere) : tokensThere
        const fit = new ContextNeed(ask).fits({ rule, contextTokens: tokensThere })
        expect(fit).toBe(tokens < goesFrom ? 'no' : tokens >= sureFrom ? 'sure' : 'perhaps')
      }),
    )
  })

  it('are all, where hosts do not differ for them: by num_ctx only where the host reads it, and then by what comes of it', () => {
    const groups = (rule: ContextRuleName): number =>
      new Set(
        Array.from({ length: 5_000 }, (_, numCtx) =>
          new ContextNeed(askOf({ numCtx })).groupAmong([{ rule, contextTokens: 8_192 }]),
        ),
      ).size
    expect(contextRuleNames.map(groups)).toEqual([1, 1, 1, 2])
  })

  it('are few groups, however many lengths and bounds there are', () => {
    const places = [8_192, 131_072].map((contextTokens) => ({ rule: 'refuses_both' as const, contextTokens }))
    const ids = new Set<string>()
    for (let bytes = 100; bytes < 1_000_000; bytes += 997) {
      for (const bound of [null, 1, 1_000, 8_000, 50_000, 500_000]) {
        const prompt = { least: bytes / 8, most: bytes / 2, textBytes: bytes }
        ids.add(new ContextNeed(askOf({ prompt, outputAsked: { least: bound, most: bound } })).groupAmong(places))
      }
    }
    // Of six that there could be, since what surely fits neither host is too long for the first.
    expect(ids.size).toBe(5)
  })
})

describe('the context of a model at a host', () => {
  it('is what is configured for the host, else for the model, else what the host says', () => {
    const ofModels = { m: 3 }
    expect(contextTokensOf('m', { ofHost: 1, ofModels }, 4)).toBe(1)
    expect(contextTokensOf('m', { ofHost: { m: 2 }, ofModels }, 4)).toBe(2)
    expect(contextTokensOf('m', { ofHost: { other: 2 }, ofModels }, 4)).toBe(3)
    expect(contextTokensOf('other', { ofHost: { m: 2 }, ofModels }, 4)).toBe(4)
    expect(contextTokensOf('other', { ofHost: undefined, ofModels }, undefined)).toBeNull()
    expect(contextTokensOf('toString', { ofHost: {}, ofModels: {} }, undefined)).toBeNull()
  })

  it.each([0, -1, 1.5, '8192', null, Number.NaN, 1e12, {}, undefined])('is not %j, whatever a host says', (said) => {
    expect(contextTokensFrom(said)).toBeUndefined()
  })
})
