import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Chain, type Link } from '../../../src/base/chain.ts'

class Item implements Link<Item> {
  before: Item | null = null
  after: Item | null = null
  readonly name: number

  constructor(name: number) {
    this.name = name
  }
}

const namesOf = (chain: Chain<Item>) => Array.from(chain, ({ name }) => name)

test('whoever comes and goes, it holds what a Set would, in the same order', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 9 }), { maxLength: 60 }), (names) => {
      const items = Array.from({ length: 10 }, (_, name) => new Item(name))
      const chain = new Chain<Item>()
      const expected = new Set<Item>()
      for (const name of names) {
        const item = items[name]!
        if (expected.delete(item)) chain.remove(item)
        else {
          expected.add(item)
          chain.add(item)
        }
        expect(namesOf(chain)).toEqual(Array.from(expected, (one) => one.name))
        expect(chain.size).toBe(expected.size)
      }
    }),
  )
})

test('who has left points to nobody, so that nobody is kept alive by it', () => {
  const chain = new Chain<Item>()
  const items = [1, 2, 3].map((name) => new Item(name))
  for (const item of items) chain.add(item)
  chain.remove(items[1]!)
  expect(items[1]).toMatchObject({ before: null, after: null })
})

test('one that is gone before its turn is left out, and one that comes meanwhile waits for the next round', () => {
  const chain = new Chain<Item>()
  const items = [1, 2, 3].map((name) => new Item(name))
  for (const item of items) chain.add(item)
  const seen: number[] = []
  for (const { name } of chain) {
    seen.push(name)
    if (name !== 1) continue
    chain.remove(items[0]!)
    chain.remove(items[1]!)
    chain.add(new Item(4))
  }
  expect(seen).toEqual([1, 3])
  expect(namesOf(chain)).toEqual([3, 4])
})
