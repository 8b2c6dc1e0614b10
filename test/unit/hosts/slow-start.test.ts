import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { msToNextSlot, slowStartSlots } from '../../../src/hosts/slow-start.ts'

const overMs = 30_000

it('begins with one slot and has the k-th when its share of the time is over, not a millisecond earlier', () => {
  const at = (elapsedMs: number) => slowStartSlots(4, elapsedMs, overMs)
  expect([at(0), at(9_999), at(10_000), at(19_999), at(20_000), at(29_999), at(30_000), at(90_000)]).toEqual([
    1, 1, 2, 2, 3, 3, 4, 4,
  ])
})

it('one slot is one slot; without a time all are there at once', () => {
  expect([slowStartSlots(1, 0, overMs), msToNextSlot(1, 0, overMs)]).toEqual([1, null])
  expect([slowStartSlots(8, 0, 0), msToNextSlot(8, 0, 0)]).toEqual([8, null])
})

it('whatever the numbers: the time to the next slot brings it, and the last is there at the end', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 1_024 }), fc.integer({ min: 1, max: 100_000 }), (slots, durationMs) => {
      let elapsedMs = 0
      for (let have = 1; have < slots; have++) {
        expect(slowStartSlots(slots, elapsedMs, durationMs)).toBe(have)
        elapsedMs += msToNextSlot(slots, elapsedMs, durationMs) ?? Number.NaN
      }
      expect(elapsedMs).toBeCloseTo(durationMs, 3)
      expect(msToNextSlot(slots, Math.round(elapsedMs), durationMs)).toBeNull()
    }),
    { numRuns: 50 },
  )
})
