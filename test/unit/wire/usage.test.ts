import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeUsage, type ReportedUsage, readUsage, usageInTail } from '../../../src/wire/usage.ts'

describe('readUsage knows every spelling', () => {
  test.each<[string, object, ReportedUsage]>([
    ['chat', { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8 }, { input: 5, output: 3 }],
    [
      'chat with details',
      {
        prompt_tokens: 5,
        completion_tokens: 3,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 2 },
      },
      { input: 5, cachedInput: 4, output: 3, reasoning: 2 },
    ],
    ['chat with details of null', { prompt_tokens: 5, prompt_tokens_details: null }, { input: 5 }],
    [
      'Responses',
      {
        input_tokens: 5,
        input_tokens_details: { cached_tokens: 4 },
        output_tokens: 3,
        output_tokens_details: { reasoning_tokens: 2 },
      },
      { input: 5, cachedInput: 4, output: 3, reasoning: 2 },
    ],
    [
      'Anthropic, which leaves cached tokens out of the input',
      { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 3 },
      { input: 125, cachedInput: 100, output: 3 },
    ],
    ['Anthropic at the end', { output_tokens: 4 }, { output: 4 }],
    ['embeddings', { prompt_tokens: 8, total_tokens: 8 }, { input: 8 }],
    ['a reranker, which reports a total alone', { total_tokens: 8 }, { input: 8 }],
    ['a total beside output alone is not the input', { completion_tokens: 3, total_tokens: 8 }, { output: 3 }],
    ['zeros', { prompt_tokens: 0, completion_tokens: 0 }, { input: 0, output: 0 }],
    [
      'zeros in the details',
      {
        prompt_tokens: 0,
        completion_tokens: 0,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
      { input: 0, cachedInput: 0, output: 0, reasoning: 0 },
    ],
    ['the largest count', { prompt_tokens: 1_000_000_000 }, { input: 1_000_000_000 }],
    [
      'one spelling that cannot be believed beside one that can',
      { prompt_tokens: -1, input_tokens: 4 },
      { input: 4, rejected: true },
    ],
    ['a bad count beside a good one', { prompt_tokens: 'x', completion_tokens: 3 }, { output: 3, rejected: true }],
    ['counts of null', { prompt_tokens: 5, completion_tokens: null, cache_read_input_tokens: null }, { input: 5 }],
  ])('%s', (_what, usage, reported) => {
    expect(readUsage(usage)).toEqual(reported)
  })
})

const incredible: unknown[] = [-1, 1e308, 1_000_000_001, 1.5, '7', Number.NaN, Number.POSITIVE_INFINITY, true, [7], {}]

describe('readUsage does not believe everything', () => {
  test.each(incredible)('%j as a count', (count) => {
    expect(readUsage({ prompt_tokens: count, completion_tokens: count, total_tokens: count })).toEqual({
      rejected: true,
    })
    expect(
      readUsage({
        prompt_tokens: 1,
        prompt_tokens_details: { cached_tokens: count },
        completion_tokens_details: { reasoning_tokens: count },
        cache_read_input_tokens: count,
      }),
    ).toEqual({ input: 1, rejected: true })
  })

  test.each([null, undefined, 7, 'x', [], [{ prompt_tokens: 1 }], {}, { other: 1 }, { prompt_tokens: null }])(
    '%j as usage',
    (usage) => {
      expect(readUsage(usage)).toBeNull()
    },
  )

  test('whatever comes, counts are whole, not negative and bounded', () => {
    const key = fc.constantFrom(
      'prompt_tokens',
      'completion_tokens',
      'input_tokens',
      'output_tokens',
      'total_tokens',
      'cache_read_input_tokens',
      'cache_creation_input_tokens',
    )
    const details = fc.dictionary(fc.constantFrom('cached_tokens', 'reasoning_tokens'), fc.jsonValue())
    const usage = fc.dictionary(key, fc.oneof(fc.jsonValue(), fc.integer(), fc.double()))
    fc.assert(
      fc.property(usage, details, (counts, detail) => {
        const reported = readUsage({ ...counts, prompt_tokens_details: detail, output_tokens_details: detail })
        const { rejected: _, ...said } = reported ?? {}
        for (const count of Object.values(said)) {
          expect(Number.isInteger(count) && count >= 0 && count <= 3_000_000_000).toBe(true)
        }
      }),
    )
  })
})

describe('mergeUsage', () => {
  test.each<[ReportedUsage | null, ReportedUsage | null, ReportedUsage | null]>([
    [null, null, null],
    [null, { input: 1 }, { input: 1 }],
    [{ input: 1 }, null, { input: 1 }],
    [{ input: 1, output: 0 }, { output: 4 }, { input: 1, output: 4 }],
    [{ output: 4 }, { output: 0 }, { output: 0 }],
    [
      { input: 2, output: 2 },
      { input: 2, output: 2 },
      { input: 2, output: 2 },
    ],
  ])('%j, then %j: %j', (earlier, later, merged) => {
    expect(mergeUsage(earlier, later)).toEqual(merged)
  })
})

describe('usageInTail', () => {
  const usage = { prompt_tokens: 5, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } }
  const reported = { input: 5, cachedInput: 4, output: 3 }

  test.each<[string, string, ReportedUsage | null]>([
    ['at the end of the answer', JSON.stringify({ id: 'x', choices: [], usage }), reported],
    ['with spaces and line ends', JSON.stringify({ choices: [], usage }, null, 2), reported],
    ['before other members', JSON.stringify({ usage, timings: { predicted_n: 1 } }), reported],
    ['of a cut answer', JSON.stringify({ choices: [{ text: 'ab' }], usage }).slice(20), reported],
    ['the last of several', JSON.stringify([{ usage: { prompt_tokens: 1 } }, { usage }]), reported],
    ['behind a text that speaks of it', JSON.stringify({ text: '"usage":{"prompt_tokens":9}', usage }), reported],
    ['before a text that speaks of it', JSON.stringify({ usage, text: '"usage":{"prompt_tokens":9}' }), reported],
    ['before a text that is the word', JSON.stringify({ usage, text: 'usage', more: { prompt_tokens: 9 } }), reported],
    ['before a list of words', JSON.stringify({ usage, words: ['usage', 'usage'] }), reported],
    ['of null, before another object', JSON.stringify({ usage: null, more: { prompt_tokens: 9 } }), null],
    ['that is a number', JSON.stringify({ usage: 7, more: { prompt_tokens: 9 } }), null],
    ['that does not end', '{"usage":{"prompt_tokens":5', null],
    ['that is broken', '{"usage":{"prompt_tokens":}}', { rejected: true }],
    ['as Python writes what is no number', '{"usage":{"prompt_tokens": NaN}}', { rejected: true }],
    ['without an object', '{"usage"', null],
    ['that is not there', '{"choices":[]}', null],
    ['of nothing', '', null],
  ])('%s', (_what, tail, found) => {
    expect(usageInTail(Buffer.from(tail))).toEqual(found)
  })

  test('is found however the answer is cut before it', () => {
    const answer = Buffer.from(JSON.stringify({ id: 'x', text: 'a "usage" \\', usage }))
    const start = answer.lastIndexOf('"usage"')
    for (let cut = 0; cut <= start; cut++) expect(usageInTail(answer.subarray(cut))).toEqual(reported)
  })
})
