import { expect, it } from 'vitest'
import { BoundedMap } from '../../../src/base/bounded-map.ts'
import { randomId } from '../../../src/base/ids.ts'

it('a full map forgets its oldest entry, and writing one again makes it the newest', () => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  map.set('c', 4)
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, undefined, 4, 2])
})

it('ids have the asked length, only letters and digits, and do not repeat', () => {
  const ids = Array.from({ length: 5_000 }, () => randomId(22))
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(id).toMatch(/^[0-9A-Za-z]{22}$/)
  // Every one of the 62 characters turns up among 110,000.
  expect(new Set(ids.join('')).size).toBe(62)
})
