/** How late the event loop is: told by its own timers, none of which contains its period, and read by whoever wants. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Clock } from '../../../src/base/clock.ts'
import { delayBuckets } from '../../../src/observe/definitions/buckets.ts'
import { EventLoopDelay, eventLoopDelays } from '../../../src/observe/event-loop-delay.ts'

/** Timers that fire as late as a test says. */
function lateClock() {
  let nowMs = 1_000
  let waiting: { dueMs: number; callback: () => void } | null = null
  const clock: Pick<Clock, 'now' | 'after'> = {
    now: () => nowMs,
    after(delayMs, callback) {
      waiting = { dueMs: nowMs + delayMs, callback }
      return { cancel: () => {} }
    },
  }
  const fire = (lateMs: number) => {
    const due = waiting
    if (due === null) throw new Error('no timer waits')
    nowMs = due.dueMs + lateMs
    due.callback()
  }
  return { clock, fire }
}

const upTo = (seconds: number) => delayBuckets.indexOf(seconds)

it('counts a timer that is on time as not late, and one that is late by how late it was', () => {
  const { clock, fire } = lateClock()
  const delay = new EventLoopDelay(clock)
  delay.start()
  for (const lateMs of [0, 0.5, -0.4, 8, 15]) fire(lateMs)
  expect(delay.counts[upTo(0.001)]).toBe(3)
  expect(delay.counts[upTo(0.01)]).toBe(1)
  expect(delay.counts[upTo(0.025)]).toBe(1)
  expect(delay.sum).toBeCloseTo(0.0235)
})

it('counts what was due while the loop was held: of a second in ten, a tenth is late', () => {
  const { clock, fire } = lateClock()
  const delay = new EventLoopDelay(clock)
  delay.start()
  for (let timers = 0; timers < 450; timers += 1) fire(0)
  fire(1_000)
  const late = delay.counts.slice(upTo(0.001) + 1).reduce((sum, count) => sum + count, 0)
  expect(late).toBe(50)
  expect(delay.counts[upTo(1)]).toBe(25)
})

it('takes a machine that slept for no delay', () => {
  const { clock, fire } = lateClock()
  const delay = new EventLoopDelay(clock)
  delay.start()
  fire(3_600_000)
  fire(0)
  expect([delay.counts.reduce((sum, count) => sum + count, 0), delay.sum]).toEqual([1, 0])
})

it('of this process sees a turn that holds it, and is the same for all who read', async () => {
  const delays = eventLoopDelays()
  const before = delays.sum
  const endMs = performance.now() + 120
  while (performance.now() < endMs);
  while (delays.sum === before) await nextTurn()
  expect(delays.sum - before).toBeGreaterThan(0.09)
  expect(eventLoopDelays()).toBe(delays)
})
