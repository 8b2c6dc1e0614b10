import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { jsonDepthMax, MemberCursor, stringEnd } from '../../../src/wire/json-members.ts'
import { parseJson } from '../../../src/wire/json-value.ts'
import { OddJson, oddKey, oddText, oddValue, whims } from './odd-json.ts'

/** Key and bytes of each member. */
function membersOf(text: string, from = text.search(/\S/)): string[][] {
  const bytes = Buffer.from(text)
  const cursor = new MemberCursor(bytes, from)
  const members: string[][] = []
  while (cursor.next()) {
    const key = bytes.toString('utf8', cursor.keyStart, cursor.keyEnd)
    members.push([String(JSON.parse(key)), bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)])
  }
  expect(cursor.count).toBe(members.length)
  return members
}

/** The object with nothing left of its keys, texts and nested values; throws where the object is refused. */
function skeleton(text: string): string {
  const bytes = Buffer.from(text)
  const cursor = new MemberCursor(bytes, 0)
  let bones = ''
  let at = 0
  while (cursor.next()) {
    const value = bytes.toString('utf8', cursor.valueStart, cursor.valueEnd)
    const between = bytes.toString('utf8', cursor.keyEnd, cursor.valueStart)
    bones += `${bytes.toString('utf8', at, cursor.keyStart)}"k"${between}${/^["[{]/.test(value) ? '{}' : value}`
    at = cursor.valueEnd
  }
  return bones + bytes.toString('utf8', at, cursor.end)
}

/** The sentence by which it is refused; null when it is not. */
function refusal(text: string): string | null {
  try {
    skeleton(text)
    return null
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    expect(error.code).toBe('invalid_json')
    return error.message
  }
}

const isJson = (text: string) => parseJson(text) !== undefined
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

describe('a member cursor', () => {
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

  test('the end is behind the object', () => {
    const cursor = new MemberCursor(Buffer.from(' {"a":{}} x'), 1)
    while (cursor.next()) expect(cursor.valueEnd).toBe(8)
    expect(cursor.end).toBe(9)
  })

  test('nesting has a bound, and the object itself is its first level', () => {
    expect(membersOf(`{"a":${nested(jsonDepthMax - 1)},"b":1}`).map(([key]) => key)).toEqual(['a', 'b'])
    expect(refusal(`{"a":${nested(jsonDepthMax)}}`)).toContain(`${jsonDepthMax} levels`)
    expect(refusal('{"a":'.repeat(jsonDepthMax + 1))).toContain(`${jsonDepthMax} levels`)
    expect(refusal(`{"a":${'['.repeat(1_000_000)}`)).toContain(`${jsonDepthMax} levels`)
  })

  test.each(
    [
      ['{', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":"', '{"a":"\\', String.raw`{"a":"\"}`, String.raw`{"a":"\\\"}`],
      ['{"a":[', '{"a":[}', '{"a":[}]}', '{"a":{]}', '{"a":[[]}', '{"a":]}', '{"a":[]]}', '{]'],
      ['{,}', '{"a":1,}', '{,"a":1}', '{"a":1,,"b":1}', '{"a":1 "b":1}', '{"a" 1}', '{"a"::1}', '{"a":}'],
      ['{"a":1 2}', '{"a":[]1}', '{"a":"""}', '{a:1}', "{'a':1}", '{1:1}', '{null}', '{"a":/**/1}', '{\u00a0"a":1}'],
      ['{"a":nul}', '{"a":nulll}', '{"a":True}', '{"a":NaN}', '{"a":undefined}', '{"a":t}', '{"a":fals'],
      ['{"a":-}', '{"a":+1}', '{"a":01}', '{"a":-01}', '{"a":.5}', '{"a":1.}', '{"a":1.e1}', '{"a":1e}', '{"a":1e+}'],
      ['{"a":0x1}', '{"a":1_0}', '{"a":-Infinity}', '{"a":1n}'],
    ].flat(),
  )('%s is refused', (text) => {
    expect(isJson(text)).toBe(false)
    expect(refusal(text)).toMatch(/not valid JSON: see byte \d+\.$/)
  })

  test.each(['0', '-0', '10', '1.0', '0.5e0', '1E+9', '1e-05', 'true', 'false', 'null'])('%s is a value', (value) => {
    expect(membersOf(`{"a":${value}}`)).toEqual([['a', value]])
    expect(membersOf(`{"a":${value},"b":0}`)).toHaveLength(2)
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

  test('any object that lost or won some bytes: JSON is let through, and else what is JSON but for nested parts', () => {
    const change = fc.record({
      at: fc.nat(),
      cut: fc.integer({ min: 0, max: 2 }),
      put: fc.constantFrom('', '0', 'null', ',"":', ...',:"{}[]1-.en\\ '.split('')),
    })
    fc.assert(
      fc.property(fc.dictionary(oddKey, oddValue, { maxKeys: 4 }), whims, change, (value, ways, { at, cut, put }) => {
        const text = new OddJson(ways).value(value)
        const place = 1 + (at % text.length)
        const changed = text.slice(0, place) + put + text.slice(place + cut)
        if (refusal(changed) === null) expect(isJson(skeleton(changed))).toBe(true)
        else expect(isJson(changed)).toBe(false)
      }),
      { numRuns: 3_000 },
    )
  })
})

/** Of the one value in an object. */
function itemsOf(text: string): number {
  const cursor = new MemberCursor(Buffer.from(`{"a":${text}}`), 0)
  cursor.next()
  return cursor.valueItems
}

describe('the items of a value', () => {
  test.each(['[]', '[ ]', '[1]', '["a,b"]', '[[1,2],{"a":[3,4],"b":5}]', String.raw`["\",",",\"",[],{}]`])(
    '%s',
    (text) => {
      const list = JSON.parse(text) as unknown[]
      expect(itemsOf(text)).toBe(list.length)
    },
  )

  test('members of an object, and none of anything else', () => {
    expect(['{"b":[1,2],"c":{}}', '{ }', '"a,b"', '12', 'null'].map(itemsOf)).toEqual([2, 0, 0, 0, 0])
  })

  test('any list', () => {
    fc.assert(
      fc.property(fc.array(oddValue, { maxLength: 5 }), whims, (list, ways) => {
        expect(itemsOf(new OddJson(ways).value(list))).toBe(list.length)
      }),
    )
  })
})

describe('the end of a string', () => {
  const quote = 0x22
  const backslash = 0x5c

  /** A string begins before it; the place behind its closing quote, null where there is none. */
  function endIn(bytes: Buffer): number | null {
    for (let at = 1; at < bytes.length; at++) {
      if (bytes[at] === quote) return at + 1
      if (bytes[at] === backslash) at++
    }
    return null
  }

  function found(bytes: Buffer): number | null {
    try {
      return stringEnd(bytes, 0)
    } catch {
      return null
    }
  }

  test('is where going from byte to byte finds it, in strings that are long and full of escapes too', () => {
    const piece = fc.oneof(
      fc.nat({ max: 600 }).map((length) => 'a'.repeat(length)),
      fc.nat({ max: 600 }).map((length) => '\\'.repeat(length)),
      fc.constantFrom(String.raw`\"`, String.raw`\\`, '"', '\\'),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const bytes = Buffer.from(`"${pieces.join('')}`)
        expect(found(bytes)).toBe(endIn(bytes))
      }),
      { numRuns: 2_000 },
    )
  })
})
