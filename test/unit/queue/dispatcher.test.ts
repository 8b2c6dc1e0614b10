/** The line against its promises: slots never exceeded, nobody lost, order kept, leaving free, refusals with a hint. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { leastBusy } from '../../../src/balancing/least-busy.ts'
import { GatewayError } from '../../../src/base/errors.ts'
import type { AttemptVerdict } from '../../../src/hosts/health.ts'
import { type Host, mayEjectOneMore } from '../../../src/hosts/host.ts'
import { type Candidate, ModelCatalog, type Route } from '../../../src/hosts/model-catalog.ts'
import { Dispatcher, type Leave } from '../../../src/queue/dispatcher.ts'
import type { Rejection, WaitOutcome } from '../../../src/queue/events.ts'
import type { Lease } from '../../../src/queue/lease.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'

interface Asker {
  readonly leave: Leave
  lease: Lease | null
  error: GatewayError | null
  busyForMs: number | null
}

interface Asked {
  readonly returning: boolean
  readonly excluded: readonly Host[]
  readonly route: Route
  readonly patienceMs: number
}

interface LineOptions {
  readonly lengthMax?: number
  readonly waitMsMax?: number
  readonly clock?: FakeClock
}

function line(hosts: readonly Host[], { clock = new FakeClock(), ...options }: LineOptions = {}) {
  const waits: WaitOutcome[] = []
  const rejections: Rejection[] = []
  const dispatcher = new Dispatcher(
    { lengthMax: 1_000, waitMsMax: 60_000, ...options },
    {
      clock,
      policy: leastBusy(() => 0.5),
      events: {
        waitEnded: (_model, outcome) => void waits.push(outcome),
        rejected: (_model, reason) => void rejections.push(reason),
      },
    },
  )
  const catalog = new ModelCatalog(hosts, {})
  const granted: Asker[] = []
  const ask = (model = 'm', more: Partial<Asked> = {}): Asker => {
    const asker: Asker & { leave: Leave } = { lease: null, error: null, busyForMs: null, leave: () => {} }
    asker.leave = dispatcher.ask({
      route: more.route ?? catalog.route(model, 'chat_completions'),
      excluded: new Set(more.excluded ?? []),
      returning: more.returning ?? false,
      ...(more.patienceMs === undefined ? {} : { patienceMs: more.patienceMs }),
      granted(lease) {
        asker.lease = lease
        granted.push(asker)
      },
      refused(error, busyForMs) {
        asker.error = error
        asker.busyForMs = busyForMs
      },
    })
    return asker
  }
  return { clock, dispatcher, ask, granted, waits, rejections }
}

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

  it('serves in the order of arrival, but who had a slot before comes first', () => {
    const { ask, granted } = line([knownHost('a', { slots: 1 })])
    const running = ask()
    const early = ask()
    const late = ask()
    const returning = ask('m', { returning: true })
    running.lease?.release()
    returning.lease?.release()
    early.lease?.release()
    expect(granted).toEqual([running, returning, early, late])
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
    leaver.leave()
    leaver.leave()
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

describe('returning', () => {
  it('has the patience that it brings along, and not a millisecond more', async () => {
    const { ask, clock } = line([knownHost('a', { slots: 1 })])
    ask()
    const returning = ask('m', { returning: true, patienceMs: 2_000 })
    await clock.advance(1_999)
    expect(returning.error).toBeNull()
    await clock.advance(1)
    expect([returning.error?.code, returning.busyForMs]).toEqual(['queue_timeout', 0])
  })

  it('waits though the line is full', () => {
    const { ask, dispatcher } = line([knownHost('a', { slots: 1 })], { lengthMax: 1 })
    ask()
    ask()
    expect(ask('m', { returning: true }).error).toBeNull()
    expect(dispatcher.length).toBe(2)
  })

  it('is told when no host is left', () => {
    const a = knownHost('a')
    const { ask, rejections } = line([a])
    expect(ask('m', { returning: true, excluded: [a] }).error?.code).toBe('no_upstream_available')
    expect(rejections).toEqual(['no_host'])
  })
})

describe('hosts that take nothing for a while', () => {
  const pausing = (name: string, clock: FakeClock, retryAfterMs: number, onChange = () => {}): Host => {
    const host = knownHost(name, { parts: { clock, onChange } })
    host.health.attemptEnded({ kind: 'busy', retryAfterMs })
    return host
  }

  it('are waited for, by who returns as by who comes, and both are served when the pause is over', async () => {
    const clock = new FakeClock()
    const host = pausing('a', clock, 5_000, () => dispatcher.hostsChanged())
    const { ask, dispatcher, granted } = line([host], { clock })
    const newcomer = ask()
    const returning = ask('m', { returning: true })
    await clock.advance(4_999)
    expect(granted).toEqual([])
    await clock.advance(1)
    expect(granted).toEqual([returning])
    returning.lease?.release()
    expect(granted).toEqual([returning, newcomer])
  })

  it('nobody is lost when a slot is gone by time alone between the look and the grant', () => {
    const host = knownHost('a')
    const candidates: Candidate[] = []
    const route = { model: 'm', candidates: () => candidates.splice(0) }
    const full = { host: knownHost('full', { slots: 1 }), model: 'm' }
    full.host.leases.add({})
    const { ask, dispatcher } = line([host])
    candidates.push(full)
    const waiting = ask('m', { route })
    candidates.push({ host, model: 'm' })
    // The first look finds the host, the second one nothing.
    dispatcher.hostsChanged()
    expect([waiting.lease, dispatcher.length]).toEqual([null, 1])
    waiting.leave()
    expect(dispatcher.length).toBe(0)
  })

  it('when patience ends first, the smallest wait is told, and no hint is shorter', async () => {
    const clock = new FakeClock()
    const hosts = [pausing('a', clock, 50_000), pausing('b', clock, 40_000)]
    const { ask } = line(hosts, { clock, waitMsMax: 10_000 })
    const waiting = ask()
    await clock.advance(10_000)
    expect([waiting.error?.code, waiting.busyForMs]).toEqual(['queue_timeout', 30_000])
    expect(waiting.error?.retryAfterMs).toBeGreaterThanOrEqual(30_000)
  })

  it('are no reason when another host merely has no slot', async () => {
    const clock = new FakeClock()
    const { ask } = line([pausing('a', clock, 50_000), knownHost('b', { slots: 1 })], { clock, waitMsMax: 10_000 })
    ask()
    const waiting = ask()
    await clock.advance(10_000)
    expect([waiting.error?.code, waiting.busyForMs]).toEqual(['queue_timeout', 0])
  })
})

describe('hosts that are ejected', () => {
  it('those who wait go on to the next group at that moment', () => {
    const parts = { onChange: () => dispatcher.hostsChanged() }
    const first = knownHost('a', { lists: ['big'], slots: 1, parts })
    const second = knownHost('b', { lists: ['small'] })
    const { ask, dispatcher } = line([first, second])
    const route = new ModelCatalog([first, second], { best: ['big', 'small'] }).route('best', 'chat_completions')
    ask('best', { route })
    const waiting = ask('best', { route })
    expect(waiting.lease).toBeNull()
    for (let i = 0; i < 3; i++) first.health.attemptEnded({ kind: 'lost' })
    expect(waiting.lease?.host).toBe(second)
  })

  it('the only one is given one request per second until one succeeds', async () => {
    const clock = new FakeClock()
    const host = knownHost('a', { parts: { clock, onChange: () => dispatcher.hostsChanged() } })
    const { ask, dispatcher, granted } = line([host], { clock })
    for (let i = 0; i < 3; i++) host.health.attemptEnded({ kind: 'lost' })
    for (let i = 0; i < 6; i++) ask()
    const seen: number[] = []
    const failLatest = (): void => {
      const { lease } = granted.at(-1)!
      host.health.attemptEnded({ kind: 'lost' })
      lease?.release()
    }
    for (const ms of [999, 1, 999, 1]) {
      await clock.advance(ms)
      if (granted.length > (seen.at(-1) ?? 0)) failLatest()
      seen.push(granted.length)
    }
    expect(seen).toEqual([0, 1, 1, 2])
    await clock.advance(1_000)
    expect(granted).toHaveLength(3)
    host.health.attemptEnded({ kind: 'ok' })
    granted.at(-1)?.lease?.release()
    // One slot at first, and no second to wait.
    expect(granted).toHaveLength(4)
    granted.at(-1)?.lease?.release()
    expect(granted).toHaveLength(5)
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
              chosen.leave()
            }
          }
          for (const host of hosts) expect(host.leases.size).toBeLessThanOrEqual(host.slots)
          const waiting = askers.filter((asker) => asker.lease === null && asker.error === null && !left.has(asker))
          expect(dispatcher.length).toBe(waiting.length)
          expect(new Set(granted).size).toBe(granted.length)
          expect(hosts.reduce((sum, host) => sum + host.leases.size, 0)).toBe(granted.length - released.size)
          for (const [model, depth] of dispatcher.depthByModel()) {
            const candidates = catalog.route(model, 'chat_completions').candidates()
            const able = candidates.filter(({ host }) => host.hasFreeSlot).map(({ host }) => host.name)
            expect({ model, depth, able }).toEqual({ model, depth, able: [] })
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
