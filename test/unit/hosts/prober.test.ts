/** When hosts are probed, and what is told of them; the probes themselves are the kinds' affair. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Host } from '../../../src/hosts/host.ts'
import type { HostKind } from '../../../src/hosts/kinds/host-kind.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { Prober } from '../../../src/hosts/prober.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { healthDefaults, hostParts, knownModel, sloDefaults } from '../../kit/known-hosts.ts'

/** A prober before one host that answers, or not, as `isAlive` says at that time. */
function probed(isAlive: (ms: number) => boolean, options: { rise?: number; kind?: HostKind } = {}) {
  const clock = new FakeClock()
  const startMs = clock.now()
  const probes: number[] = []
  const told: string[] = []
  const at = (): number => clock.now() - startMs
  const kind = {
    ...(options.kind ?? hostKind('openai')),
    async probe() {
      probes.push(at())
      if (!isAlive(at())) throw new Error('connection refused')
      return { models: [knownModel('m')] }
    },
  }
  const host = new Host(
    { name: 'h', url: 'http://127.0.0.1:9', kind, models: [], slots: 4 },
    { connectMsMax: 100, health: healthDefaults, slo: sloDefaults },
    hostParts({ clock }),
  )
  const prober = new Prober(
    [host],
    { everyMs: 5_000, timeoutMs: 2_000, fall: 1, rise: 2, bytesMax: 1_000, ...options },
    {
      clock,
      log: (_level, message) => void told.push(message),
      userAgent: 'test',
      detect: async () => kind,
      onChange: () => {},
    },
  )
  onTestFinished(() => prober.stop())
  return { clock, host, prober, probes, told }
}

it('a host that loads a model is asked each second whether it is there', async () => {
  const { clock, host, prober, probes } = probed(() => true, { kind: hostKind('lm-studio') })
  await prober.start()
  const use = {}
  host.memory.began('other', use)
  await clock.advance(20_000)
  const [first, second] = probes.filter((ms) => ms > 6_000)
  expect(second! - first!).toBeLessThanOrEqual(1_200)
  host.memory.ended('other', use, 'failed')
  const ended = probes.length
  await clock.advance(20_000)
  expect(probes.length - ended).toBeLessThanOrEqual(6)
})

describe('rising', () => {
  it('the second look comes soon after the first good one, and then the host is up', async () => {
    const { clock, host, prober, probes, told } = probed((ms) => ms < 3_000 || ms > 20_000)
    await prober.start()
    expect(host.up).toBe(true)
    await clock.advance(19_999)
    expect(host.up).toBe(false)
    await clock.advance(20_000)
    expect(told).toEqual(['host is down', 'host is up'])
    const [first, second, third] = probes.filter((ms) => ms > 20_000)
    expect(second! - first!).toBeGreaterThanOrEqual(200)
    expect(second! - first!).toBeLessThanOrEqual(300)
    expect(third! - second!).toBeGreaterThanOrEqual(4_000)
  })

  it('at the start one good probe is enough, though it comes late', async () => {
    const { clock, host, prober, probes, told } = probed((ms) => ms > 2_000)
    await prober.start()
    await clock.advance(8_000)
    expect(host.up).toBe(true)
    expect([probes.filter((ms) => ms > 2_000 && ms < 6_000).length, told]).toEqual([1, ['host is up']])
    expect(host.health.limit).toBe(4)
  })

  it('U57: one that flaps every 3 s changes its state at most once per 10 s', async () => {
    const { clock, prober, told, probes } = probed((ms) => ms % 6_000 < 3_000)
    await prober.start()
    await clock.advance(120_000)
    const changes = told.filter((message) => /^host is (up|down)$/.test(message))
    expect(changes.length).toBeGreaterThanOrEqual(4)
    expect(changes.length).toBeLessThanOrEqual(12)
    // It is watched all the while, and not without rest.
    expect(probes.length).toBeGreaterThan(30)
    expect(probes.length).toBeLessThan(300)
    expect(told).toContain('a host answers again, but fell too soon after its last return: it stays down for now')
  })
})

