import { describe, expect, it } from 'vitest'
import { BackPressure } from '../../../src/hosts/back-pressure.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

const slots = 4

function hostAtWork() {
  const clock = new FakeClock()
  return { clock, pressure: new BackPressure(clock) }
}

describe('the pause', () => {
  it('lasts as long as the host said and not a millisecond less', () => {
    const { clock, pressure } = hostAtWork()
    expect(pressure.pausedForMs).toBe(0)
    pressure.busy(5_000, 4, slots)
    clock.advanceSync(4_999)
    expect(pressure.pausedForMs).toBe(1)
    clock.advanceSync(1)
    expect(pressure.pausedForMs).toBe(0)
  })

  it.each([
    [60_000, 60_000],
    [60_001, 60_000],
    [Infinity, 60_000],
    [250, 250],
    [249, 250],
    [0.001, 250],
    [0, 1_000],
    [null, 1_000],
  ])('a wait of %s ms is %d ms', (said, ms) => {
    const { pressure } = hostAtWork()
    pressure.busy(said, 4, slots)
    expect(pressure.pausedForMs).toBe(ms)
  })

  it('without a word it doubles from 1 s to 30 s, and begins anew after a success', () => {
    const { clock, pressure } = hostAtWork()
    const pauses = Array.from({ length: 7 }, () => {
      pressure.busy(null, 1, slots)
      const { pausedForMs } = pressure
      clock.advanceSync(pausedForMs)
      return pausedForMs / 1_000
    })
    expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30])
    pressure.succeeded()
    pressure.busy(null, 1, slots)
    expect(pressure.pausedForMs).toBe(1_000)
  })

  it('a shorter wait that is said later does not shorten it', () => {
    const { pressure } = hostAtWork()
    pressure.busy(30_000, 4, slots)
    pressure.busy(2_000, 3, slots)
    expect(pressure.pausedForMs).toBe(30_000)
  })
})

describe('the slots', () => {
  it.each([
    [4, 3],
    [3, 2],
    [2, 1],
    [1, 1],
    [9, 4],
  ])('a busy answer among %d requests leaves %d', (leases, left) => {
    const { pressure } = hostAtWork()
    pressure.busy(1_000, leases, slots)
    expect(pressure.slots(slots)).toBe(left)
  })

  it('come back one per 10 s, counted from the end of the pause', () => {
    const { clock, pressure } = hostAtWork()
    pressure.busy(5_000, 2, slots)
    const seen: number[] = []
    for (const ms of [5_000, 9_999, 1, 9_999, 1, 9_999, 1]) {
      clock.advanceSync(ms)
      seen.push(pressure.slots(slots))
    }
    expect(seen).toEqual([1, 1, 2, 2, 3, 3, 4])
    expect(pressure.msToNextSlot(slots)).toBeNull()
  })

  it('the time to the next one brings it', () => {
    const { clock, pressure } = hostAtWork()
    pressure.busy(5_000, 3, slots)
    expect(pressure.msToNextSlot(slots)).toBe(15_000)
    clock.advanceSync(15_000)
    expect([pressure.slots(slots), pressure.msToNextSlot(slots)]).toEqual([3, 10_000])
  })

  it('busy again on the way back: the fewer of the two, never more than there were', () => {
    const { clock, pressure } = hostAtWork()
    pressure.busy(1_000, 2, slots)
    clock.advanceSync(11_000)
    expect(pressure.slots(slots)).toBe(2)
    pressure.busy(1_000, 4, slots)
    expect(pressure.slots(slots)).toBe(2)
    pressure.busy(1_000, 2, slots)
    expect(pressure.slots(slots)).toBe(1)
  })

  it('a success gives none back before its time', () => {
    const { pressure } = hostAtWork()
    pressure.busy(1_000, 2, slots)
    pressure.succeeded()
    expect(pressure.slots(slots)).toBe(1)
  })
})
