/** What an operator is told of a key's limits. */

import { expect, test } from 'vitest'
import { Limiter } from '../../../src/access/limiter.ts'
import { limitsOptions } from '../../../src/access/options.ts'
import { Reservation } from '../../../src/access/reservation.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const clock = new FakeClock()
const limiter = new Limiter({
  clock,
  limits: limitsOptions.parse({ default: { requestsPerMinute: 60 } }),
  teams: { red: { tokensPerDay: 1_000 } },
  chance: () => 0,
})

test('each limit of the key and of its team is told, those for all keys among them', () => {
  const subject = { keyId: 'a', name: 'alice', team: 'red', limits: { concurrentRequests: 2 } }
  expect(limiter.left(subject)).toEqual([
    { limit: 'requestsPerMinute', of: 'key', maximum: 60, remaining: 15, resetMs: 0 },
    { limit: 'concurrentRequests', of: 'key', maximum: 2, remaining: 2, resetMs: 0 },
    { limit: 'tokensPerDay', of: 'team', maximum: 1_000, remaining: 1_000, resetMs: 0 },
  ])
  const reservation = limiter.ask(subject, { requests: 1, input: 100, output: 50 })
  expect(limiter.left(subject)).toEqual([
    { limit: 'requestsPerMinute', of: 'key', maximum: 60, remaining: 14, resetMs: 1_000 },
    { limit: 'concurrentRequests', of: 'key', maximum: 2, remaining: 1, resetMs: null },
    { limit: 'tokensPerDay', of: 'team', maximum: 1_000, remaining: 850, resetMs: 86_400_000 },
  ])
  if (reservation instanceof Reservation) reservation.settle(null)
  expect(limiter.left(subject).map(({ remaining }) => remaining)).toEqual([15, 2, 1_000])
})

test('of a key without limits nothing is told', () => {
  const unlimited = new Limiter({ clock, limits: limitsOptions.parse({}), teams: {}, chance: () => 0 })
  expect(unlimited.left({ keyId: 'b', name: 'bob', team: null, limits: {} })).toEqual([])
})
