import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { headerParameters } from '../../../src/wire/header-parameters.ts'

const read = (header: string) => {
  const parsed = headerParameters(header)
  if (parsed === null) return null
  return [parsed.value, ...[...parsed.parameters].map(([name, { text, plain }]) => [name, text, plain])]
}

test.each<[string, unknown[]]>([
  ['form-data', ['form-data']],
  [' Form-Data ', ['form-data']],
  ['multipart/form-data;boundary=x', ['multipart/form-data', ['boundary', 'x', true]]],
  ['a; B=C ;\tD="E"', ['a', ['b', 'C', true], ['d', 'E', true]]],
  ['a;; b=c;', ['a', ['b', 'c', true]]],
  ['a; b=""', ['a', ['b', '', true]]],
  ['a; b="; c=d"', ['a', ['b', '; c=d', true]]],
  [String.raw`a; b="\"c\\"`, ['a', ['b', '"c\\', false]]],
  ['a; b=c/d:e=f', ['a', ['b', 'c/d:e=f', true]]],
])('%s', (header, parts) => {
  expect(read(header)).toEqual(parts)
})

test.each(
  [
    ['', ';', '; a=b', '"a"; b=c', 'a b=c', 'a, b=c', 'a; b', 'a; =c', 'a; b=', 'a; b =c', 'a; b= c', 'a; b=c d'],
    ['a; b="c', 'a; b="c"d', 'a; b=c"d"', String.raw`a; b="c\"`, String.raw`a; b=\c`, 'a; b=c; b=d', 'a; b=c; B=d'],
    [String.raw`a; b="\"; c=d; e=\""`],
  ].flat(),
)('%j is refused', (header) => {
  expect(read(header)).toBeNull()
})

test('any parameters, written in quotes', () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z*-]{1,8}$/), { maxLength: 4 })
  // Without the pair that other readers take for an end and a beginning.
  const texts = fc.array(
    fc.string().map((text) => text.replaceAll(';', '')),
    { minLength: 4, maxLength: 4 },
  )
  fc.assert(
    fc.property(names, texts, (keys, values) => {
      const written = keys.map((key, index) => `; ${key}="${(values[index] ?? '').replace(/["\\]/g, String.raw`\$&`)}"`)
      const expected = keys.map((key, index) => [key, values[index], !/["\\]/.test(values[index] ?? '')])
      expect(read(`x${written.join('')}`)).toEqual(['x', ...expected])
    }),
    { numRuns: 500 },
  )
})
