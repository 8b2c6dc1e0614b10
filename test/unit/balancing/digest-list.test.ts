/** A list of digests in the order of their last use, held against a map. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { DigestList } from '../../../src/balancing/digest-list.ts'

/** So few that they meet, and so many apart that some of them end in the same bits. */
const digest = fc.nat(150).map((at) => at * 37 * 2 ** 30 + (at % 7))
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ digest, nowS: fc.nat(1_000) }) },
  { weight: 1, arbitrary: fc.constant('drop') },
)

it('has what a map has, drops what was used longest ago, and uses its room again', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 600, size: 'max' }), fc.nat(1_000), (steps, sinceS) => {
      const list = new DigestList()
      const map = new Map<number, number>()
      for (const one of steps) {
        if (typeof one === 'string') {
          list.dropOldest()
          for (const oldest of map.keys()) {
            map.delete(oldest)
            break
          }
        } else {
          list.use(one.digest, one.nowS)
          map.delete(one.digest)
          map.set(one.digest, one.nowS)
        }
        expect(list.size).toBe(map.size)
      }
      for (let at = 0; at <= 150; at++) {
        const asked = at * 37 * 2 ** 30 + (at % 7)
        expect(list.has(asked, sinceS)).toBe((map.get(asked) ?? -1) >= sinceS)
      }
    }),
  )
})

it('drops nothing where nothing is left, and has room for many', () => {
  const list = new DigestList()
  list.dropOldest()
  const many = Array.from({ length: 5_000 }, (_, at) => at * 2_654_435_761)
  for (const one of many) list.use(one, 1)
  expect([list.size, many.every((one) => list.has(one, 1))]).toEqual([5_000, true])
  for (const [at, one] of many.entries()) {
    list.dropOldest()
    if (at % 500 === 0) expect([list.has(one, 1), list.size]).toEqual([false, 4_999 - at])
  }
  list.dropOldest()
  expect(list.size).toBe(0)
})
