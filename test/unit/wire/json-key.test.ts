import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyMatcher } from '../../../src/wire/json-key.ts'
import { OddJson, oddText, whims } from './odd-json.ts'

const words = ['model', 'stream', 'stream_options', 'n', 'keep'] as const
const match = keyMatcher(words)

/** `raw` as it stands between the quotes. */
function matched(raw: string | Buffer): string | null {
  const bytes = Buffer.concat([Buffer.from('{"'), Buffer.from(raw), Buffer.from('":1}')])
  const found = match(bytes, 1, bytes.length - 3)
  return found === null ? null : `${found.exact ? '' : 'nearly '}${found.word}`
}

test.each(words)('%s is found', (word) => {
  expect(matched(word)).toBe(word)
})

test.each([
  [String.raw`mod\u0065l`, 'model'],
  [String.raw`\u006d\u006f\u0064\u0065\u006c`, 'model'],
  [String.raw`\u006D\u006Fdel`, 'model'],
  [String.raw`\u006e`, 'n'],
])('escapes are read: %s', (raw, word) => {
  expect(matched(raw)).toBe(word)
})

test.each([
  ['Model', 'nearly model'],
  ['MODEL', 'nearly model'],
  ['N', 'nearly n'],
  [String.raw`\u004dodel`, 'nearly model'],
  ['ſtream', 'nearly stream'],
  ['ſTREAM_OPTIONſ', 'nearly stream_options'],
  [String.raw`\u017ftream`, 'nearly stream'],
  ['\u212aeep', 'nearly keep'],
  [String.raw`\u212Aeep`, 'nearly keep'],
  // No JSON, and yet there are readers for which it is the letter.
  [String.raw`\model`, 'nearly model'],
  [String.raw`mode\l`, 'nearly model'],
])('%s is taken for it by some readers', (raw, found) => {
  expect(matched(raw)).toBe(found)
})

test.each([
  '',
  'mode',
  'models',
  ' model',
  'model ',
  'm',
  'nn',
  'streám',
  'stream-options',
  String.raw`\n`,
  String.raw`\u`,
  String.raw`\u00`,
  String.raw`mod\u006`,
  String.raw`mod\u00g5l`,
  // With l for a digit of 21 it would be the e.
  String.raw`mod\u005ll`,
  String.raw`model\u0000`,
  String.raw`\u006d`.repeat(100),
  Buffer.from([0xc5]),
  Buffer.from([0xe2, 0x84]),
  Buffer.from([0xff, 0x6f, 0x64, 0x65, 0x6c]),
])('%j is another key', (raw) => {
  expect(matched(raw)).toBeNull()
})

/** Each letter as some reader could take it. */
const nearly: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(...words), fc.array(fc.nat(5), { minLength: 14, maxLength: 14 }))
  .map(([word, ways]) =>
    word.replace(/./g, (letter, index: number) => {
      if (ways[index] === 0) return letter.toUpperCase()
      if (ways[index] === 1 && letter === 's') return 'ſ'
      return ways[index] === 1 && letter === 'k' ? '\u212a' : letter
    }),
  )

test('any key, however it is written', () => {
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...words), nearly, oddText), whims, (key, ways) => {
      const folded = key.toLowerCase().replaceAll('ſ', 's')
      const word = words.find((one) => one === folded)
      const expected = word === undefined ? null : word === key ? word : `nearly ${word}`
      expect(matched(new OddJson(ways).text(key).slice(1, -1))).toBe(expected)
    }),
    { numRuns: 2_000 },
  )
})
