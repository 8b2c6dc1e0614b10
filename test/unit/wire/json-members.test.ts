import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { objectMembers } from '../../../src/wire/json-members.ts'
import { OddJson, oddKey, oddText, oddValue, whims } from './odd-json.ts'

/** Key and bytes of each member. */
const membersOf = (text: string, from = 0) => {
  const bytes = Buffer.from(text)
  return objectMembers(bytes, from).map(({ key, value }) => [key, bytes.toString('utf8', value.start, value.end)])
}

describe('objectMembers', () => {
  test.each<[string, string[][]]>([
    ['{}', []],
    [' \r\n\t{ \n } ', []],
    ['{"a":1}', [['a', '1']]],
    ['{"a":1 }', [['a', '1']]],
    [
      '{ "a" : -1.5e+7 , "b" : null\n,"c":true\t}',
      [
        ['a', '-1.5e+7'],
        ['b', 'null'],
        ['c', 'true'],
      ],
    ],
    [
      '{"a":"x","b":""}',
      [
        ['a', '"x"'],
        ['b', '""'],
      ],
    ],
    [
      '{"a":{},"b":[],"c":{"a":[{}]}}',
      [
        ['a', '{}'],
        ['b', '[]'],
        ['c', '{"a":[{}]}'],
      ],
    ],
    [
      '{"a":"}","b":"]","c":",","d":":"}',
      [
        ['a', '"}"'],
        ['b', '"]"'],
        ['c', '","'],
        ['d', '":"'],
      ],
    ],
    [
      '{"a":["}","]",{"}":"{"}],"b":1}',
      [
        ['a', '["}","]",{"}":"{"}]'],
        ['b', '1'],
      ],
    ],
    [
      String.raw`{"a":"\"","b":"\\","c":"\\\"\\"}`,
      [
        ['a', String.raw`"\""`],
        ['b', String.raw`"\\"`],
        ['c', String.raw`"\\\"\\"`],
      ],
    ],
    [
      String.raw`{"mod\u0065l":1,"\"":2}`,
      [
        ['model', '1'],
        ['"', '2'],
      ],
    ],
    [
      '{"a":1,"a":2,"":3}',
      [
        ['a', '1'],
        ['a', '2'],
        ['', '3'],
      ],
    ],
    ['{"你好🦀":"é"}', [['你好🦀', '"é"']]],
  ])('%s', (text, members) => {
    expect(membersOf(text)).toEqual(members)
  })

  test('of an object inside of another', () => {
    const text = '{"a":{"b":1},"c":2}'
    expect(membersOf(text, text.indexOf('{"b"'))).toEqual([['b', '1']])
  })

  test('a text of many escaped quotes and one of many backslashes', () => {
    for (const part of [String.raw`\"`, String.raw`\\`, String.raw`\\\"`]) {
      const text = `"${part.repeat(10_000)}"`
      expect(membersOf(`{"a":${text},"b":1}`)).toEqual([
        ['a', text],
        ['b', '1'],
      ])
    }
  })

  test('nesting as deep as a body can hold', () => {
    const list = '['.repeat(200_000) + ']'.repeat(200_000)
    expect(membersOf(`{"a":${list},"b":1}`).map(([key]) => key)).toEqual(['a', 'b'])
  })

  test('any object: its keys in their order, and for each the bytes of its value', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(oddKey, oddText), oddValue), { maxLength: 6 }), whims, (members, ways) => {
        const odd = new OddJson(ways)
        const written = members.map(([key, value]) => [key, odd.value(value)] as const)
        const list = written.map(([key, value]) => `${odd.space()}${odd.member(key, value)}${odd.space()}`)
        const text = `${odd.space()}{${list.join(',')}${odd.space()}}${odd.space()}`
        JSON.parse(text)
        expect(membersOf(text)).toEqual(written.map(([key, value]) => [key, value]))
      }),
      { numRuns: 500 },
    )
  })
})
