/** `npm run sim -- --workload W4 --seeds 1-10`: what who goes next, and where to, makes of a workload. Exit code 1 for arguments that are none. */
import { adaptiveTable, compareSlots } from './adaptive.ts'
import { help, type SimArguments, simArguments, UsageError } from './arguments.ts'
import { type Figures, figuresOf } from './figures.ts'
import { fleetResults, fleetTable } from './fleet-table.ts'
import { simOrderNames } from './orders.ts'
import { simPolicyNames } from './policies.ts'
import { Simulation } from './simulation.ts'
import { type Result, resultTables } from './table.ts'
import { readTrace, traceWorkload } from './trace.ts'
import type { Workload } from './workload.ts'
import { type Compared, workloads } from './workloads/workloads.ts'

interface Task {
  readonly name: string
  readonly about: string
  readonly compares: Compared
  readonly make: (seed: number) => Workload
  readonly impatient?: (seed: number) => Workload
}

try {
  main(simArguments(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(error.message)
  process.exitCode = 1
}

function main(given: SimArguments): void {
  if (given.help) {
    console.log(help)
    return
  }
  if (given.fleet !== null) {
    compareFleets(given, given.fleet)
    return
  }
  const results = tasksOf(given).map((task) => {
    const rows = rowsOf(task, given)
    if (!given.json)
      console.log(`${task.name}: ${task.about}; seeds ${given.seeds.join(', ')}\n\n${resultTables(rows)}\n`)
    return { workload: task.name, seeds: given.seeds, rows }
  })
  const adaptive = given.trace === null && given.workloads.includes('adaptive') ? compareSlots(given.seeds) : null
  if (given.json) console.log(JSON.stringify({ results, adaptive }, null, 2))
  else if (adaptive !== null) console.log(adaptiveTable(adaptive))
}

function compareFleets(given: SimArguments, { placements, ...fleet }: NonNullable<SimArguments['fleet']>): void {
  const { seeds, json } = given
  const results = tasksOf(given).map(({ name, about, make }) => {
    const { models, faults } = make(seeds[0] ?? 1)
    if (models !== undefined || faults !== undefined) {
      throw new UsageError(`${name} is for one gateway alone: its hosts load models or fail.`)
    }
    const rows = fleetResults({ ...fleet, make, seeds, placements })
    if (!json) console.log(`${name}: ${about}; seeds ${seeds.join(', ')}\n\n${fleetTable(rows)}\n`)
    return { workload: name, seeds, rows }
  })
  if (json) console.log(JSON.stringify({ results }, null, 2))
}

function rowsOf({ make, impatient, compares }: Task, { seeds, orders, policies }: SimArguments): Result[] {
  const ofOrders = orders ?? (compares === 'orders' ? simOrderNames : ['token-fair'])
  const ofPolicies = policies ?? (compares === 'policies' ? simPolicyNames : ['fastest'])
  return ofOrders.flatMap((order) =>
    ofPolicies.map((policy) => ({
      order,
      policy,
      runs: seeds.map((seed): Figures => {
        const run = (of: (seed: number) => Workload) => new Simulation(of(seed), { order, policy }, seed).run()
        return figuresOf(run(make), impatient === undefined ? null : run(impatient))
      }),
    })),
  )
}

function tasksOf({ trace, load, scale, requestsMax, workloads: names }: SimArguments): Task[] {
  if (trace === null) return names.flatMap((name) => (name === 'adaptive' ? [] : [{ name, ...workloads[name] }]))
  try {
    const make = traceWorkload(readTrace(trace, requestsMax), { load, scale })
    const divided = scale === 1 ? '' : `, prompts divided by ${scale}`
    return [
      { name: trace, about: `its requests, at ${load} of what the hosts can do${divided}`, compares: 'policies', make },
    ]
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
