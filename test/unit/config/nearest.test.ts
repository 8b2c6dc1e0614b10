import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { editDistance, nearest, suggestion } from '../../../src/config/nearest.ts'

describe('nearest', () => {
  test.each([
    ['prot', ['bind', 'port'], 'port'],
    ['Port', ['bind', 'port'], 'port'],
    ['drainMsMx', ['drainMsMax', 'headerMsMax'], 'drainMsMax'],
    ['hots', ['hosts', 'host'], 'hosts'],
    ['zzzz', ['bind', 'port'], null],
    ['cat', ['port'], null],
    ['x', [], null],
  ])('%s among %j is %s', (word, candidates, expected) => {
    expect(nearest(word, candidates)).toBe(expected)
  })

  test('the suggestion is the tail of a sentence, or nothing', () => {
    expect(suggestion('prot', ['port'])).toBe('; did you mean "port"?')
    expect(suggestion('zzzz', ['port'])).toBe('')
  })

  test('the distance is zero for equal words only, the same both ways, and obeys the triangle', () => {
    const word = fc.string({ maxLength: 8, unit: fc.constantFrom('a', 'b', 'c') })
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c))
      }),
    )
  })
})
