import { describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { Asker } from './line.ts'
import {
  goneAfterMs,
  release,
  type SharedWorldOptions,
  sharedWorld,
  state,
  two,
  type WorldGateway,
} from './shared-world.ts'

describe('several gateways before one host', () => {
  it('never hold more of it than it has, and each slot that is given back goes to one that waits', async () => {
    const { clock, a, b, running } = two()
    const asked = [a.ask(), a.ask(), b.ask(), b.ask()]
    expect(asked.map(state)).toEqual(['runs', 'runs', 'waits', 'waits'])
    expect([a.host().elsewhere.held, b.host().elsewhere.held]).toEqual([0, 2])
    release(asked[0] as Asker)
    await clock.advance(0)
    expect(asked.map(state)).toEqual(['runs', 'runs', 'runs', 'waits'])
    expect(running()).toBe(2)
    release(asked[1] as Asker)
    await clock.advance(0)
    expect(state(asked[3] as Asker)).toBe('runs')
    release(asked[2] as Asker)
    release(asked[3] as Asker)
    await clock.advance(1_000)
    expect([a.host().leases.size, b.host().leases.size]).toEqual([0, 0])
    expect(clock.pendingTimers).toBe(0)
  })

  it('leave nothing of one that was refused: no charge, no attempt, no wait that ended', async () => {
    const { a, b } = two({ hosts: { studio: { slots: 1 } }, decisions: undefined } as SharedWorldOptions)
    a.ask()
    const refused = b.ask('m', { tokens: { input: 100, output: 50 } })
    expect(state(refused)).toBe('waits')
    expect(b.waits).toEqual([])
    expect(b.dispatcher.length).toBe(1)
    const [flow] = [...b.dispatcher.flows()]
    expect(flow?.counterAt(b.host())).toBe(0)
    expect(flow?.running).toBe(0)
    expect(b.host().leases.size).toBe(0)
    expect(b.host().memory.usesOf('m')).toBe(0)
    expect(b.outcomes).toEqual(['studio refused'])
  })

  it('give a slot to whoever was served least, whichever gateway it was given back at', async () => {
    const { clock, a, b } = two({ hosts: { studio: { slots: 1 } } })
    const first = a.ask('m', { key: 'flood', tokens: { input: 1_000, output: 0 } })
    const more = a.ask('m', { key: 'flood', tokens: { input: 1_000, output: 0 } })
    const light = b.ask('m', { key: 'light', tokens: { input: 1, output: 0 } })
    release(first)
    await clock.advance(0)
    expect([state(more), state(light)]).toEqual(['waits', 'runs'])
    release(light)
    await clock.advance(0)
    expect(state(more)).toBe('runs')
  })

  it('give it to what is more urgent before bulk, and to what was sent back before both', async () => {
    const { clock, gateways } = sharedWorld({ gateways: 4, hosts: { studio: { slots: 1 } } })
    const [a, b, c, d] = gateways as [WorldGateway, WorldGateway, WorldGateway, WorldGateway]
    const first = a.ask()
    const bulk = b.ask('m', { class: 'bulk' })
    const urgent = c.ask('m', { class: 'interactive' })
    const back = d.ask('m', { place: 'sent_back' })
    const order: Asker[] = []
    for (let turn = 0, holder = first; turn < 3; turn++) {
      release(holder)
      await clock.advance(0)
      const next = [bulk, urgent, back].find((one) => one.lease !== null && !order.includes(one))
      if (next === undefined) throw new Error('nobody was granted it')
      order.push(next)
      holder = next
    }
    expect(order).toEqual([back, urgent, bulk])
  })

  it('know at once of one that goes before whoever is known to wait', async () => {
    const { clock, gateways } = sharedWorld({ gateways: 3, hosts: { studio: { slots: 1 } } })
    const [a, b, c] = gateways as [WorldGateway, WorldGateway, WorldGateway]
    const first = a.ask()
    const bulk = [b.ask('m', { class: 'bulk' }), c.ask('m', { class: 'bulk' })]
    const urgent = c.ask('m', { class: 'interactive' })
    release(first)
    await clock.advance(0)
    expect([...bulk, urgent].map(state)).toEqual(['waits', 'waits', 'runs'])
  })

  it('find out at once that more is free than they knew', async () => {
    const { clock, b } = two({ hosts: { studio: { slots: 2 } }, delayMs: 5 })
    b.host().elsewhere.held = 2
    const asked = [b.ask(), b.ask()]
    expect([b.host().leases.size, b.dispatcher.length]).toEqual([1, 1])
    await clock.advance(20)
    expect(asked.map(state)).toEqual(['runs', 'runs'])
  })

  it('try the next host at once where the chosen one is full elsewhere', () => {
    const { a, b } = two({ hosts: { one: { slots: 1, tier: 1 }, two: { slots: 1, tier: 2 } } })
    a.ask()
    const other = b.ask()
    expect(other.lease?.host.name).toBe('two')
    expect(b.outcomes).toEqual(['one refused', 'two granted'])
  })

  it('ask again before long where nobody tells that a slot is free', async () => {
    const { clock, a, b } = two({ hosts: { studio: { slots: 1 } } })
    const first = a.ask()
    const waiting = b.ask()
    b.road.isHeld = true
    release(first)
    await clock.advance(0)
    expect(state(waiting)).toBe('waits')
    b.road.forget()
    await clock.advance(250)
    expect(state(waiting)).toBe('runs')
  })

  it('leave nothing idle, and nobody behind, where they know of different limits', async () => {
    const { clock, a, b, slots, running } = two({ hosts: { studio: { slots: 4 } }, order: 'first-come' })
    vi.spyOn(b.host().health, 'limit', 'get').mockReturnValue(2)
    const asked = [a, b, a, b, a, b, a, b, a, b, a, b].map((one) => ({ one, asker: one.ask() }))
    const served = new Map<WorldGateway, number>()
    for (let turns = 0; turns < 8; turns++) {
      const first = asked.findIndex(({ asker }) => asker.lease !== null)
      const [ends] = asked.splice(first, 1)
      if (ends === undefined) throw new Error('nobody runs')
      release(ends.asker)
      served.set(ends.one, (served.get(ends.one) ?? 0) + 1)
      await clock.advance(260)
      for (const { id } of [a, b]) slots.beat(id)
      expect(running()).toBe(4)
    }
    expect([...served.values()]).toEqual([4, 4])
  })

  it('have the slots back of one that has gone', async () => {
    const { clock, a, b, slots } = two({ hosts: { studio: { slots: 2 } } })
    a.ask()
    a.ask()
    const waiting = b.ask()
    for (let ms = 0; ms < goneAfterMs + 600; ms += 200) {
      expect(state(waiting)).toBe(ms <= goneAfterMs ? 'waits' : state(waiting))
      await clock.advance(200)
      slots.beat('b')
    }
    expect(state(waiting)).toBe('runs')
  })
})

describe('a slot that is being asked for', () => {
  it('is taken here meanwhile', async () => {
    const { clock, a } = two({ hosts: { studio: { slots: 1 } }, delayMs: 5 })
    const first = a.ask()
    const second = a.ask()
    expect([state(first), state(second), a.host().leases.size, a.dispatcher.length]).toEqual(['waits', 'waits', 1, 1])
    await clock.advance(10)
    expect([state(first), state(second)]).toEqual(['runs', 'waits'])
  })

  it('is given back where its client has left meanwhile, and goes to the next one', async () => {
    const { clock, a, b } = two({ hosts: { studio: { slots: 1 } }, delayMs: 5 })
    const gone = a.ask()
    const next = b.ask()
    gone.turn.leave()
    expect([a.waits, a.host().leases.size]).toEqual([['left'], 0])
    await clock.advance(300)
    expect([state(gone), state(next)]).toEqual(['waits', 'runs'])
    expect(a.outcomes).toEqual(['studio granted', 'studio undone'])
    gone.turn.leave()
    expect(a.waits).toEqual(['left'])
  })

  it('is refused where all are refused from now on', async () => {
    const { clock, a, slots } = two({ delayMs: 5 })
    const asked = a.ask()
    a.dispatcher.close(new GatewayError('gateway_shutting_down', 'The gateway is stopping.'))
    expect(asked.error?.code).toBe('gateway_shutting_down')
    await clock.advance(100)
    expect([state(asked), slots.held('studio'), a.waits]).toEqual(['refused', 0, ['refused']])
  })

  it('is not given while nobody is given anything', async () => {
    const { clock, a, slots } = two({ delayMs: 5 })
    const asked = a.ask()
    a.dispatcher.pause()
    await clock.advance(100)
    expect([state(asked), slots.held('studio'), a.dispatcher.length]).toEqual(['waits', 0, 1])
    a.dispatcher.resume()
    await clock.advance(100)
    expect(state(asked)).toBe('runs')
  })

  it('is not given of a host that takes no work any more', async () => {
    const { clock, a, slots } = two({ hosts: { one: { slots: 1, tier: 1 }, two: { slots: 1, tier: 2 } }, delayMs: 5 })
    const asked = a.ask()
    a.host('one').connectFailed('connection refused')
    a.dispatcher.hostsChanged()
    await clock.advance(100)
    expect([asked.lease?.host.name, slots.held('one'), slots.held('two')]).toEqual(['two', 0, 1])
  })

  it('is asked for within what is left of the time for answers, until the request waits in line', async () => {
    const { clock, a, b } = two({ hosts: { one: { slots: 1, tier: 1 }, two: { slots: 1, tier: 2 } }, delayMs: 5 })
    b.ask()
    b.ask()
    await clock.advance(10)
    const take = vi.spyOn(a.replica, 'take')
    a.ask('m', { storeWaitMs: 30 })
    await clock.advance(300)
    expect(take.mock.calls.slice(0, 4).map(([{ host, spentMs }]) => [host, spentMs])).toEqual([
      ['one', 30],
      ['two', 40],
      ['one', 0],
      ['two', 0],
    ])
  })

  it('lets the line hear that no host is left', async () => {
    const { clock, a } = two({ hosts: { one: { slots: 1 } }, delayMs: 5 })
    const asked = a.ask()
    a.host('one').modelGone('m')
    a.dispatcher.hostsChanged()
    a.dispatcher.hostsLeft()
    await clock.advance(100)
    expect(state(asked)).toBe('refused')
  })
})

describe('one that was refused', () => {
  it('waits where it did', async () => {
    const { clock, a, b, slots } = two({ hosts: { studio: { slots: 1 } }, order: 'first-come' })
    const first = a.ask()
    const asked = [b.ask(), b.ask('m', { key: 'bob' }), b.ask()]
    for (let looks = 0; looks < 5; looks++) {
      await clock.advance(300)
      slots.beat('a')
      slots.beat('b')
    }
    expect(asked.map(state)).toEqual(['waits', 'waits', 'waits'])
    let holder = first
    for (const next of asked) {
      release(holder)
      await clock.advance(0)
      expect(state(next)).toBe('runs')
      holder = next
    }
  })

  it('is not let into a line that is full', () => {
    const { a, b } = two({ hosts: { studio: { slots: 1 } }, lengthMax: 1 })
    a.ask()
    expect([b.ask(), b.ask()].map(state)).toEqual(['waits', 'refused'])
    expect(b.rejections).toEqual(['full'])
  })

  it('waits no longer than its patience in all', async () => {
    const { clock, a, b, slots } = two({ hosts: { studio: { slots: 1 } } })
    a.ask()
    const asked = b.ask('m', { patienceMs: 1_000 })
    for (let ms = 0; ms < 1_000; ms += 100) {
      expect(state(asked)).toBe('waits')
      await clock.advance(100)
      for (const id of ['a', 'b']) slots.beat(id)
    }
    expect(state(asked)).toBe('refused')
    expect(b.rejections).toEqual(['timeout'])
  })

  it('has no claim any more once nobody of its gateway waits', async () => {
    const { clock, gateways } = sharedWorld({ gateways: 3, hosts: { studio: { slots: 1 } } })
    const [a, b, c] = gateways as [WorldGateway, WorldGateway, WorldGateway]
    const heavy = { key: 'heavy', tokens: { input: 1_000, output: 0 } }
    release(c.ask('m', heavy))
    await clock.advance(0)
    const first = a.ask()
    const gone = b.ask('m', { key: 'light' })
    const waiting = c.ask('m', heavy)
    gone.turn.leave()
    release(first)
    await clock.advance(0)
    expect(state(waiting)).toBe('runs')
  })
})

describe('while nobody can tell what others hold', () => {
  it('each gateway keeps to its share, and what runs goes on', async () => {
    const { clock, a, b, running } = two({ hosts: { studio: { slots: 5 } } })
    const before = [a.ask(), a.ask(), a.ask()]
    for (const one of [a, b]) one.replica.isShared = false
    const later = [a.ask(), b.ask(), b.ask(), b.ask()]
    expect([...before, ...later].map(state)).toEqual(['runs', 'runs', 'runs', 'waits', 'runs', 'runs', 'waits'])
    expect(running()).toBe(5)
    release(before[0] as Asker)
    await clock.advance(0)
    expect(state(later[0] as Asker)).toBe('waits')
    release(before[1] as Asker)
    await clock.advance(0)
    expect(state(later[0] as Asker)).toBe('runs')
    expect(a.outcomes.filter((one) => one === 'studio local').length).toBeGreaterThan(0)
  })

  it('has one slot at the least', () => {
    const { gateways, running } = sharedWorld({ gateways: 3, hosts: { studio: { slots: 2 } } })
    for (const one of gateways) one.replica.isShared = false
    expect(gateways.map((one) => state(one.ask()))).toEqual(['runs', 'runs', 'runs'])
    expect(running()).toBe(3)
  })

  it('what was granted meanwhile counts with the first word afterwards', async () => {
    const { clock, a, b, slots } = two({ hosts: { studio: { slots: 2 } } })
    for (const one of [a, b]) one.replica.isShared = false
    const asked = [a.ask(), b.ask()]
    await clock.advance(0)
    for (const one of [a, b]) one.replica.isShared = true
    expect(slots.held('studio')).toBe(2)
    const more = [a.ask(), b.ask()]
    expect(more.map(state)).toEqual(['waits', 'waits'])
    for (const one of asked) release(one)
    await clock.advance(0)
    expect(more.map(state)).toEqual(['runs', 'runs'])
  })

  it('a call that nobody answers is decided by the share, and its late answer holds nothing', async () => {
    const { clock, a, b, slots } = two({ hosts: { studio: { slots: 2 } } })
    a.road.isCut = true
    const asked = [a.ask(), a.ask()]
    expect(asked.map(state)).toEqual(['waits', 'waits'])
    await clock.advance(60)
    expect(asked.map(state)).toEqual(['runs', 'waits'])
    a.road.isCut = false
    await clock.advance(300)
    expect([state(asked[1] as Asker), slots.held('studio')]).toEqual(['runs', 2])
    expect(state(b.ask())).toBe('waits')
  })
})
