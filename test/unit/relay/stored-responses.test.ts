import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { StoredResponses } from '../../../src/relay/stored-responses.ts'

const host = (name: string) => ({ name }) as Host
const [studio, mini] = [host('studio'), host('mini')]
const key = (id: string) => ({ keyId: id, holder: id })

describe('stored responses', () => {
  test('X16: each is of the key that it was given to, and of clients without one', () => {
    const stored = new StoredResponses(100)
    stored.set(key('a'), 'resp-1', studio)
    stored.set({ keyId: null, holder: '192.0.2.1' }, 'resp-2', mini)
    expect(stored.get(key('a'), 'resp-1')).toBe(studio)
    expect(stored.get({ keyId: null, holder: '192.0.2.7' }, 'resp-2')).toBe(mini)
    for (const [owner, id] of [
      [key('b'), 'resp-1'],
      [key('a'), 'resp-2'],
      [{ keyId: null, holder: 'a' }, 'resp-1'],
    ] as const)
      expect(stored.get(owner, id)).toBeUndefined()
    stored.set(key('a'), 'resp-1', mini)
    expect(stored.get(key('a'), 'resp-1')).toBe(mini)
  })

  test('X16: a key that makes any number forgets its own, and none of a key within its share', () => {
    const stored = new StoredResponses(1_000)
    const idsOf = (count: number) => Array.from({ length: count }, (_, at) => `resp-${at}`)
    const known = (id: string, count: number) => idsOf(count).filter((one) => stored.get(key(id), one) !== undefined)
    for (const id of idsOf(100)) stored.set(key('modest'), id, studio)
    for (const id of idsOf(5_000)) stored.set(key('greedy'), id, mini)
    expect(known('modest', 100)).toHaveLength(100)
    expect(known('greedy', 5_000)).toEqual(idsOf(5_000).slice(-900))
    // Who comes later gets its share as well, from the one that has more.
    for (const id of idsOf(100)) stored.set(key('late'), id, studio)
    expect([known('modest', 100), known('late', 100), known('greedy', 5_000)].map(({ length }) => length)).toEqual([
      100, 100, 800,
    ])
  })

  test('where nobody has more than its share, the oldest of all goes', () => {
    const stored = new StoredResponses(20)
    for (let at = 0; at < 30; at += 1) stored.set(key(`k${at}`), 'resp', studio)
    const known = Array.from({ length: 30 }, (_, at) => stored.get(key(`k${at}`), 'resp') !== undefined)
    expect(known).toEqual(known.map((_, at) => at >= 10))
  })

  test('alone, a key has room for all of them', () => {
    const stored = new StoredResponses(50)
    for (let at = 0; at < 60; at += 1) stored.set(key('only'), `resp-${at}`, studio)
    expect(stored.get(key('only'), 'resp-9')).toBeUndefined()
    expect(stored.get(key('only'), 'resp-10')).toBe(studio)
  })

  test('with room for one, the last is there', () => {
    const stored = new StoredResponses(1)
    for (const owner of ['a', 'b', 'b']) stored.set(key(owner), 'resp', studio)
    expect([stored.get(key('a'), 'resp'), stored.get(key('b'), 'resp')]).toEqual([undefined, studio])
  })

  test('whatever comes, there are no more than the most, and who is within its share loses nothing to one beyond it', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(4), fc.nat(30)), { maxLength: 200 }), (writes) => {
        const stored = new StoredResponses(20)
        const count = (owner: number) =>
          Array.from({ length: 31 }, (_, id) => stored.get(key(`${owner}`), `${id}`)).filter(Boolean).length
        for (const [owner, id] of writes) {
          const before = [0, 1, 2, 3, 4].map(count)
          stored.set(key(`${owner}`), `${id}`, studio)
          const after = [0, 1, 2, 3, 4].map(count)
          expect(stored.get(key(`${owner}`), `${id}`)).toBe(studio)
          expect(after.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(20)
          const isAnyLarge = before.some((one) => one > 2)
          const lost = after.flatMap((one, at) => (one < (before[at] ?? 0) ? [before[at] ?? 0] : []))
          if (isAnyLarge) for (const had of lost) expect(had).toBeGreaterThan(2)
        }
      }),
    )
  })
})
