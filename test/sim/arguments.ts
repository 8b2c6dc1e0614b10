/** The command line of the simulator. */
import { parseArgs } from 'node:util'
import { type Placement, placements } from './fleet-simulation.ts'
import { type SimOrderName, simOrderNames } from './orders.ts'
import { type SimPolicyName, simPolicyNames } from './policies.ts'
import { type WorkloadName, workloadNames, workloads } from './workloads/workloads.ts'

/** Something that is asked for cannot be; the message is one sentence. */
export class UsageError extends Error {}

export interface SimArguments {
  readonly help: boolean
  readonly json: boolean
  readonly workloads: readonly (WorkloadName | 'adaptive')[]
  readonly trace: string | null
  readonly load: number
  readonly scale: number
  readonly requestsMax: number
  /** Null: those that the workload compares. */
  readonly orders: readonly SimOrderName[] | null
  readonly policies: readonly SimPolicyName[] | null
  readonly seeds: readonly number[]
  /** Null: one gateway, as in all other comparisons. */
  readonly fleet: FleetArguments | null
}

interface FleetArguments {
  readonly replicas: readonly number[]
  readonly placements: readonly Placement[]
  readonly claims: boolean
  readonly counters: boolean
}

/** What gateways can do without, to see what comes of that. */
const parts = ['claims', 'counters'] as const

const seedsMax = 1_000
const replicasMax = 64

export function simArguments(argv: readonly string[]): SimArguments {
  const values = parsed(argv)
  if (values.trace !== undefined && values.workload !== undefined) {
    throw new UsageError('--trace and --workload cannot be used together.')
  }
  return {
    help: values.help,
    json: values.json,
    workloads: namesOf('--workload', values.workload ?? 'W4', [...workloadNames, 'adaptive']),
    trace: values.trace ?? null,
    load: numberOf('--load', values.load, { least: 0.01, most: 10 }),
    scale: numberOf('--scale', values.scale, { least: 0.01, most: 1_000 }),
    requestsMax: numberOf('--requests', values.requests, { least: 2, most: 1_000_000 }),
    orders: values.order === undefined ? null : namesOf('--order', values.order, simOrderNames),
    policies: values.policy === undefined ? null : namesOf('--policy', values.policy, simPolicyNames),
    seeds: numbersOf('--seeds', values.seeds, { countMax: seedsMax, example: '1-10 or 1,2,3' }),
    fleet: fleetOf(values),
  }
}

function fleetOf(values: ReturnType<typeof parsed>): FleetArguments | null {
  const { replicas, placement, without } = values
  if (replicas === undefined) {
    if (placement === undefined && without === undefined) return null
    throw new UsageError('--placement and --without are for several gateways: say how many with --replicas.')
  }
  if (values.order !== undefined || values.policy !== undefined || values.trace !== undefined) {
    throw new UsageError('--replicas cannot be used together with --order, --policy or --trace.')
  }
  const left = without === undefined ? [] : namesOf('--without', without, parts)
  const counts = numbersOf('--replicas', replicas, { countMax: replicasMax, example: '1,2,4,8' })
  if (counts.some((count) => count < 1 || count > replicasMax)) {
    throw new UsageError(`--replicas must be from 1 to ${replicasMax}, not "${replicas}".`)
  }
  return {
    replicas: counts,
    placements: namesOf('--placement', placement ?? 'all', placements),
    claims: !left.includes('claims'),
    counters: !left.includes('counters'),
  }
}

function parsed(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        json: { type: 'boolean', default: false },
        workload: { type: 'string' },
        trace: { type: 'string' },
        load: { type: 'string', default: '0.8' },
        scale: { type: 'string', default: '1' },
        requests: { type: 'string', default: '10000' },
        order: { type: 'string' },
        policy: { type: 'string' },
        seeds: { type: 'string', default: '1-3' },
        replicas: { type: 'string' },
        placement: { type: 'string' },
        without: { type: 'string' },
      },
    })
    return values
  } catch (error) {
    // Of several sentences of advice the first says what is wrong.
    throw new UsageError(
      error instanceof Error ? `${error.message.split('. ')[0]?.replace(/\.$/, '')}.` : String(error),
    )
  }
}

function namesOf<Name extends string>(flag: string, text: string, known: readonly Name[]): readonly Name[] {
  if (text === 'all') return known
  return text.split(',').map((wanted) => {
    const found = known.find((name) => name.toLowerCase() === wanted.trim().toLowerCase())
    if (found === undefined) throw new UsageError(`${flag} knows ${known.join(', ')} and all, not "${wanted}".`)
    return found
  })
}

function numberOf(flag: string, text: string, { least, most }: { least: number; most: number }): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (!(value >= least && value <= most)) {
    throw new UsageError(`${flag} must be a number from ${least} to ${most}, not "${text}".`)
  }
  return value
}

/** `3`, `1-10` and `1,4,7-9`. */
function numbersOf(flag: string, text: string, { countMax, example }: { countMax: number; example: string }): number[] {
  const numbers = text.split(',').flatMap((part) => {
    const [, first, last = first] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(part.trim()) ?? []
    const count = Number(last) - Number(first) + 1
    if (!(count >= 1 && count <= countMax)) throw new UsageError(`${flag} must be like ${example}, not "${text}".`)
    return Array.from({ length: count }, (_, at) => Number(first) + at)
  })
  return [...new Set(numbers)]
}

export const help = `npm run sim -- [options]

The gateway's line, limits, hosts and choice among them on a virtual clock, before machines that are computed.

  --workload NAMES  one or more of these, or all (default: W4)
${Object.entries(workloads)
  .map(([name, { about }]) => `                      ${name.padEnd(10)}${about}`)
  .join('\n')}
                      adaptive  fixed numbers of slots against those that the gateway finds
  --trace FILE      instead: Azure's CSV or Mooncake's JSON lines
  --load X          of a trace: part of what the hosts can do (default: 0.8)
  --requests N      of a trace: the first so many (default: 10000)
  --scale X         of a trace: what its prompts are divided by (default: 1)
  --order NAMES     who goes next: ${simOrderNames.join(', ')} or all
  --policy NAMES    where to: ${simPolicyNames.join(', ')} or all
                    (default: what the workload is for, all orders or all policies; else token-fair and fastest)
  --seeds LIST      like 1-10 or 1,2,3 (default: 1-3); printed are the median and the worst
  --replicas LIST   instead: so many gateways before the same hosts, like 1,2,4,8
  --placement NAMES which of them a request comes to: ${placements.join(', ')} or all (default: all)
  --without NAMES   of what they tell each other: ${parts.join(', ')} or all
  --json            for a program
  --help`
