import { expect, it } from 'vitest'
import { BoundedMap } from '../../../src/base/bounded-map.ts'

it('a full map forgets its oldest entry, and writing one again makes it the newest', () => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  map.set('c', 4)
  expect([map.get('a'), map.get('b'), map.get('c'), map.size]).toEqual([3, undefined, 4, 2])
})

it('the newest that is written again stays where it is, and is the newest after it was deleted, too', () => {
  const map = new BoundedMap<string, number>(2)
  map.set('a', 1)
  map.set('b', 2)
  map.set('b', 3)
  expect([...map]).toEqual([
    ['a', 1],
    ['b', 3],
  ])
  expect(map.delete('b')).toBe(true)
  map.set('b', 4)
  map.set('c', 5)
  expect([...map.entries()]).toEqual([
    ['b', 4],
    ['c', 5],
  ])
})

it('a map of no size keeps nothing', () => {
  const map = new BoundedMap<string, number>(0)
  map.set('a', 1)
  map.set('a', 2)
  expect([map.size, map.get('a')]).toEqual([0, undefined])
})
