/** What becomes of a workload with one gateway and with several: figures of each number of them, beside those of one alone. */
import { quantile } from './figures.ts'
import { type FleetOptions, type FleetRun, FleetSimulation, type Placement } from './fleet-simulation.ts'
import { medianOf } from './seeds.ts'
import { table } from './table.ts'
import type { Workload } from './workload.ts'

export interface FleetResult {
  readonly replicas: number
  readonly placement: Placement
  /** One for each seed. */
  readonly runs: readonly FleetFigures[]
}

export interface FleetFigures {
  readonly leadMax: number
  readonly leadBound: number
  readonly excess: number
  readonly outputPerSecond: number
  /** Seconds, by the names of the streams. */
  readonly firstTokenP95: Readonly<Record<string, number>>
}

export interface FleetTask extends Omit<FleetOptions, 'replicas' | 'placement'> {
  readonly make: (seed: number) => Workload
  readonly seeds: readonly number[]
  readonly replicas: readonly number[]
  readonly placements: readonly Placement[]
}

export function fleetResults({ make, seeds, replicas, placements, ...rest }: FleetTask): FleetResult[] {
  return replicas.flatMap((count) =>
    // With one alone all requests come to it.
    (count === 1 ? placements.slice(0, 1) : placements).map((placement) => ({
      replicas: count,
      placement,
      runs: seeds.map((seed) =>
        figuresOf(new FleetSimulation(make(seed), { ...rest, replicas: count, placement }, seed).run()),
      ),
    })),
  )
}

export function fleetTable(results: readonly FleetResult[]): string {
  const streams = [...new Set(results.flatMap(({ runs }) => runs.flatMap((run) => Object.keys(run.firstTokenP95))))]
  const alone = results.find(({ replicas }) => replicas === 1)
  const output = ({ runs }: FleetResult) => medianOf(runs.map(({ outputPerSecond }) => outputPerSecond))
  const heads = ['gateways', 'requests come to', 'lead max', 'bound', 'out tok/s', 'of one', 'too many']
  const rows = results.map((result) => {
    const { replicas, placement, runs } = result
    const worst = (valueOf: (run: FleetFigures) => number) => Math.max(...runs.map(valueOf))
    return [
      String(replicas),
      replicas === 1 ? 'it' : placement,
      worst(({ leadMax }) => leadMax).toFixed(0),
      Math.min(...runs.map(({ leadBound }) => leadBound)).toFixed(0),
      output(result).toFixed(1),
      alone === undefined ? '–' : `${((100 * output(result)) / output(alone)).toFixed(1)} %`,
      String(worst(({ excess }) => excess)),
      ...streams.map((name) => medianOf(runs.map(({ firstTokenP95 }) => firstTokenP95[name] ?? Number.NaN)).toFixed(2)),
    ]
  })
  return table([...heads, ...streams.map((name) => `${name} p95 s`)], rows)
}

function figuresOf({ ended, written, durationMs, ...rest }: FleetRun): FleetFigures {
  const byStream = Map.groupBy(ended, ({ arrival }) => arrival.stream.name)
  const firstTokenP95 = [...byStream].map(([name, all]) => {
    const waits = all.map(({ arrival, firstTokenAtMs, atMs }) => (firstTokenAtMs ?? atMs) - arrival.atMs)
    return [name, quantile(waits, 0.95) / 1_000] as const
  })
  return {
    ...rest,
    outputPerSecond: written / (durationMs / 1_000),
    firstTokenP95: Object.fromEntries(firstTokenP95),
  }
}
