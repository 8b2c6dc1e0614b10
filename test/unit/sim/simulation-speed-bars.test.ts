/**
 * What is learned of machines beside what they are, before machines with too much to do: there nobody ever answers alone, and
 * prompts of others are read in between all the time. Three seeds, or with TEST_LONG=true ten.
 */
import { describe, expect, it } from 'vitest'
import { quantile } from '../../sim/figures.ts'
import type { HostProfile } from '../../sim/host-profile.ts'
import { Simulation } from '../../sim/simulation.ts'
import { agentLike, agentLikeHotter, sharedBeginnings } from '../../sim/workloads/shared-beginnings.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const seeds = Array.from({ length: isLong ? 10 : 3 }, (_, at) => at + 1)
const timeout = isLong ? 900_000 : 120_000
const learnedByMs = 600_000
const everyMs = 30_000

/** How many times as fast as they are machines look, at each time they were looked at; and what each further answer costs. */
interface Seen {
  readonly decode: number[]
  readonly prefill: number[]
  readonly slowdown: number[]
}

function seenOf(perSecond: number, seed: number): Seen {
  const simulation = new Simulation(sharedBeginnings({ ...agentLike, perSecond, requests: 1_500 })(seed), {}, seed)
  const seen: Seen = { decode: [], prefill: [], slowdown: [] }
  const look = (): void => {
    for (const host of simulation.hosts) {
      const machine: HostProfile = simulation.machine(host).profile
      const speed = simulation.balancing.speeds.of(host, 'm')
      seen.decode.push(speed.decodeTokensPerSecond / machine.decodeTokensPerSecond)
      seen.prefill.push(speed.prefillTokensPerSecond / machine.prefillTokensPerSecond)
      seen.slowdown.push(speed.slowdown)
    }
    simulation.clock.after(everyMs, look)
  }
  simulation.clock.after(learnedByMs, look)
  simulation.run()
  return seen
}

describe.each([
  ['that can do their work', agentLike.perSecond, { middle: 1.15, far: 1.4 }],
  ['with a third more than they can do', 1.3 * agentLikeHotter.perSecond, { middle: 1.4, far: 1.7 }],
])('machines %s', { timeout }, (_name, perSecond, { middle, far }) => {
  const seen = seeds.map((seed) => seenOf(perSecond, seed))
  const decode = seen.flatMap((one) => one.decode)

  it('look about as fast as they are in writing, and never several times as fast', () => {
    expect(quantile(decode, 0.5)).toBeGreaterThan(1 / middle)
    expect(quantile(decode, 0.5)).toBeLessThan(middle)
    expect(quantile(decode, 0.98)).toBeLessThan(far)
    for (const one of seen.flatMap(({ slowdown }) => slowdown)) expect(one).toBeLessThanOrEqual(1)
  })

  it('look as fast as they are in reading', () => {
    const prefill = seen.flatMap((one) => one.prefill)
    expect(quantile(prefill, 0.05)).toBeGreaterThan(0.85)
    expect(quantile(prefill, 0.95)).toBeLessThan(1.15)
  })
})
