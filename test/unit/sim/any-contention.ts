/** Keys that always wait before hosts, both of any kind: what a seed makes of them is what nobody thought of. */

import type { FleetOptions } from '../../sim/fleet-simulation.ts'
import { placements } from '../../sim/fleet-simulation.ts'
import { type Arrival, endlessMs, patient, type Workload } from '../../sim/workload.ts'
import { SeededRandom } from '../../soak/seeded-random.ts'

export function anyContention(seed: number, durationMs: number): { workload: Workload; options: FleetOptions } {
  const random = new SeededRandom(seed)
  const any = <Value>(values: readonly Value[]): Value => values[Math.floor(random.next() * values.length)]!
  /** As likely to be within 1 and 10 as within 100 and 1000. */
  const size = (least: number, most: number) => Math.round(least * Math.exp(random.next() * Math.log(most / least)))
  const hosts = Array.from({ length: any([1, 1, 2, 3]) }, (_, at) => ({
    name: `host${at + 1}`,
    slots: any([1, 2, 4, 8, 16]),
    prefillTokensPerSecond: size(500, 20_000),
    decodeTokensPerSecond: size(20, 200),
    slowdown: any([0.05, 0.28, 0.58]),
    decodeShareDuringPrefill: any([0, 0.2, 0.8]),
  }))
  const slots = hosts.reduce((sum, host) => sum + host.slots, 0)
  const keys = Array.from({ length: 2 + Math.floor(random.next() * 5) }, (_, at) => {
    const name = `key${at + 1}`
    const stream = { name, key: name, class: 'default', objective: patient, patienceMs: endlessMs } as const
    // So many that some wait whatever the others leave to it.
    return { stream, input: size(1, 6_000), output: size(1, 600), clients: slots + 3 + Math.floor(random.next() * 50) }
  })
  const asks = (stream: Workload['streams'][number], atMs: number): Arrival => {
    const { input, output } = keys.find((key) => key.stream === stream)!
    return { atMs, stream, input, output, inputExpected: input, outputMistake: 1 }
  }
  const workload: Workload = {
    hosts,
    streams: keys.map(({ stream }) => stream),
    durationMs,
    arrivals: keys.flatMap(({ stream, clients }) => Array.from({ length: clients }, () => asks(stream, 0))),
    next: ({ stream }, nowMs) => asks(stream, nowMs),
  }
  return { workload, options: { replicas: any([2, 3, 4, 8]), placement: any(placements) } }
}
