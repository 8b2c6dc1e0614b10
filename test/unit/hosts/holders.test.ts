import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Holders } from '../../../src/hosts/holders.ts'

test('whoever comes and goes, and however often, it holds what a Set would, in the same order', () => {
  const names = Array.from({ length: 6 }, (_, name) => ({ name }))
  const step = fc.record({ at: fc.nat({ max: 5 }), comes: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const holders = new Holders()
      const expected = new Set<object>()
      for (const { at, comes } of steps) {
        const one = names[at]!
        if (comes) {
          holders.add(one)
          expected.add(one)
        } else {
          holders.delete(one)
          expected.delete(one)
        }
        expect([...holders]).toEqual([...expected])
        expect(holders.size).toBe(expected.size)
        expect(names.filter((name) => holders.has(name))).toEqual(names.filter((name) => expected.has(name)))
      }
    }),
  )
})
