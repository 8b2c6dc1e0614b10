/** A host's slots as they adapt, what follows from a change, and the pause that somebody gives it. */
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { type KnownHost, knownHost } from '../../kit/known-hosts.ts'

const good = { firstTokenMs: 500, timePerOutputTokenMs: 40 }
const slow = { firstTokenMs: 500, timePerOutputTokenMs: 400 }

function watched(settings: KnownHost = {}) {
  const clock = new FakeClock()
  const told: string[] = []
  const host = knownHost('h', {
    ...settings,
    parts: {
      clock,
      onChange: () => void told.push(`may take more: ${host.slots}`),
      onLimitChange: ({ name, slots }, direction, reason) => void told.push(`${name} ${direction} ${reason} ${slots}`),
    },
  })
  const lease = (times = 1): void => {
    for (let i = 0; i < times; i++) host.leases.add({})
  }
  const release = (times = 1): void => {
    for (const held of [...host.leases].slice(0, times)) host.leases.delete(held)
  }
  /** So many answers end, each while all slots are taken; who waited gets the slot. */
  const endAll = (times: number, speed: typeof good): void => {
    for (let i = 0; i < times; i++) {
      lease(Math.max(0, host.slots - host.leases.size))
      host.answered(speed, clock.now())
      release()
      lease(Math.max(0, host.slots - host.leases.size))
      host.heldBack()
    }
  }
  return { clock, told, host, lease, release, endAll }
}

describe('slots that adapt', () => {
  test('grow while somebody waits; the line and the metrics are told', () => {
    const { host, told, endAll } = watched()
    expect([host.slots, host.state().limit]).toEqual([2, 2])
    endAll(21, good)
    expect([host.slots, host.state().slots, host.state().limit]).toEqual([3, 3, 3])
    expect(told).toEqual(['h up room 3', 'may take more: 3'])
  })

  test('shrink without taking from those who run: nobody is given a slot until enough of these have ended', () => {
    const { host, told, endAll, release } = watched({ slots: { min: 1, max: 8 } })
    endAll(141, good)
    told.length = 0
    endAll(5, slow)
    expect([host.slots, host.leases.size, told]).toEqual([6, 7, ['h down tpot 6']])
    expect(host.hasFreeSlot).toBe(false)
    release()
    expect(host.hasFreeSlot).toBe(false)
    release()
    expect(host.hasFreeSlot).toBe(true)
  })

  test('do not grow for those who wait while slots are free, as at a host that pauses', () => {
    const { clock, host, lease, release } = watched()
    for (let i = 0; i < 100; i++) {
      lease()
      host.heldBack()
      host.answered(good, clock.now())
      release()
    }
    expect(host.slots).toBe(2)
  })

  test('a busy answer takes slots for good where the host may have fewer, and the pause is over all the same', () => {
    const { clock, host, told, release, endAll } = watched({ slots: { min: 2, max: 8 } })
    endAll(81, good)
    expect([host.slots, host.leases.size]).toEqual([6, 6])
    told.length = 0
    release(2)
    host.health.attemptEnded({ kind: 'busy', retryAfterMs: 1_000 })
    release()
    expect([host.slots, host.health.limit, host.hasFreeSlot, told]).toEqual([3, 3, false, ['h down busy 3']])
    release()
    clock.advanceSync(100_000)
    expect([host.slots, host.health.limit, host.hasFreeSlot, clock.pendingTimers]).toEqual([3, 3, true, 0])
  })

  test('a fixed number stays, whatever the answers say', () => {
    const { host, told, endAll } = watched({ slots: 4 })
    endAll(100, good)
    endAll(100, slow)
    host.health.attemptEnded({ kind: 'busy', retryAfterMs: null })
    expect([host.slots, told]).toEqual([4, []])
  })

  test('of a slow host stay at the number of its kind', () => {
    const { host, told, endAll } = watched()
    endAll(500, slow)
    expect([host.slots, told]).toEqual([2, []])
  })

  test('are bounded by what the host says from its next probe on', () => {
    const { host, endAll } = watched({ slots: { min: 2, max: 8 } })
    endAll(81, good)
    expect(host.slots).toBe(6)
    expect(host.probeSucceeded({ models: null, slots: 3 })).toBe(true)
    endAll(100, good)
    expect(host.slots).toBe(3)
  })
})

test('slots that come during a slow start come with a wake-up of their own', () => {
  const { clock, host, told, endAll } = watched({ up: false, slots: { min: 2, max: 3 } })
  host.probeSucceeded({ models: null })
  endAll(21, good)
  expect([host.slots, host.health.limit]).toEqual([3, 1])
  told.length = 0
  // Two steps of 15 s for three slots, where two slots had one of 30 s.
  clock.advanceSync(15_000)
  expect([host.health.limit, told]).toEqual([2, ['may take more: 3']])
})

describe('paused', () => {
  test('it gives no slot and is not down; what runs goes on, and probes count', () => {
    const { host, lease, release, told } = watched()
    lease()
    host.pause()
    expect([host.paused, host.hasFreeSlot, host.up, host.available]).toEqual([true, false, true, true])
    release()
    expect(host.probeSucceeded({ models: null })).toBe(false)
    expect([host.hasFreeSlot, told]).toEqual([false, []])
  })

  test('resumed, the line is told once', () => {
    const { host, told } = watched()
    host.pause()
    host.pause()
    host.resume()
    host.resume()
    expect([host.paused, host.hasFreeSlot, told]).toEqual([false, true, ['may take more: 2']])
  })
})
