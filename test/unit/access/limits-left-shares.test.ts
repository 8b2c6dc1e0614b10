/** What is left of limits, for metrics: of those who asked lately, and nobody is remembered for being told of. */
import { expect, test } from 'vitest'
import { Limiter } from '../../../src/access/limiter.ts'
import { limitNames } from '../../../src/access/limits.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { accessScene } from './access-scene.ts'
import { keyOf, limiterOf } from './limiter-parts.ts'
import { sampleKey } from './sample-key.ts'

const noKeys = () => null

function sharesOf(rests: Iterable<{ key: string; limit: string; share: number }>): Record<string, number[]> {
  const shares: Record<string, number[]> = {}
  for (const { key, limit, share } of rests) (shares[`${key} ${limit}`] ??= []).push(share)
  return shares
}

test('is told of each limit of a key and of its team, and nothing of a key that never asked', () => {
  const { access, clock, give, ask } = accessScene({
    options: { default: { requestsPerMinute: 60 } },
    teams: { red: { requestsPerDay: 10, concurrentRequests: 8 } },
  })
  const alice = sampleKey({ name: 'alice', team: 'red', limits: { concurrentRequests: 4 } })
  give(alice.record, sampleKey({ name: 'bob', team: 'red' }).record)
  expect(sharesOf(access.limitRests())).toEqual({})
  const one = ask(alice)
  const shares = {
    'alice requestsPerMinute': [14 / 15],
    'alice concurrentRequests': [3 / 4, 7 / 8],
    'alice requestsPerDay': [9 / 10],
  }
  expect(sharesOf(access.limitRests())).toEqual(shares)
  one.settle(null)
  clock.advanceSync(1_000)
  expect(sharesOf(access.limitRests())).toEqual({
    'alice requestsPerMinute': [1],
    'alice concurrentRequests': [1, 1],
    'alice requestsPerDay': [1],
  })
})

test('stands under the name that the key has now, and under none once it was revoked', () => {
  const { access, give, ask } = accessScene()
  const key = sampleKey({ name: 'old', limits: { requestsPerDay: 2 } })
  give(key.record)
  ask(key)
  give({ ...key.record, name: 'new', revision: 2 })
  expect(sharesOf(access.limitRests())).toEqual({ 'new requestsPerDay': [1 / 2] })
  give({ ...key.record, name: 'new', revision: 3, revokedAtMs: 1, secrets: [] })
  expect(sharesOf(access.limitRests())).toEqual({})
})

test('of clients without a key stands under one name, each address for itself', () => {
  const { access, ask } = accessScene({ options: { default: { requestsPerDay: 4 } } })
  for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.2']) ask(address)
  expect(sharesOf(access.limitRests())).toEqual({ 'anonymous requestsPerDay': [3 / 4, 2 / 4] })
})

test('is never less than nothing, where a limit was lowered below what is used', () => {
  const { access, give, ask } = accessScene()
  const limits = { concurrentRequests: 3, requestsPerDay: 3 }
  const key = sampleKey({ name: 'ci', limits })
  give(key.record)
  for (let i = 0; i < 3; i++) ask(key)
  give({ ...key.record, limits: { concurrentRequests: 1, requestsPerDay: 1 }, revision: 2 })
  ask(key)
  expect(sharesOf(access.limitRests())).toEqual({ 'ci concurrentRequests': [0], 'ci requestsPerDay': [0] })
})

test('is told of the 1,000 keys that asked last, however many there are', () => {
  const { limiter, ask } = limiterOf()
  const limits = { requestsPerDay: 5 }
  const idOf = (i: number) => `key-${i}`
  for (let i = 0; i < 1_500; i++) ask(keyOf(limits, null, idOf(i)), 1)
  ask(keyOf(limits, null, idOf(0)), 1)
  const told = Array.from(
    limiter.rests((keyId) => ({ name: keyId, team: null })),
    ({ key }) => key,
  )
  expect(told).toEqual([...Array.from({ length: 999 }, (_, i) => idOf(i + 501)), idOf(0)])
})

test('makes nobody be remembered, nor for longer: the longest unused is forgotten as if nothing had been told', () => {
  const clock = new FakeClock()
  const options = limitsOptions.parse({ clientsMax: 2, default: { requestsPerMinute: 60 } })
  const limiter = new Limiter({ clock, limits: options, teams: {}, chance: () => 0 })
  const remembered = () =>
    Array.from(
      limiter.rests((keyId) => ({ name: keyId, team: null })),
      ({ key }) => key,
    )
  limiter.headers(keyOf({}, null, 'a'))
  limiter.headers(keyOf({}, null, 'b'))
  expect(remembered()).toEqual(['a', 'b'])
  expect(remembered()).toEqual(['a', 'b'])
  limiter.headers(keyOf({}, null, 'c'))
  expect(remembered()).toEqual(['b', 'c'])
})

test('is read as it is asked for: who stops early has not looked at the rest', () => {
  const { limiter, ask } = limiterOf()
  const limits = Object.fromEntries(limitNames.map((name) => [name, 100_000]))
  for (const id of ['a', 'b', 'c']) ask(keyOf(limits, null, id), 1)
  const looked: string[] = []
  const rests = limiter.rests((keyId) => {
    looked.push(keyId)
    return { name: keyId, team: null }
  })
  for (const { limit } of rests) if (limit === 'concurrentRequests') break
  expect(looked).toEqual(['a'])
  expect([...limiter.rests(noKeys)]).toEqual([])
})
