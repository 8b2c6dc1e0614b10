/** The virtual clock: order, cancelling, timers set on the way, and what runs around each of them. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { VirtualClock } from '../../sim/virtual-clock.ts'

it('fires timers in the order of their times, those of one instant in the order in which they were set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (delays) => {
      const clock = new VirtualClock()
      const fired: number[] = []
      for (const [at, delay] of delays.entries()) clock.after(delay, () => fired.push(at))
      clock.runUntil(20)
      const expected = [...delays.keys()].toSorted((a, b) => delays[a]! - delays[b]! || a - b)
      expect(fired).toEqual(expected)
    }),
  )
})

it('stands at the time of the timer that fires, and in the end at the time it was run until', () => {
  const clock = new VirtualClock()
  const seen: number[] = []
  clock.after(10, () => {
    seen.push(clock.now())
    clock.after(5, () => seen.push(clock.now()))
  })
  clock.after(100, () => seen.push(clock.now()))
  const wallMs = clock.wallMs()
  clock.runUntil(50)
  expect(seen).toEqual([10, 15])
  expect(clock.now()).toBe(50)
  expect(clock.wallMs() - wallMs).toBe(50)
  clock.runUntil(100)
  expect(seen).toEqual([10, 15, 100])
})

it('a cancelled timer never fires, whether cancelled before the run or by another timer', () => {
  const clock = new VirtualClock()
  const fired: string[] = []
  const early = clock.after(1, () => fired.push('early'))
  const late = clock.after(3, () => fired.push('late'))
  clock.after(2, () => late.cancel())
  clock.after(4, () => fired.push('kept'))
  early.cancel()
  clock.runUntil(10)
  expect(fired).toEqual(['kept'])
})

it('lets flow what flows, before each timer and after it, at its time', () => {
  const steps: number[] = []
  const clock = new VirtualClock(() => steps.push(clock.now()))
  clock.after(7, () => steps.push(-1))
  clock.runUntil(9)
  expect(steps).toEqual([7, -1, 7, 9])
})
