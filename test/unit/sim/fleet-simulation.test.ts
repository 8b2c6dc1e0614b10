/**
 * Several gateways before the same hosts are as fair as one, but for what they cannot know yet of each other: the bound that the
 * README of the line derives. A minute of one seed, or with TEST_LONG=true two minutes of ten.
 */
import { describe, expect, it } from 'vitest'
import { type FleetOptions, FleetSimulation, placements } from '../../sim/fleet-simulation.ts'
import { type FleetFigures, fleetResults } from '../../sim/fleet-table.ts'
import { medianOf } from '../../sim/seeds.ts'
import { Simulation } from '../../sim/simulation.ts'
import { contended } from '../../sim/workloads/contended.ts'
import { workloads } from '../../sim/workloads/workloads.ts'
import { anyContention } from './any-contention.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const seeds = Array.from({ length: isLong ? 10 : 1 }, (_, at) => at + 1)
const replicas = isLong ? [1, 2, 4, 8] : [1, 2, 4]
const minuteMs = 60_000
const timeout = isLong ? 7_200_000 : 300_000
const make = contended(isLong ? 2 * minuteMs : minuteMs)

const median = (runs: readonly FleetFigures[], valueOf: (run: FleetFigures) => number) => medianOf(runs.map(valueOf))
const ratio = ({ leadMax, leadBound }: Pick<FleetFigures, 'leadMax' | 'leadBound'>) => leadMax / leadBound

describe('keys that always wait, wherever their requests come to', { timeout }, () => {
  const results = fleetResults({ make, seeds, replicas, placements })
  const alone = results[0]!

  it.each(results)('$replicas gateways, $placement: no key is ahead of another beyond the bound', ({ runs }) => {
    for (const run of runs) expect(ratio(run)).toBeLessThanOrEqual(1)
  })

  it.each(results)('$replicas gateways, $placement: no host has a request too many, nor much less to do', (result) => {
    for (const { excess } of result.runs) expect(excess).toBe(0)
    const output = (run: FleetFigures) => run.outputPerSecond
    expect(median(result.runs, output)).toBeGreaterThan(0.95 * median(alone.runs, output))
  })

  it.each(results)('$replicas gateways, $placement: a person waits no second longer than with one', ({ runs }) => {
    const wait = (run: FleetFigures) => run.firstTokenP95['person']!
    expect(median(runs, wait)).toBeLessThan(median(alone.runs, wait) + 1)
  })
})

describe('without one of the two the bound is left far behind', { timeout }, () => {
  const without = (options: Partial<FleetOptions>) =>
    new FleetSimulation(contended(5 * minuteMs)(1), { replicas: 4, ...options }, 1).run()

  it('where whoever asks first gets a slot', () => {
    expect(ratio(without({ placement: 'by_key', claims: false }))).toBeGreaterThan(2)
  })

  it('where gateways do not tell what they served', () => {
    expect(ratio(without({ placement: 'mixed', counters: false }))).toBeGreaterThan(2)
  })
})

it('no key is ahead of another beyond the bound, whatever they ask for, wherever that comes to', { timeout }, () => {
  const ahead: object[] = []
  for (let seed = 1; seed <= (isLong ? 200 : 12); seed++) {
    const { workload, options } = anyContention(seed, isLong ? 20_000 : 10_000)
    const run = new FleetSimulation(workload, options, seed).run()
    if (run.leadMax > run.leadBound || run.excess > 0)
      ahead.push({ seed, ...options, ratio: run.leadMax / run.leadBound })
  }
  expect(ahead).toEqual([])
})

describe('the flood', { timeout }, () => {
  const results = fleetResults({ make: workloads.W4.make, seeds, replicas: isLong ? [1, 2, 4, 8] : [4], placements })

  it.each(results)('$replicas gateways, $placement: it is bounded as with one', ({ runs }) => {
    for (const run of runs) expect(ratio(run)).toBeLessThanOrEqual(1)
  })

  it('with one gateway is what it is without any of this', () => {
    const fleet = new FleetSimulation(workloads.W4.make(1), { replicas: 1 }, 1).run()
    const alone = new Simulation(workloads.W4.make(1), {}, 1).run()
    expect(fleet.ended).toHaveLength(alone.ended.length)
    expect(fleet.written / alone.written).toBeCloseTo(1, 2)
    expect(fleet.leadBound).toBe(alone.gapBound)
  })
})

it('the same seed gives the same run', () => {
  const once = () => {
    const { workload, options } = anyContention(7, 5_000)
    const { leadMax, written, ended } = new FleetSimulation(workload, options, 7).run()
    return { leadMax, written, ended: ended.length }
  }
  expect(once()).toEqual(once())
})

it('hosts that load models or fail are for one gateway', () => {
  const refused = () => new FleetSimulation(workloads.W6.make(1), { replicas: 2 })
  expect(refused).toThrow('before hosts that have all models and never fail')
})
