import { describe, expect, test } from 'vitest'
import { isObject, parseJson, property } from '../../../src/wire/json-value.ts'

describe('isObject', () => {
  test.each([{}, { a: 1 }, Object.create(null) as object])('%j is one', (value) => {
    expect(isObject(value)).toBe(true)
  })

  test.each([null, undefined, [], 'x', 7, true, () => 1])('%j is none', (value) => {
    expect(isObject(value)).toBe(false)
  })
})

describe('property', () => {
  test('is what the object itself has', () => {
    expect(property({ a: 1 }, 'a')).toBe(1)
    expect(property({ a: null }, 'a')).toBeNull()
    expect(property(JSON.parse('{"__proto__":{"a":1}}'), '__proto__')).toEqual({ a: 1 })
  })

  test.each(['toString', 'constructor', '__proto__', 'hasOwnProperty'])(
    '%s is nothing unless it was written',
    (key) => {
      expect(property({}, key)).toBeUndefined()
      expect(property(JSON.parse('{"__proto__":{"a":1}}'), 'a')).toBeUndefined()
    },
  )

  test.each([null, undefined, [1], 'text', 7])('of %j is nothing', (value) => {
    expect(property(value, 'length')).toBeUndefined()
    expect(property(value, '0')).toBeUndefined()
  })
})

describe('parseJson', () => {
  test('reads JSON, and says undefined to all else', () => {
    expect(parseJson('{"a":[1]}')).toEqual({ a: [1] })
    expect(parseJson('null')).toBeNull()
    for (const text of ['', '{', 'undefined', "{'a':1}", 'NaN', '[1,]']) expect(parseJson(text)).toBeUndefined()
  })
})
