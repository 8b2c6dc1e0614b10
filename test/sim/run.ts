/** `npm run sim -- --workload W4 --seeds 1-10`: what each order makes of a workload. Exit code 1 for arguments that are none. */
import { adaptiveTable, compareSlots } from './adaptive.ts'
import { help, type SimArguments, simArguments, UsageError } from './arguments.ts'
import { type Figures, figuresOf } from './figures.ts'
import { simPolicies } from './policies.ts'
import { Simulation } from './simulation.ts'
import { type PolicyResult, policyTables } from './table.ts'
import { readTrace, traceWorkload } from './trace.ts'
import type { Workload } from './workload.ts'
import { workloads } from './workloads/workloads.ts'

interface Task {
  readonly name: string
  readonly about: string
  readonly make: (seed: number) => Workload
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
  const results = tasksOf(given).map(({ name, about, make }) => {
    const policies = given.policies.map((policy): PolicyResult => {
      const runs = given.seeds.map(
        (seed): Figures => figuresOf(new Simulation(make(seed), simPolicies[policy], seed).run()),
      )
      return { policy, runs }
    })
    if (!given.json) console.log(`${name}: ${about}; seeds ${given.seeds.join(', ')}\n\n${policyTables(policies)}\n`)
    return { workload: name, seeds: given.seeds, policies }
  })
  const adaptive = given.trace === null && given.workloads.includes('adaptive') ? compareSlots(given.seeds) : null
  if (given.json) console.log(JSON.stringify({ results, adaptive }, null, 2))
  else if (adaptive !== null) console.log(adaptiveTable(adaptive))
}

function tasksOf({ trace, load, requestsMax, workloads: names }: SimArguments): Task[] {
  if (trace === null) return names.flatMap((name) => (name === 'adaptive' ? [] : [{ name, ...workloads[name] }]))
  try {
    const make = traceWorkload(readTrace(trace, requestsMax), { load })
    return [{ name: trace, about: `its requests, at ${load} of what the hosts can do`, make }]
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}