describe('what a host says of its load', () => {
  /** A host whose kind tells of its load so; each probe takes some time. */
  function telling(
    signals: NonNullable<HostKind['signals']>,
    { running, own = 0 }: { running?: number; own?: number } = {},
  ) {
    const clock = new FakeClock()
    const told: string[] = []
    const kind: HostKind = {
      ...hostKind('openai'),
      probe: async () => ({ models: [knownModel('m')], running }),
      signals,
    }
    const host = new Host(
      { name: 'h', url: 'http://127.0.0.1:9', kind, models: [], slots: 4, adminKey: 'k' },
      { connectMsMax: 100, health: healthDefaults, slo: sloDefaults },
      hostParts({ clock }),
    )
    for (let at = 0; at < own; at++) host.leases.add({})
    const prober = new Prober(
      [host],
      { everyMs: 5_000, timeoutMs: 2_000, fall: 1, rise: 2, bytesMax: 1_000 },
      {
        clock,
        log: (_level, message) => void told.push(message),
        userAgent: 'test',
        detect: async () => kind,
        onChange: () => {},
      },
    )
    onTestFinished(() => prober.stop())
    return { clock, host, prober, told }
  }

  it('is asked for with each probe, and kept as a hint', async () => {
    const situations: unknown[] = []
    const { host, prober } = telling(
      async (_get, situation) => {
        situations.push(situation)
        return { running: 7, queued: 2, memoryUsedRatio: 0.5 }
      },
      { own: 3 },
    )
    await prober.start()
    expect(situations).toMatchObject([{ hasAdminKey: true, isBusy: true }])
    expect(host.signals.foreignRunning).toBe(6)
    expect(host.state().telemetry).toEqual({ ageMs: 0, queued: 2, memoryUsedRatio: 0.5, cacheUsedRatio: null })
  })

  it('is what its probe told, where there is nothing beside that', async () => {
    const { host, prober } = telling(async () => ({}), { running: 5, own: 1 })
    await prober.start()
    expect(host.signals.foreignRunning).toBe(4)
  })

  it('never makes it down: it is up whatever becomes of the question', async () => {
    const { clock, host, prober, told } = telling(() => Promise.reject(new Error('no answer within 2000 ms')))
    await prober.start()
    await clock.advance(60_000)
    expect([host.up, host.available, host.failuresInARow, host.state().telemetry]).toEqual([true, true, 0, null])
    expect(told).toEqual([])
  })

  it('is not shown of one that is down', async () => {
    const { host, prober } = telling(async () => ({ queued: 2 }))
    await prober.start()
    expect(host.state().telemetry).not.toBeNull()
    host.connectFailed('gone')
    expect(host.state().telemetry).toBeNull()
  })

  it('counts requests of ours that began while it was asked as ours', async () => {
    const { host, prober } = telling(async () => {
      for (let at = 0; at < 4; at++) host.leases.add({})
      return { running: 4 }
    })
    await prober.start()
    expect(host.signals.foreignRunning).toBe(0)
  })
})

describe('leaving', () => {
  it('a host that has left is asked no more, whoever wants it, and asked again when it stays', async () => {
    const { clock, host, prober, probes, told } = probed(() => true)
    await prober.start()
    const before = probes.length
    host.leases.add({})
    host.leave(() => {})
    prober.forget(host)
    await clock.advance(60_000)
    await prober.probe(host)
    prober.connectFailed(host, 'EMFILE')
    await clock.advance(60_000)
    expect(probes).toHaveLength(before)
    expect(told).toEqual([])
    host.stay()
    await prober.probe(host)
    await clock.advance(6_000)
    expect(probes.length).toBeGreaterThan(before + 1)
  })

  it('other times hold from now on', async () => {
    const { clock, prober, probes } = probed(() => true)
    await prober.start()
    await clock.advance(10)
    prober.adopt({ everyMs: 1_000, timeoutMs: 2_000, fall: 1, rise: 2, bytesMax: 1_000 })
    await clock.advance(1_200)
    expect(probes.length).toBeGreaterThan(1)
  })
})
