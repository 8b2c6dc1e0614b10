import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { JsonEnd } from '../../../src/wire/json-end.ts'

function fed(...pieces: readonly Buffer[]): boolean {
  const end = new JsonEnd()
  for (const piece of pieces) end.feed(piece)
  return end.reached
}

test('every JSON text reaches its end, however it is cut, and no beginning of an object does', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(), (json, at) => {
      const bytes = Buffer.from(`{"value":${json}}`)
      const cut = at % bytes.length
      expect(fed(bytes.subarray(0, cut), bytes.subarray(cut))).toBe(true)
      if (cut > 0) expect(fed(bytes.subarray(0, cut))).toBe(false)
    }),
    { numRuns: 500, seed: 3 },
  )
})

test.each([
  ['{"a":"}"}', true],
  ['{"a":"\\"}', false],
  ['{"a":"\\\\"}', true],
  ['{"a":"\\\\\\"}', false],
  ['[[1]', false],
  [' {} \n', true],
  ['"text', false],
  ['null', true],
])('%j: %s', (text, reached) => {
  expect(fed(Buffer.from(text))).toBe(reached)
  expect(fed(...Array.from(Buffer.from(text), (byte) => Buffer.of(byte)))).toBe(reached)
})
