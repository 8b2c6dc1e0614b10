import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { doubledField } from '../../../src/http/admin/doubled-field.ts'

const found = (text: string) => doubledField(Buffer.from(text))

test('a field that is named twice in one object is found, however deep and however it is written', () => {
  expect(found('{"a":1,"a":2}')).toEqual(['a'])
  expect(found(' {"a":1,"\\u0061":2}')).toEqual(['a'])
  expect(found('{"x":{"y":[1,"}",{"__proto__":1,"b":2,"__proto__":3}]}}')).toEqual(['x', 'y', '__proto__'])
})

test('one name in several objects is none', () => {
  expect(found('{"a":{"a":[{"a":1},{"a":2}]},"b":{"a":3}}')).toBeNull()
  for (const text of ['[]', '7', '"x"', 'null', '{}']) expect(found(text)).toBeNull()
})

test('in nothing that was written from an object there is one', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      // What was read and is written again has each name once.
      expect(found(JSON.stringify(JSON.parse(text)))).toBeNull()
    }),
  )
})
