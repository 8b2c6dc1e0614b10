/** What `npm run bench` may be told, and its help. */
import { readArguments } from '../../src/cli/arguments.ts'
import type { Flag } from '../../src/cli/command.ts'
import { flagTable } from '../../src/cli/help.ts'
import type { FlagValues } from '../../src/config/settings.ts'
import { partNames, partNamesByDefault } from './parts/all-parts.ts'
import { type TargetName, targetNames } from './targets/target.ts'

export interface BenchArguments {
  /** Commit that is measured beside the working tree, or `metricsOffName`; null for none. */
  readonly baseline: string | null
  readonly parts: ReadonlySet<string>
  readonly targets: ReadonlySet<TargetName>
  readonly rounds: number
  /** 1 for the full form; amounts and times are multiplied by it. */
  readonly scale: number
  /** Lengths of the line that are measured. */
  readonly waiting: readonly number[]
  /** Requests that come and go in each of its measurements; choices of a host by each policy. */
  readonly steps: number
  readonly soakMinutes: number
  /** Gateways run from their TypeScript, and not from what is shipped. */
  readonly fromSource: boolean
  /** Files to write. */
  readonly json: string | null
  readonly svg: string | null
  readonly force: boolean
}

/** No commit: both gateways are the working tree, one unwatched and the other watched as closely as can be. */
export const metricsOffName = 'metrics-off'

interface Defaults {
  readonly rounds: number
  readonly scale: number
  readonly waiting: string
  readonly steps: number
  readonly targets: readonly TargetName[]
}

const full: Defaults = { rounds: 6, scale: 1, waiting: '100,10000,100000', steps: 10_000, targets: targetNames }
/** Without what each round spends on a second yardstick. */
const quick: Defaults = {
  rounds: 3,
  scale: 0.25,
  waiting: '100,100000',
  steps: 2_000,
  targets: targetNames.filter((name) => name !== 'haproxy'),
}
const partsOfQuick = ['requests', 'tokens', 'line', 'idle', 'line-leavers', 'scrapes', 'bodies', 'cold-start']

const flags: readonly Flag[] = [
  {
    name: 'baseline',
    value: 'REF',
    help: `Commit to measure beside the working tree, or ${metricsOffName}: the working tree with metrics off beside the same with metrics, traces and receipts on`,
  },
  {
    name: 'parts',
    value: 'A,B',
    help: `What to measure, of ${partNames.join(', ')} (default: all but ${partNames.filter((name) => !partNamesByDefault.includes(name)).join(', ')}; quick: ${partsOfQuick.join(', ')})`,
  },
  {
    name: 'targets',
    value: 'A,B',
    help: `Beside whom, of ${targetNames.join(', ')}; the gateway always (default: all that are there, quick without haproxy)`,
  },
  {
    name: 'rounds',
    value: 'N',
    help: `Rounds, each with fresh processes in random order (default: ${full.rounds}, quick ${quick.rounds})`,
  },
  { name: 'quick', value: '', help: 'The short form: few rounds and short measurements, for a first look' },
  {
    name: 'scale',
    value: 'X',
    help: `Amounts and times, as a multiple of the full form (default: ${full.scale}, quick ${quick.scale})`,
  },
  { name: 'waiting', value: 'N,M', help: `Lengths of the line to measure (default: ${full.waiting})` },
  {
    name: 'steps',
    value: 'N',
    help: `Requests that come and go at each length, and choices of each policy (default: ${full.steps})`,
  },
  { name: 'soak-minutes', value: 'N', help: 'Length of the part soak (default: 10)' },
  { name: 'from-source', value: '', help: 'Runs gateways from their TypeScript, and not from what is shipped' },
  { name: 'json', value: 'FILE', help: 'Writes the result there as one JSON object' },
  { name: 'svg', value: 'FILE', help: 'Writes a plot of it there' },
  { name: 'force', value: '', help: 'Measures on a busy machine as well; its figures are worth little' },
]

export const benchHelp = [
  'What the gateway costs: beside its host alone, nginx, HAProxy and another commit of it, in rounds in random order.',
  '',
  'Usage: npm run bench -- [flags]',
  '',
  'Flags:',
  ...flagTable([...flags, { name: 'help', value: '', help: 'This text' }]),
].join('\n')

/** Throws one sentence for people where the arguments make no sense. */
export function readBenchArguments(args: readonly string[]): BenchArguments | 'help' {
  if (args.includes('--help') || args.includes('-h')) return 'help'
  const read = readArguments(args, flags)
  if (read.kind === 'bad') throw new Error(read.message)
  const { values } = read
  const given = (name: string) => values.get(name)?.at(-1) ?? null
  const isQuick = given('quick') === 'true'
  const defaults = isQuick ? quick : full
  return {
    baseline: given('baseline'),
    parts: namesOf(values, 'parts', partNames, isQuick ? partsOfQuick : partNamesByDefault),
    targets: namesOf(values, 'targets', targetNames, defaults.targets),
    rounds: countOf(values, 'rounds', defaults.rounds, 1_000),
    scale: scaleOf(given('scale'), defaults.scale),
    waiting: listOf(values, 'waiting', defaults.waiting).map((text) => wholeNumber('waiting', text, 1_000_000)),
    steps: countOf(values, 'steps', defaults.steps, 1_000_000),
    soakMinutes: countOf(values, 'soak-minutes', 10, 1_440),
    fromSource: given('from-source') === 'true',
    json: given('json'),
    svg: given('svg'),
    force: given('force') === 'true',
  }
}

function namesOf<Name extends string>(
  values: FlagValues,
  flag: string,
  known: readonly Name[],
  otherwise: readonly Name[],
): ReadonlySet<Name> {
  const names = listOf(values, flag, otherwise.join(','))
  const unknown = names.find((name) => !known.some((other) => other === name))
  if (unknown !== undefined) throw new Error(`--${flag} knows ${known.join(', ')}, not "${unknown}"`)
  return new Set(known.filter((name) => names.includes(name)))
}

function scaleOf(text: string | null, otherwise: number): number {
  const scale = text === null ? otherwise : Number(text)
  if (!(scale >= 0.001 && scale <= 100)) throw new Error(`--scale must be a number from 0.001 to 100, not "${text}"`)
  return scale
}

function listOf(values: FlagValues, name: string, otherwise: string): string[] {
  return (values.get(name)?.at(-1) ?? otherwise).split(',').map((text) => text.trim())
}

function countOf(values: FlagValues, name: string, otherwise: number, most: number): number {
  const text = values.get(name)?.at(-1)
  return text === undefined ? otherwise : wholeNumber(name, text, most)
}

function wholeNumber(name: string, text: string, most: number): number {
  const value = Number(text)
  if (text === '' || !Number.isInteger(value) || value < 1 || value > most) {
    throw new Error(`--${name} must be a whole number from 1 to ${most}, not "${text}"`)
  }
  return value
}
