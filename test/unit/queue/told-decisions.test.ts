/** What the line tells of each choice of a host it acts on: whose it was, and how waiting for a full host ended. */
import { expect, it } from 'vitest'
import type { DecisionRecord, HoldResult } from '../../../src/balancing/events.ts'
import type { Policy } from '../../../src/balancing/policy.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { line } from './line.ts'

function told(hosts: Parameters<typeof line>[0], options: Parameters<typeof line>[1] = {}) {
  const decided: DecisionRecord[] = []
  const ended: { host: string; result: HoldResult; ms: number }[] = []
  const decisions = {
    decided: (decision: DecisionRecord) => void decided.push(decision),
    holdEnded: ({ host }: { host: string }, result: HoldResult, ms: number) => void ended.push({ host, result, ms }),
  }
  return { ...line(hosts, { ...options, decisions }), decided, ended }
}

it('each slot that is given is told of, with whose it is, how long it waited, and what the lease keeps of it', async () => {
  const clock = new FakeClock()
  const { ask, decided } = told([knownHost('a', { slots: 1 })], { clock })
  const first = ask('m', { key: 'alice', class: 'bulk', tokens: { input: 20, output: 300 } })
  const second = ask('m', { key: 'bob' })
  expect(decided).toHaveLength(1)
  await clock.advance(400)
  first.lease?.release()
  expect(decided.map(({ key, waitedMs }) => [key, waitedMs])).toEqual([
    ['alice', 0],
    ['bob', 400],
  ])
  expect(decided[0]).toMatchObject({ model: 'm', class: 'bulk', inputTokens: 20, outputTokens: 300, hold: null })
  expect(first.lease?.record).toBe(decided[0])
  expect(second.lease?.record).toBe(decided[1])
})

it('one that waits for a full host is told of twice: when it began to, and with the slot it had in the end', async () => {
  const clock = new FakeClock()
  const [home, other] = [knownHost('home', { slots: 1 }), knownHost('other')]
  const makePolicy = (): Policy => ({
    choose(_ask, places) {
      const place = places.find(({ host }) => host === home) ?? places[0]
      return { place, reason: 'prefix', waitMsMax: place.isFree ? 0 : 2_000 }
    },
  })
  const balancer = balancerOf({ clock, policy: 'fastest', makePolicy })
  const { ask, decided, ended } = told([home, other], { clock, balancer })
  const first = ask()
  ask()
  expect(decided[1]).toMatchObject({ reason: 'prefix', hold: { waitMsMax: 2_000, ended: null } })
  expect(decided[1]?.places.map(({ host, isFree }) => [host, isFree])).toEqual([
    ['home', false],
    ['other', true],
  ])
  await clock.advance(700)
  first.lease?.release()
  expect(ended).toEqual([{ host: 'home', result: 'granted', ms: 700 }])
  expect(decided[1]?.hold?.ended).toEqual({ result: 'granted', ms: 700 })
  expect(decided[2]).toMatchObject({ hold: null, waitedMs: 700 })
})

it('where nobody looks nothing is made', () => {
  const { ask } = line([knownHost('a')])
  expect(ask().lease?.record).toBeNull()
})
