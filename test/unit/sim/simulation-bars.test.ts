/**
 * What the line and the adaptive slots promise, over seeds: the median counts. Three seeds and the best numbers of slots, or
 * with TEST_LONG=true ten seeds and all numbers.
 */
import { describe, expect, it } from 'vitest'
import { compareSlots } from '../../sim/adaptive.ts'
import { type Figures, figuresOf } from '../../sim/figures.ts'
import type { SimOrderName } from '../../sim/orders.ts'
import { medianOf } from '../../sim/seeds.ts'
import { Simulation } from '../../sim/simulation.ts'
import { type WorkloadName, workloads } from '../../sim/workloads/workloads.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const seeds = Array.from({ length: isLong ? 10 : 3 }, (_, at) => at + 1)
const timeoutMs = isLong ? 1_800_000 : 120_000

const figures = (name: WorkloadName, order: SimOrderName): Figures[] =>
  seeds.map((seed) => figuresOf(new Simulation(workloads[name].make(seed), { order }, seed).run()))
const median = (runs: readonly Figures[], valueOf: (run: Figures) => number) => medianOf(runs.map(valueOf))

describe('under a flood of one key', { timeout: timeoutMs }, () => {
  const fair = figures('W4', 'token-fair')
  const calm = figures('W4-calm', 'token-fair')
  const firstCome = figures('W4', 'first-come')
  const roundRobin = figures('W4', 'round-robin')
  const capped = figures('W4', 'cap-2')

  it.each(['chat1', 'chat2'])('%s waits at most three times as long as without it, and 15 s', (chat) => {
    const p95 = (run: Figures) => run.streams[chat]!.firstTokenP95
    expect(median(fair, p95)).toBeLessThanOrEqual(3 * median(calm, p95) + 15)
    // Nobody else keeps that.
    expect(median(firstCome, p95)).toBeGreaterThan(10 * (3 * median(calm, p95) + 15))
  })

  it('no two keys are further apart in service than what fits the slots', () => {
    for (const { overall } of fair) expect(overall.gapMax).toBeLessThanOrEqual(overall.gapBound)
    for (const others of [firstCome, roundRobin, capped]) {
      expect(median(others, (run) => run.overall.gapMax)).toBeGreaterThan(2 * median(fair, (run) => run.overall.gapMax))
    }
  })

  it('it costs at most 5 % of the output of first come, first served', () => {
    const output = (run: Figures) => run.overall.outputPerSecond
    expect(median(fair, output)).toBeGreaterThanOrEqual(0.95 * median(firstCome, output))
  })

  it('who waits was told for how long', () => {
    expect(median(fair, (run) => run.overall.p90Covers)).toBeGreaterThanOrEqual(80)
    expect(median(fair, (run) => run.overall.p90Covers)).toBeLessThanOrEqual(97)
    expect(median(fair, (run) => run.overall.p50Near)).toBeGreaterThanOrEqual(60)
  })
})

describe.each([
  [0.05, [12, 14, 16]],
  [0.28, [7, 8, 9]],
  [0.58, [4, 5, 6]],
])('slots of a host that slows down by %d for each further answer', (slowdown, nearTheBest) => {
  it('are found within 30 % of the best number, with 93 % of its goodput', { timeout: timeoutMs }, () => {
    const few = isLong ? {} : { fixed: nearTheBest }
    const [found] = compareSlots(isLong ? seeds : [1], { slowdowns: [slowdown], ...few })
    const slots = medianOf(found!.adaptive.map((one) => one.slots))
    const good = medianOf(found!.adaptive.map((one) => one.goodPerSecond))
    expect(Math.abs(slots / found!.best.slots - 1)).toBeLessThanOrEqual(0.3)
    expect(good).toBeGreaterThanOrEqual(0.93 * found!.best.goodPerSecond)
  })
})
