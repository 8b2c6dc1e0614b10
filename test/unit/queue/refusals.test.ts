/** Bounds in all hold for whoever waits, for a slot or for something else. */
import { expect, it } from 'vitest'
import { Dispatcher } from '../../../src/queue/dispatcher.ts'
import { queueOptions } from '../../../src/queue/options.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

function given(elsewhere: { requests: number; tokens: number }) {
  return new Dispatcher(queueOptions.parse({ lengthMax: 3, tokensMax: 100 }), {
    clock: new FakeClock(),
    balancer: balancerOf(),
    events: { waitEnded: () => {}, rejected: () => {}, estimateTold: () => {}, gaveBack: () => {} },
    waitingElsewhere: () => elsewhere,
  })
}

it('one more may wait up to the bound of requests', () => {
  expect([2, 3, 4].map((requests) => given({ requests, tokens: 0 }).hasRoom(1))).toEqual([true, false, false])
})

it('one more may wait up to the bound of tokens, its own counted in', () => {
  expect([9, 10, 11].map((tokens) => given({ requests: 2, tokens: 90 }).hasRoom(tokens))).toEqual([true, true, false])
})

it('the first may wait, whatever its size, since it would not be smaller later', () => {
  expect(given({ requests: 0, tokens: 0 }).hasRoom(1_000)).toBe(true)
})
