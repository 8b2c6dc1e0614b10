/**
 * What choosing a host promises before unequal machines, over seeds: the median counts. Three seeds of fewer requests, or with
 * TEST_LONG=true ten seeds and all of them.
 */
import { describe, expect, it } from 'vitest'
import { policyNames } from '../../../src/balancing/options.ts'
import { type Figures, figuresOf } from '../../sim/figures.ts'
import { type SimPolicyName, simPolicyNames } from '../../sim/policies.ts'
import { medianOf } from '../../sim/seeds.ts'
import { Simulation } from '../../sim/simulation.ts'
import type { Fault, Workload } from '../../sim/workload.ts'
import {
  agentLike,
  agentLikeHotter,
  chatLike,
  hotter,
  type SharedBeginnings,
  sharedBeginnings,
} from '../../sim/workloads/shared-beginnings.ts'
import { workloads } from '../../sim/workloads/workloads.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const seeds = Array.from({ length: isLong ? 10 : 3 }, (_, at) => at + 1)
const requests = isLong ? 5_000 : 1_500
/** Nine times the mean load, of which one in thirty is forty times as long. */
const turnSeconds = 9 * 60
const timeout = isLong ? 1_800_000 : 120_000

function figures(make: (seed: number) => Workload, policy: SimPolicyName): Figures[] {
  return seeds.map((seed) => figuresOf(new Simulation(make(seed), { policy }, seed).run()))
}
const median = (runs: readonly Figures[], valueOf: (run: Figures) => number) => medianOf(runs.map(valueOf))

/** In points of goodput; somewhat below what was measured, so that a part of `fastest` that no longer works shows. */
interface Ahead {
  readonly ofLmetric: number
  readonly ofLeastBusy: number
  /** What it is worth to know how fast hosts are, and what they have read. */
  readonly ofBlind: number
  readonly ofForgetful: number
}

describe.each<[string, SharedBeginnings, Ahead]>([
  ['chats', chatLike, { ofLmetric: 1.2, ofLeastBusy: 2, ofBlind: 0.5, ofForgetful: 0 }],
  ['chats, hotter', hotter, { ofLmetric: 2, ofLeastBusy: 4, ofBlind: 1, ofForgetful: 0 }],
  ['agents', agentLike, { ofLmetric: 5.5, ofLeastBusy: 10, ofBlind: 2.5, ofForgetful: 1 }],
  ['agents, hotter', agentLikeHotter, { ofLmetric: 4.5, ofLeastBusy: 10, ofBlind: 2, ofForgetful: 1 }],
])('before three unequal Macs: %s', { timeout }, (_name, load, ahead) => {
  const make = sharedBeginnings({ ...load, requests })
  const good = (run: Figures) => run.streams['chat']!.goodShare
  const p95 = (run: Figures) => run.streams['chat']!.firstTokenP95
  const fastest = figures(make, 'fastest')
  const others = new Map(policyNames.filter((name) => name !== 'fastest').map((name) => [name, figures(make, name)]))
  const isAhead = (runs: readonly Figures[], by: number) =>
    expect(median(fastest, good)).toBeGreaterThanOrEqual(median(runs, good) + by)

  it('fastest has more goodput than lmetric and least-busy', () => {
    isAhead(others.get('lmetric')!, ahead.ofLmetric)
    isAhead(others.get('least-busy')!, ahead.ofLeastBusy)
  })

  it('fastest has its first tokens in less than three quarters of the time of the best other policy', () => {
    const best = Math.min(...[...others.values()].map((one) => median(one, p95)))
    expect(median(fastest, p95)).toBeLessThanOrEqual(0.75 * best)
  })

  it('fastest owes that to the speeds it has learned', () => {
    const blind = figures(make, 'fastest-blind')
    isAhead(blind, ahead.ofBlind)
    expect(median(fastest, p95)).toBeLessThanOrEqual(0.95 * median(blind, p95))
  })

  it('fastest owes that to what it remembers of prompts', () => {
    const forgetful = figures(make, 'fastest-forgetful')
    isAhead(forgetful, ahead.ofForgetful)
    expect(median(fastest, p95)).toBeLessThan(median(forgetful, p95))
  })
})

describe('what hosts have read', { timeout }, () => {
  const make = sharedBeginnings({ ...chatLike, requests })
  const hits = (policy: SimPolicyName) => median(figures(make, policy), (run) => run.overall.hitShare)

  it('is found again where it is remembered', () => {
    expect(hits('fastest')).toBeGreaterThan(hits('fastest-forgetful') + 10)
    expect(hits('sticky')).toBeGreaterThan(hits('random') + 20)
  })
})

