/** What a lease keeps of the decision behind it, for whoever asks afterwards. */
import { expect, it } from 'vitest'
import { knownHost } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

const considered = ({ lease }: Asker) =>
  lease?.decision.considered.filter(({ place }) => place.isFree).map(({ place }) => place.host.name)

it('it names the hosts that had a slot free, and no other', () => {
  const [a, b, c] = [knownHost('a', { slots: 2 }), knownHost('b', { slots: 1 }), knownHost('c', { lists: ['other'] })]
  const { ask } = line([a, b, c])
  const [first, second, third] = [ask(), ask(), ask()]
  expect(considered(first)).toEqual(['a', 'b'])
  // One of them has a slot left.
  expect(new Set([considered(second)?.length, considered(third)?.length])).toContain(1)
  expect(considered(third)).toEqual([third.lease?.host.name])
})

it('of a large fleet it names some, so that what is kept for long stays small', () => {
  const { ask } = line(Array.from({ length: 50 }, (_, at) => knownHost(`host-${at}`)))
  expect(ask().lease?.decision.considered).toHaveLength(16)
})

it('it tells what was reckoned of the wait when it began, and nothing where nobody waited or nothing was known', async () => {
  const { clock, ask } = line([knownHost('a', { slots: 1 })])
  const [first, unsure] = [ask(), ask()]
  await clock.advance(1_000)
  first.lease?.release()
  expect([first.lease?.told, unsure.lease?.told]).toEqual([null, null])
  const sure = ask()
  const { p50Ms, p90Ms } = sure.turn.estimate() ?? {}
  await clock.advance(400)
  unsure.lease?.release()
  expect(p50Ms).toBeGreaterThan(0)
  expect(sure.lease?.told).toEqual({ p50Ms, p90Ms })
})
