import { describe, expect, test } from 'vitest'
import type { FakeClock } from '../../kit/fake-clock.ts'
import { connected, limits, type PlayedTrip } from './attempted.ts'

describe('one frame', () => {
  const piece = 'data: {"choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
  /** Content comes often enough, in one read with the beginning of the next frame. */
  const drip = (trip: PlayedTrip, clock: FakeClock, reads: readonly string[], everyMs: number) => {
    for (const read of reads) {
      clock.advanceSync(everyMs)
      trip.data(read)
    }
  }

  test('must be whole in its time, however its bytes trickle', () => {
    const { owner, trip, clock } = connected({ ...limits, contentGapMsMax: 50_000 })
    trip.head()
    trip.data(piece + piece.slice(0, 5))
    drip(trip, clock, ['i', 'n', 'd'], 5_000)
    clock.advanceSync(4_999)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_stalled'])
    expect(owner.failures[0]).toMatchObject({ failure: { cause: 'timed_out' } })
    expect(trip.aborted).toBe(true)
  })

  test('and each has its own', () => {
    const { owner, trip, clock } = connected({ ...limits, contentGapMsMax: 50_000, totalMsMax: 900_000 })
    trip.head()
    trip.data(piece + piece.slice(0, 5))
    for (let round = 0; round < 3; round += 1) {
      clock.advanceSync(limits.frameMsMax - 1)
      trip.data(piece.slice(5) + piece.slice(0, 5))
    }
    trip.data(piece.slice(5))
    clock.advanceSync(limits.frameMsMax + 1)
    expect(owner.endings).toEqual([])
  })
})
