/** A client that takes nothing keeps its host waiting: how long is told. */
import { expect, test } from 'vitest'
import { streaming } from './attempted.ts'
import { content, done, finish } from './relayed-stream.ts'

test('how long a client held its host up is told when it reads on, once for each time', () => {
  const { attempt, clock, owner, trip, heldUpMs } = streaming()
  for (const ms of [250, 4_000]) {
    owner.clientTakesMore = false
    trip.data(content)
    clock.advanceSync(ms)
    trip.data(content)
    owner.clientTakesMore = true
    attempt.resume()
    clock.advanceSync(50)
    trip.data(content)
  }
  attempt.resume()
  trip.data(finish + done)
  trip.end()
  expect(heldUpMs).toEqual([250, 4_000])
})

test('the time in which a client takes nothing is not taken for slowness of its host', () => {
  const { attempt, clock, owner, trip, meter } = streaming()
  trip.data(content)
  clock.advanceSync(20)
  owner.clientTakesMore = false
  trip.data(content)
  clock.advanceSync(4_000)
  owner.clientTakesMore = true
  attempt.resume()
  clock.advanceSync(20)
  trip.data(content)
  expect(meter.soFar().timePerOutputTokenMs).toBeCloseTo(20)
})

test.each<[string, (played: ReturnType<typeof streaming>) => void]>([
  ['its client leaves', ({ attempt }) => attempt.abort()],
  ['the host breaks', () => {}],
])('and at the end where it never read on: %s', (_how, happens) => {
  const played = streaming()
  played.owner.clientTakesMore = false
  played.trip.data(content)
  played.clock.advanceSync(1_500)
  happens(played)
  played.trip.fail()
  expect(played.heldUpMs).toEqual([1_500])
})
