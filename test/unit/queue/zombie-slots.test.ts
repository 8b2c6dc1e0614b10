import { describe, expect, it } from 'vitest'
import type { Host } from '../../../src/hosts/host.ts'
import { Flow } from '../../../src/queue/flow.ts'
import { Lease } from '../../../src/queue/lease.ts'
import { ZombieSlots } from '../../../src/queue/zombie-slots.ts'
import { balancerOf } from '../../kit/balancers.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost } from '../../kit/known-hosts.ts'
import { billed, decisionFor } from '../../kit/places.ts'

function slotsOf(host: Host, msMax = 60_000) {
  const clock = new FakeClock()
  const asked: number[] = []
  const released: Lease[] = []
  const slots = new ZombieSlots({ clock, msMax, ask: () => void asked.push(clock.now()) })
  const lease = (): Lease =>
    new Lease(decisionFor(host), {
      grantedAtMs: clock.now(),
      ...billed(new Flow({ id: 'alice', name: 'alice', weight: 1 }), host, balancerOf({ clock })),
      asked: 'm',
      class: 'default',
      onRelease: (one) => void released.push(one),
    })
  const zombie = (): Lease => {
    const one = lease()
    slots.keep(one)
    return one
  }
  return { clock, asked, released, slots, lease, zombie }
}

describe('a slot whose host goes on', () => {
  it('is held for msMax and not a millisecond longer, each by its own time', () => {
    const host = knownHost('a')
    const { clock, released, slots, zombie } = slotsOf(host)
    const first = zombie()
    clock.advanceSync(20_000)
    const second = zombie()
    clock.advanceSync(39_999)
    expect([released, slots.count(host), host.leases.size]).toEqual([[], 2, 2])
    clock.advanceSync(1)
    expect([released, slots.count(host), host.leases.size]).toEqual([[first], 1, 1])
    clock.advanceSync(20_000)
    expect([released, slots.count(host), clock.pendingTimers]).toEqual([[first, second], 0, 0])
  })

  it('brings its host to be asked each second, and no more often for two of them', () => {
    const host = knownHost('a')
    const { clock, asked, zombie } = slotsOf(host, 3_500)
    zombie()
    zombie()
    clock.advanceSync(10_000)
    expect(asked).toEqual([2_000, 3_000, 4_000])
    zombie()
    clock.advanceSync(1_000)
    expect(asked).toHaveLength(4)
  })

  it('is of its host alone', () => {
    const [host, other] = [knownHost('a'), knownHost('b')]
    const { clock, slots, zombie } = slotsOf(host)
    zombie()
    clock.advanceSync(1_000)
    slots.told(other, 0, clock.now())
    expect([slots.count(host), slots.count(other)]).toEqual([1, 0])
  })

  it('ends with the gateway', () => {
    const host = knownHost('a')
    const { clock, released, slots, zombie } = slotsOf(host)
    const all = [zombie(), zombie(), zombie()]
    slots.close()
    expect([released, host.leases.size, clock.pendingTimers]).toEqual([all, 0, 0])
  })
})

describe('what a host says of itself', () => {
  it('that it is idle frees all that it had when it was asked', () => {
    const host = knownHost('a')
    const { clock, released, slots, zombie } = slotsOf(host)
    const before = zombie()
    clock.advanceSync(1)
    const askedAtMs = clock.now()
    const after = zombie()
    slots.told(host, 0, askedAtMs)
    expect(released).toEqual([before])
    clock.advanceSync(1)
    slots.told(host, 0, clock.now())
    expect(released).toEqual([before, after])
    expect(clock.pendingTimers).toBe(0)
  })

  it('that it works on so many keeps as many of the youngest', () => {
    const host = knownHost('a')
    const { clock, released, slots, zombie } = slotsOf(host)
    const [first, second] = [zombie(), zombie(), zombie()]
    clock.advanceSync(10)
    slots.told(host, 1, clock.now())
    expect(released).toEqual([first, second])
    slots.told(host, 1, clock.now())
    expect(slots.count(host)).toBe(1)
  })

  it('is not put down to these where it is explained by our own requests that have arrived', () => {
    const host = knownHost('a')
    const { clock, released, slots, lease, zombie } = slotsOf(host)
    const live = lease()
    const given = zombie()
    clock.advanceSync(1_001)
    slots.told(host, 1, clock.now())
    expect([released, slots.count(host), host.leases.has(live)]).toEqual([[given], 0, true])
  })

  it('is put down to these as long as a request of ours may not have arrived', () => {
    const host = knownHost('a')
    const { clock, slots, lease, zombie } = slotsOf(host)
    zombie()
    clock.advanceSync(10)
    lease()
    clock.advanceSync(1_000)
    slots.told(host, 1, clock.now())
    expect(slots.count(host)).toBe(1)
  })

  it('is not put down to these where it is explained by what other gateways have had there for a while', () => {
    const host = knownHost('a')
    const { clock, slots, zombie } = slotsOf(host)
    zombie()
    clock.advanceSync(1_000)
    host.elsewhere.held = 2
    slots.told(host, 2, clock.now())
    expect(slots.count(host)).toBe(1)
    clock.advanceSync(1_000)
    slots.told(host, 3, clock.now())
    expect(slots.count(host)).toBe(1)
    slots.told(host, 2, clock.now())
    expect(slots.count(host)).toBe(0)
  })

  it('that it works on fewer than we know of frees all', () => {
    const host = knownHost('a')
    const { clock, slots, lease, zombie } = slotsOf(host)
    lease()
    lease()
    zombie()
    clock.advanceSync(2_000)
    slots.told(host, 1, clock.now())
    expect(slots.count(host)).toBe(0)
  })
})
