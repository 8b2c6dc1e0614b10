/** The parts of a host's health together: what it may be given, when that changes by time alone, and who is told. */
import { describe, expect, it } from 'vitest'
import type { AttemptVerdict } from '../../../src/hosts/health.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { mayEjectOneMore } from '../../../src/hosts/spare-hosts.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'

function watched({ slots = 4, mayEject = true } = {}) {
  const clock = new FakeClock()
  const changes: number[] = []
  const startMs = clock.now()
  const log: string[] = []
  const host = knownHost('h', {
    slots,
    parts: {
      clock,
      log: (_level, message, fields) => void log.push(`${message} ${String(fields?.['forSeconds'])}`),
      mayEject: () => mayEject,
      onChange: () => void changes.push(clock.now() - startMs),
    },
  })
  const ends = (verdict: AttemptVerdict | 'ok' | 'lost' | 'failed' | 'neutral', times = 1): void => {
    for (let i = 0; i < times; i++) {
      host.health.attemptEnded(typeof verdict === 'string' ? { kind: verdict } : verdict)
    }
  }
  return { clock, host, changes, log, ends, health: host.health }
}

function lease(host: Host): object {
  const held = {}
  host.leases.add(held)
  host.health.attemptBegan()
  return held
}

describe('at rest', () => {
  it('takes all its slots, holds no timer, and successes change nothing', () => {
    const { health, clock, changes, ends } = watched()
    ends('ok', 10)
    expect([health.limit, health.busyForMs, health.ejected, clock.pendingTimers]).toEqual([4, 0, false, 0])
    expect(changes).toEqual([])
  })

  it('what is no fault of the host counts for nothing and ends no row', () => {
    const { health, ends } = watched()
    ends('lost', 2)
    ends('neutral', 100)
    ends({ kind: 'busy', retryAfterMs: 1_000 }, 100)
    expect(health.ejected).toBe(false)
    ends('lost')
    expect(health.ejected).toBe(true)
  })
})

describe('ejected', () => {
  it('tells at once, with one log line, and again when it is over; then its slots come one by one', () => {
    const { health, clock, changes, log, ends } = watched()
    ends('lost', 3)
    expect([health.ejected, health.throttled, changes]).toEqual([true, false, [0]])
    expect(log).toEqual(['requests to a host fail: it is ejected 15'])
    clock.advanceSync(14_999)
    expect(health.ejected).toBe(true)
    clock.advanceSync(1)
    expect([health.ejected, health.limit]).toEqual([false, 1])
    expect(changes).toContain(15_000)
    clock.advanceSync(30_000)
    expect(changes.slice(-3)).toEqual([25_000, 35_000, 45_000])
    expect([health.limit, clock.pendingTimers]).toEqual([4, 0])
  })

  it('a good probe neither ends nor shortens it', () => {
    const { host, health, clock, ends } = watched()
    ends('failed', 5)
    for (let i = 0; i < 14; i++) {
      host.probeSucceeded({ models: null }, 2)
      clock.advanceSync(1_000)
    }
    expect(health.ejected).toBe(true)
  })

  it('where it is needed all the same, one request per second, each with a wake-up', () => {
    const { host, clock, changes, ends } = watched()
    ends('lost', 3)
    expect(host.hasFreeSlot).toBe(false)
    clock.advanceSync(999)
    expect([host.hasFreeSlot, host.health.busyForMs]).toEqual([false, 1])
    clock.advanceSync(1)
    expect([host.hasFreeSlot, changes.at(-1)]).toEqual([true, 1_000])
    lease(host)
    expect(host.hasFreeSlot).toBe(false)
    clock.advanceSync(1_000)
    expect([host.hasFreeSlot, changes.at(-1)]).toEqual([true, 2_000])
  })

  it('a success of such a request ends it: one slot at first, and the row begins anew', () => {
    const { host, health, clock, changes, ends } = watched()
    ends('lost', 3)
    clock.advanceSync(1_000)
    const held = lease(host)
    ends('ok')
    host.leases.delete(held)
    expect([health.ejected, health.limit, host.hasFreeSlot, changes.at(-1)]).toEqual([false, 1, true, 1_000])
    ends('lost', 2)
    expect(health.ejected).toBe(false)
  })

  it('a success of a request from before does not', () => {
    const { health, ends } = watched()
    ends('lost', 3)
    ends('ok')
    expect(health.ejected).toBe(true)
  })

  it('nor does one that was let through in an ejection before', () => {
    const { host, health, clock, ends } = watched()
    ends('lost', 3)
    clock.advanceSync(1_000)
    lease(host)
    clock.advanceSync(14_000)
    ends('lost')
    expect(health.ejected).toBe(true)
    ends('ok')
    expect(health.ejected).toBe(true)
  })

  it('when too many are out it stays in the choice, for a trickle', () => {
    const { host, health, ends } = watched({ mayEject: false })
    ends('lost', 3)
    expect([health.ejected, health.throttled, host.hasFreeSlot]).toEqual([true, true, false])
  })

  it('at most half of all hosts are out at once', () => {
    const hosts: Host[] = Array.from({ length: 5 }, (_, i) =>
      knownHost(String(i), { parts: { mayEject: () => mayEjectOneMore(hosts) } }),
    )
    for (const { health } of hosts) for (let i = 0; i < 3; i++) health.attemptEnded({ kind: 'lost' })
    expect(hosts.map(({ health }) => health.ejected)).toEqual([true, true, true, true, true])
    expect(hosts.map(({ health }) => health.throttled)).toEqual([false, false, true, true, true])
    const alone: Host = knownHost('alone', { parts: { mayEject: () => mayEjectOneMore([alone]) } })
    for (let i = 0; i < 3; i++) alone.health.attemptEnded({ kind: 'lost' })
    expect(alone.health.throttled).toBe(true)
  })
})

