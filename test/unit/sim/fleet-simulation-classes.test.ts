/** Classes have their shares at each of several gateways, and the line behind them is as fair as before. */
import { describe, expect, it } from 'vitest'
import { FleetSimulation } from '../../sim/fleet-simulation.ts'
import type { HostProfile } from '../../sim/host-profile.ts'
import { endlessMs, patient, type Stream, type Workload } from '../../sim/workload.ts'
import { type Asking, arrivalOf, inOrder, randomOf } from '../../sim/workloads/arrivals.ts'

const host: HostProfile = {
  name: 'batching',
  slots: 8,
  prefillTokensPerSecond: 20_000,
  decodeTokensPerSecond: 80,
  slowdown: 0.05,
  decodeShareDuringPrefill: 0.8,
}
const around = (p50: number) => ({ p50, p95: p50 * 1.6 })
const clientsOfEach = 20

/** By the place in this list they come to one of two gateways: all but one to the first. */
const keys = ['chat', 'elsewhere', 'here1', '', 'here2', '', 'here3', '', 'here4', '', 'here5']

function workload(): Workload {
  const asking = keys.map((name, at): Asking => {
    const key = name === '' ? `idle${at}` : name
    const ofClass = name === 'chat' ? 'interactive' : 'default'
    const stream: Stream = { name: key, key, class: ofClass, objective: patient, patienceMs: endlessMs }
    return { stream, input: around(200), output: around(60) }
  })
  const randoms = asking.map((_of, at) => randomOf(1, at))
  const arrivals = (at: number, nowMs: number) => {
    const [of, random] = [asking[at], randoms[at]]
    return of === undefined || random === undefined ? [] : [arrivalOf(random, nowMs, of)]
  }
  return {
    hosts: [host],
    streams: asking.map(({ stream }) => stream),
    durationMs: 90_000,
    arrivals: inOrder(
      keys.flatMap((name, at) =>
        name === '' ? [] : Array.from({ length: clientsOfEach }, () => arrivals(at, 0)).flat(),
      ),
    ),
    next: ({ stream }, nowMs) => arrivals(keys.indexOf(stream.key), nowMs)[0] ?? null,
  }
}

describe('a class that has a claim on its share', () => {
  it.each([1, 2])('goes first, and keeps back nobody of its line whom another gateway serves (%i)', (replicas) => {
    const { ended } = new FleetSimulation(workload(), { replicas, placement: 'by_key' }).run()
    const done = (key: string) => ended.filter(({ arrival, ending }) => arrival.stream.key === key && ending === 'done')
    const others = keys.filter((key) => key !== '' && key !== 'chat').map((key) => done(key).length)
    expect(Math.max(...others)).toBeLessThan(1.2 * Math.min(...others))
    expect(done('chat').length).toBeGreaterThan(1.3 * Math.max(...others))
  })
})
