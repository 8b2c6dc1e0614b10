/** The line against its promises: slots never exceeded, nobody lost, order kept, leaving free, refusals with a hint. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import type { AttemptVerdict } from '../../../src/hosts/health.ts'
import type { Host } from '../../../src/hosts/host.ts'
import { ModelCatalog } from '../../../src/hosts/model-catalog.ts'
import { mayEjectOneMore } from '../../../src/hosts/spare-hosts.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'
import { type Asker, line } from './line.ts'

describe('granting', () => {
  it('grants at once while a host has a free slot, and counts load in live leases', () => {
    const host = knownHost('a', { slots: 2 })
    const { ask } = line([host])
    expect([ask().lease?.host, ask().lease?.host]).toEqual([host, host])
    expect(host.leases.size).toBe(2)
    expect(ask().lease).toBeNull()
  })

  it('a slot is free again only when its lease is released, and a second release changes nothing', () => {
    const host = knownHost('a', { slots: 1 })
    const { ask } = line([host])
    const first = ask()
    const second = ask()
    const third = ask()
    first.lease?.release()
    first.lease?.release()
    expect(second.lease).not.toBeNull()
    expect(third.lease).toBeNull()
    expect(host.leases.size).toBe(1)
  })

  it('serves in the order of arrival, but who had a slot before comes first, unless it is to go last', () => {
    const { ask, granted } = line([knownHost('a', { slots: 1 })])
    const running = ask()
    const early = ask()
    const late = ask()
    const goingLast = ask('m', { place: 'last' })
    const returning = ask('m', { place: 'sent_back' })
    running.lease?.release()
    returning.lease?.release()
    early.lease?.release()
    late.lease?.release()
    expect(granted).toEqual([running, returning, early, late, goingLast])
  })

  it('a waiter whose host is busy blocks nobody behind it', () => {
    const a = knownHost('a', { slots: 1, lists: ['only-a'] })
    const b = knownHost('b', { slots: 1, lists: ['only-b'] })
    const { ask } = line([a, b])
    const onA = ask('only-a')
    const onB = ask('only-b')
    const waitsForA = ask('only-a')
    const waitsForB = ask('only-b')
    onB.lease?.release()
    expect(waitsForB.lease?.host).toBe(b)
    expect(waitsForA.lease).toBeNull()
    onA.lease?.release()
    expect(waitsForA.lease?.host).toBe(a)
  })

  it('chooses the host when a slot frees, not at arrival', () => {
    const a = knownHost('a', { slots: 1 })
    const b = knownHost('b', { slots: 1 })
    const { ask } = line([a, b])
    const running = [ask(), ask()]
    const waiting = ask()
    running.find((asker) => asker.lease?.host === b)?.lease?.release()
    expect(waiting.lease?.host).toBe(b)
  })

  it('never grants an excluded host', () => {
    const a = knownHost('a')
    const b = knownHost('b')
    const { ask } = line([a, b])
    expect(Array.from({ length: 2 }, () => ask('m', { excluded: [a] }).lease?.host)).toEqual([b, b])
  })

  it('serves those who wait when a host comes up', () => {
    const a = knownHost('a', { slots: 1 })
    const b = knownHost('b', { slots: 1, up: false })
    const { ask, dispatcher } = line([a, b])
    ask()
    const waiting = ask()
    expect(waiting.lease).toBeNull()
    b.probeSucceeded({ models: [knownModel('m')] })
    dispatcher.hostsChanged()
    expect(waiting.lease?.host).toBe(b)
  })
})

describe('refusing', () => {
  it('lengthMax waiters wait, one more is refused with a hint', () => {
    const { ask, rejections, dispatcher } = line([knownHost('a', { slots: 1 })], { lengthMax: 2 })
    ask()
    const waiting = [ask(), ask()]
    const tooMany = ask()
    expect(waiting.map((asker) => asker.error)).toEqual([null, null])
    expect(tooMany.error?.code).toBe('queue_full')
    expect(tooMany.error?.detail.retryAfterMs).toBeGreaterThanOrEqual(800)
    expect(rejections).toEqual(['full'])
    expect(dispatcher.length).toBe(2)
  })

  it('patience ends exactly at waitMsMax', async () => {
    const { ask, clock, waits } = line([knownHost('a', { slots: 1 })], { waitMsMax: 5_000 })
    ask()
    const waiting = ask()
    await clock.advance(4_999)
    expect(waiting.error).toBeNull()
    await clock.advance(1)
    expect(waiting.error?.code).toBe('queue_timeout')
    expect(waits).toEqual(['granted', 'timeout'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('says no_upstream_available at once when no host is up', () => {
    const { ask, rejections } = line([knownHost('a', { up: false })])
    expect(ask().error?.code).toBe('no_upstream_available')
    expect(rejections).toEqual(['no_host'])
  })

  it('who leaves is gone: nothing is called, its timer is cleared, its place is free', () => {
    const { ask, clock, waits, dispatcher } = line([knownHost('a', { slots: 1 })])
    const running = ask()
    const leaver = ask()
    leaver.turn.leave()
    leaver.turn.leave()
    running.lease?.release()
    expect([leaver.lease, leaver.error]).toEqual([null, null])
    expect(waits).toEqual(['granted', 'left'])
    expect([dispatcher.length, clock.pendingTimers]).toEqual([0, 0])
  })

  it('closed, it refuses who waits and who comes, with the reason given', () => {
    const { ask, dispatcher } = line([knownHost('a', { slots: 1 })])
    ask()
    const waiting = ask()
    dispatcher.close(new GatewayError('gateway_shutting_down', 'stopping'))
    expect([waiting.error?.code, ask().error?.code]).toEqual(['gateway_shutting_down', 'gateway_shutting_down'])
    expect(dispatcher.length).toBe(0)
  })

  it('the hint follows what answers really take', async () => {
    const { ask, clock } = line([knownHost('a', { slots: 1 })], { lengthMax: 1 })
    const first = ask()
    await clock.advance(30_000)
    first.lease?.release()
    ask()
    ask()
    const hint = ask().error?.detail.retryAfterMs ?? 0
    expect(hint).toBeGreaterThanOrEqual(20_000)
    expect(hint).toBeLessThanOrEqual(60_000)
  })
})

describe('whatever happens', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('ask' as const), model: fc.constantFrom('m', 'n', 'both') }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), pick: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('host' as const), pick: fc.nat(), up: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('verdict' as const),
        pick: fc.nat(),
        times: fc.integer({ min: 1, max: 3 }),
        verdict: fc.constantFrom<AttemptVerdict>(
          { kind: 'ok' },
          { kind: 'lost' },
          { kind: 'busy', retryAfterMs: 5_000 },
          { kind: 'busy', retryAfterMs: null },
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 40_000 }) }),
    },
  )

  it('slots hold, nobody is lost or served twice, and no free slot is left to a waiter who could use it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const clock = new FakeClock()
        const parts = { clock, onChange: () => dispatcher.hostsChanged(), mayEject: () => mayEjectOneMore(hosts) }
        const hosts: Host[] = [
          knownHost('a', { slots: 3, lists: ['m', 'both'], parts }),
          knownHost('b', { slots: 1, lists: ['n', 'both'], parts }),
        ]
        const { ask, granted, dispatcher } = line(hosts, { lengthMax: 10, clock })
        const catalog = new ModelCatalog(hosts, {})
        const askers: Asker[] = []
        const left = new Set<Asker>()
        const released = new Set<Asker>()
        for (const one of steps) {
          if (one.kind === 'ask') askers.push(ask(one.model))
          else if (one.kind === 'time') await clock.advance(one.ms)
          else if (one.kind === 'host') {
            const host = hosts[one.pick % hosts.length]
            if (one.up) host?.probeSucceeded({ models: null })
            else host?.connectFailed('gone')
            dispatcher.hostsChanged()
          } else if (one.kind === 'verdict') {
            const { health } = hosts[one.pick % hosts.length]!
            for (let i = 0; i < one.times; i++) health.attemptEnded(one.verdict)
          } else if (one.kind === 'release') {
            const held = granted.filter((asker) => !released.has(asker))
            const chosen = held[one.pick % Math.max(1, held.length)]
            if (chosen !== undefined) {
              released.add(chosen)
              chosen.lease?.release()
            }
          } else {
            const waiting = askers.filter((asker) => asker.lease === null && asker.error === null && !left.has(asker))
            const chosen = waiting[one.pick % Math.max(1, waiting.length)]
            if (chosen !== undefined) {
              left.add(chosen)
              chosen.turn.leave()
            }
          }
          for (const host of hosts) expect(host.leases.size).toBeLessThanOrEqual(host.slots)
          const waiting = askers.filter((asker) => asker.lease === null && asker.error === null && !left.has(asker))
          expect(dispatcher.length).toBe(waiting.length)
          expect(new Set(granted).size).toBe(granted.length)
          expect(hosts.reduce((sum, host) => sum + host.leases.size, 0)).toBe(granted.length - released.size)
          for (const model of new Set([...dispatcher.waiting()].map(({ request }) => request.route.model))) {
            const candidates = catalog.route(model, 'chat_completions').candidates()
            const able = candidates.filter(({ host }) => host.hasFreeSlot).map(({ host }) => host.name)
            expect({ model, able }).toEqual({ model, able: [] })
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
