import { describe, expect, test } from 'vitest'
import { endCode } from '../../../src/relay/outcome.ts'
import type { FakeClock } from '../../kit/fake-clock.ts'
import { connected, limits, type PlayedTrip } from './attempted.ts'

describe('the whole answer', () => {
  const piece = 'data: {"choices":[{"index":0,"delta":{"content":"w"},"finish_reason":null}]}\n\n'
  /** Content every five seconds until the limit, but that its client takes nothing for so long in the middle. */
  const slowlyRead = (pausedMs: number) => {
    const played = connected({ ...limits, contentGapMsMax: 50_000 })
    const { attempt, owner, trip, clock } = played
    trip.head()
    trip.data(piece)
    clock.advanceSync(5_000)
    owner.clientTakesMore = false
    trip.data(piece)
    expect(trip.calls).toEqual(['pause'])
    clock.advanceSync(pausedMs)
    owner.clientTakesMore = true
    attempt.resume()
    for (let ms = 5_000 + pausedMs + 5_000; ms < limits.totalMsMax; ms += 5_000) {
      clock.advanceSync(5_000)
      trip.data(piece)
    }
    return played
  }

  test.each([
    [29_999, 'timed_out', 'uD', 'failed'],
    [30_000, 'client_slow', 'cD', 'neutral'],
    [50_000, 'client_slow', 'cD', 'neutral'],
  ] as const)('that waited %d ms of 60 s for its client, and is late: %s', (pausedMs, cause, end, verdict) => {
    const { owner, trip, clock } = slowlyRead(pausedMs)
    expect(owner.endings).toEqual([])
    clock.advanceSync(5_000)
    expect(owner.endings).toEqual(['failed upstream_timeout'])
    const failure = owner.failures[0]?.failure
    expect([failure?.cause, failure?.verdict.kind]).toEqual([cause, verdict])
    expect(endCode('upstream_timeout', 'D', cause)).toBe(end)
    expect(trip.aborted).toBe(true)
    expect(clock.pendingTimers).toBe(0)
  })

  test('that waits for its client at the limit, and did for most of the time', () => {
    const { owner, trip, clock } = connected()
    trip.head()
    owner.clientTakesMore = false
    clock.advanceSync(2_000)
    trip.data(piece)
    clock.advanceSync(limits.totalMsMax - 2_000)
    expect(owner.failures[0]).toMatchObject({ failure: { cause: 'client_slow' } })
    expect(clock.pendingTimers).toBe(0)
  })

  test('several short waits add up', () => {
    const { attempt, owner, trip, clock } = connected({ ...limits, contentGapMsMax: 50_000 })
    trip.head()
    for (let round = 0; round < 6; round += 1) {
      owner.clientTakesMore = false
      trip.data(piece)
      clock.advanceSync(5_000)
      owner.clientTakesMore = true
      attempt.resume()
      clock.advanceSync(5_000)
    }
    expect(owner.failures[0]).toMatchObject({ failure: { cause: 'client_slow' } })
  })
})

describe('a refusal', () => {
  const refusing = () => {
    const played = connected()
    played.trip.head('application/json', 503, { 'retry-after': '5', 'content-length': '50' })
    played.trip.data('{"err')
    return played
  }

  test('whose body stalls is told after two seconds, by its status alone, and its slot is free', () => {
    const { attempt, owner, trip, clock } = refusing()
    clock.advanceSync(1_999)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_busy'])
    expect(owner.failures[0]).toMatchObject({ failure: { cause: 'busy' }, answered: true })
    expect(trip.aborted).toBe(true)
    trip.fail({ kind: 'aborted' })
    expect(owner.endings).toEqual(['failed upstream_busy', 'over'])
    expect(attempt.livesOn).toBe(false)
    expect(clock.pendingTimers).toBe(0)
  })

  test('however it drips', () => {
    const { owner, trip, clock } = refusing()
    for (const byte of ['o', 'r', '"']) {
      clock.advanceSync(500)
      trip.data(byte)
    }
    clock.advanceSync(499)
    expect(owner.endings).toEqual([])
    clock.advanceSync(1)
    expect(owner.endings).toEqual(['failed upstream_busy'])
  })

  test('that is whole before is told at once', () => {
    const { owner, trip, clock } = refusing()
    clock.advanceSync(1_000)
    trip.end()
    expect(owner.endings).toEqual(['failed upstream_busy', 'over'])
    expect(clock.pendingTimers).toBe(0)
  })
})

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