describe('a host that fails', { timeout }, () => {
  const good = (phase: string) => (run: Figures) => run.streams[phase]?.goodShare ?? Number.NaN

  it.each(simPolicyNames)('loses nothing that it had not begun to answer, by %s', (policy) => {
    // Each of them again and again, so that many a prompt is being read then.
    const load = sharedBeginnings({ ...agentLikeHotter, requests: isLong ? 1_500 : 500 })
    const crash = (host: string, at: number): Fault[] =>
      Array.from({ length: 10 }, (_, times) => ({
        host,
        atMs: 200_000 + 300_000 * times + at * 100_000,
        forMs: 60_000,
      }))
    for (const seed of seeds) {
      const workload = load(seed)
      const faults = workload.hosts.flatMap(({ name }, at) => crash(name, at))
      const { ended } = new Simulation({ ...workload, faults }, { policy }, seed).run()
      const lost = ended.filter(({ ending }) => ending === 'lost')
      expect(lost.length).toBeGreaterThan(5)
      expect(lost.filter(({ firstTokenAtMs }) => firstTokenAtMs === null)).toEqual([])
      // Some of them were being read, and were read again elsewhere.
      expect(ended.some(({ ending, read, arrival }) => ending === 'done' && read > arrival.input + 1)).toBe(true)
    }
  })

  it('is left alone, and is used as before when it is back', () => {
    const runs = figures(workloads.W7.make, 'fastest')
    for (const { overall } of runs) expect(overall.lost).toBe(0)
    expect(median(runs, good('afterwards'))).toBeGreaterThanOrEqual(median(runs, good('before')) - 1)
    expect(median(runs, good('recovery'))).toBeGreaterThanOrEqual(90)
  })

  it('or is slow is noticed, and so is its recovery', () => {
    const runs = figures(workloads['W7-slow'].make, 'fastest')
    const byWeight = figures(workloads['W7-slow'].make, 'weighted')
    expect(median(runs, good('meanwhile'))).toBeGreaterThan(median(byWeight, good('meanwhile')) + 5)
    expect(median(runs, good('afterwards'))).toBeGreaterThanOrEqual(median(runs, good('before')) - 1)
  })
})

describe.each(['W6', 'W6-admin'] as const)(
  'three models that take turns in the memory of two machines (%s)',
  {
    timeout,
  },
  (name) => {
    const some = isLong ? seeds : seeds.slice(0, 2)
    const runs = some.map((seed) => {
      const simulation = new Simulation(workloads[name].make(seed), {}, seed)
      const impatient = new Simulation(workloads[name].impatient(seed), {}, seed).run()
      const { overall, streams } = figuresOf(simulation.run(), impatient)
      const loadSecondsMax =
        Math.max(...simulation.hosts.map((host) => simulation.machine(host).shelf?.longestMs ?? 0)) / 1000
      return { overall, streams, loadSecondsMax }
    })

    it('take less than a tenth of the time of their hosts to load', () => {
      expect(medianOf(runs.map(({ overall }) => overall.loadShare))).toBeLessThan(10)
      for (const { overall } of runs) expect(overall.loadShare).toBeLessThan(13)
    })

    it('are never put out while they are at work, and nothing is lost', () => {
      for (const { overall } of runs) expect([overall.killed, overall.lost]).toEqual([0, 0])
    })

    it('are all served: nobody waits longer than for two loads and two turns of others', () => {
      for (const { overall, loadSecondsMax } of runs) {
        expect(overall.waitMax).toBeLessThan(2 * loadSecondsMax + 2 * turnSeconds)
      }
    })

    it('what everybody asks for stays where it is', () => {
      const good = (of: string) => medianOf(runs.map(({ streams }) => streams[of]!.goodShare))
      expect(good('popular')).toBeGreaterThan(75)
      expect(good('popular')).toBeGreaterThan(good('second') + 30)
      // With the patience that is usual it is hardly ever refused, whereas of the others many are: their turn is longer in coming.
      const refused = (of: string) => medianOf(runs.map(({ streams }) => streams[of]!.refusedShare))
      expect(refused('popular')).toBeLessThan(5)
      expect(refused('third')).toBeLessThan(75)
    })
  },
)