describe('busy', () => {
  it('never ejects; nothing new while it pauses, then fewer slots, one more per 10 s, with a wake-up for each', () => {
    const { host, health, clock, changes, ends } = watched()
    const held = Array.from({ length: 3 }, () => lease(host))
    ends({ kind: 'busy', retryAfterMs: 5_000 })
    host.leases.delete(held[0]!)
    expect([health.ejected, health.limit, health.busyForMs, host.hasFreeSlot]).toEqual([false, 2, 5_000, false])
    for (const holder of held) host.leases.delete(holder)
    clock.advanceSync(4_999)
    expect(host.hasFreeSlot).toBe(false)
    clock.advanceSync(1)
    expect([host.hasFreeSlot, host.state().limit, host.state().slots]).toEqual([true, 2, 4])
    clock.advanceSync(60_000)
    expect(changes).toEqual([5_000, 15_000, 25_000])
    expect([health.limit, clock.pendingTimers]).toEqual([4, 0])
  })
})

describe('back after it was down', () => {
  it('slots come one by one', () => {
    const { host, health, clock, changes } = watched({ slots: 3 })
    host.connectFailed('connection refused')
    host.probeSucceeded({ models: null })
    expect([health.limit, host.hasFreeSlot]).toEqual([1, true])
    clock.advanceSync(14_999)
    expect(health.limit).toBe(1)
    clock.advanceSync(1)
    expect([health.limit, changes]).toEqual([2, [15_000]])
    clock.advanceSync(15_000)
    expect([health.limit, clock.pendingTimers]).toEqual([3, 0])
  })

  it('the first time up is no return', () => {
    expect([watched().health.limit, watched().clock.pendingTimers]).toEqual([4, 0])
  })

  it('a reported number of slots moves the wake-up', () => {
    const clock = new FakeClock()
    const changes: number[] = []
    const startMs = clock.now()
    const host = knownHost('h', { parts: { clock, onChange: () => void changes.push(clock.now() - startMs) } })
    host.connectFailed('gone')
    host.probeSucceeded({ models: null })
    host.probeSucceeded({ models: null, slots: 31 })
    clock.advanceSync(1_000)
    expect([host.health.limit, changes]).toEqual([2, [1_000]])
  })
})

it('after `stop` no timer is left', () => {
  const { health, clock, ends } = watched()
  ends('lost', 3)
  health.stop()
  expect(clock.pendingTimers).toBe(0)
})
