import { array, assert, boolean, integer, property } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RecentRequests } from '../../../src/observe/recent-requests.ts'
import type { Outcome } from '../../../src/relay/outcome.ts'
import { outcome } from '../../kit/scripted-sources.ts'

const served = (id: string): Outcome => outcome({ id })
const refused = (id: string): Outcome => outcome({ id, model: null, askedModel: null, status: 401, end: 'GA' })
const limited = (id: string): Outcome => outcome({ id, status: 429, end: 'GA' })
const idsOf = (recent: RecentRequests): string[] => Array.from(recent.newestFirst(), ({ id }) => id)

describe('the last requests', () => {
  it('are so many and no more, the newest first', () => {
    const recent = new RecentRequests(3)
    for (const id of ['a', 'b', 'c', 'd', 'e']) recent.add(served(id))
    expect(idsOf(recent)).toEqual(['e', 'd', 'c'])
    expect(recent.find(({ id }) => id === 'd')?.id).toBe('d')
    expect(recent.find(({ id }) => id === 'a')).toBeNull()
  })

  it('are not pushed out by those that are refused at the door, however many', () => {
    const recent = new RecentRequests(10)
    recent.add(served('first'))
    for (let n = 0; n < 1_000; n++) recent.add(n % 2 === 0 ? refused(`r${n}`) : limited(`r${n}`))
    recent.add(served('last'))
    expect(idsOf(recent)).toEqual(['last', 'r999', 'first'])
  })

  it('stay as they were for whoever goes through them while others end', () => {
    const recent = new RecentRequests(3)
    for (const id of ['a', 'b', 'c']) recent.add(served(id))
    const ids: string[] = []
    for (const { id } of recent.newestFirst()) {
      ids.push(id)
      recent.add(served(`after ${id}`))
    }
    expect(ids).toEqual(['c', 'b', 'a'])
  })

  it('are none where none are wanted', () => {
    const recent = new RecentRequests(0)
    recent.add(served('a'))
    recent.add(refused('b'))
    expect(idsOf(recent)).toEqual([])
  })

  it('come in the order in which they ended, served and refused together', () => {
    const kinds = array(boolean(), { maxLength: 60 })
    assert(
      property(kinds, integer({ min: 1, max: 20 }), (areServed, max) => {
        const recent = new RecentRequests(max)
        areServed.forEach((isServed, n) => recent.add(isServed ? served(String(n)) : refused(String(n))))
        const numbered = areServed.map((isServed, n) => ({ isServed, n })).toReversed()
        const kept = [
          ...numbered.filter(({ isServed }) => isServed).slice(0, max),
          ...numbered.filter(({ isServed }) => !isServed).slice(0, Math.ceil(max / 10)),
        ]
        expect(idsOf(recent)).toEqual(
          kept
            .map(({ n }) => n)
            .toSorted((a, b) => b - a)
            .map(String),
        )
      }),
    )
  })
})
