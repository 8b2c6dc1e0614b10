/** What `npm run bench` may be told, and its help. */
import { readArguments } from '../../src/cli/arguments.ts'
import type { Flag } from '../../src/cli/command.ts'
import { flagTable } from '../../src/cli/help.ts'
import type { FlagValues } from '../../src/config/settings.ts'

export const benchParts = ['line', 'choosing', 'stream', 'request'] as const
export type BenchPart = (typeof benchParts)[number]

export interface BenchArguments {
  /** Commit that the working tree is compared with; `metricsOffName`: with itself, once unwatched and once watched as closely as can be. */
  readonly baseline: string
  readonly parts: ReadonlySet<BenchPart>
  readonly rounds: number
  /** Streams at once, and slots of the host. */
  readonly streams: number
  /** Tokens of one stream. */
  readonly tokens: number
  /** Whole answers of one measurement. */
  readonly requests: number
  /** Lengths of the line that are measured. */
  readonly waiting: readonly number[]
  /** Requests that come and go in each of its measurements; choices of a host by each policy. */
  readonly steps: number
  readonly json: boolean
  readonly force: boolean
}

/** No commit: both gateways are the working tree. */
export const metricsOffName = 'metrics-off'

const flags: readonly Flag[] = [
  {
    name: 'baseline',
    value: 'REF',
    help: `Commit to compare the working tree with, or ${metricsOffName}: the working tree with metrics off against the same with metrics, traces and receipts on (default: HEAD~1)`,
  },
  { name: 'parts', value: 'A,B', help: `What to measure, of ${benchParts.join(', ')} (default: all)` },
  { name: 'rounds', value: 'N', help: 'Rounds, each with fresh processes in random order (default: 10)' },
  { name: 'streams', value: 'N', help: 'Streams at once, one token each 10 ms (default: 64)' },
  { name: 'tokens', value: 'N', help: 'Tokens of one stream (default: 300)' },
  { name: 'requests', value: 'N', help: 'Whole answers of one measurement (default: 4000)' },
  { name: 'waiting', value: 'N,M', help: 'Lengths of the line to measure (default: 100,10000,100000)' },
  {
    name: 'steps',
    value: 'N',
    help: 'Requests that come and go at each length, and choices of each policy (default: 10000)',
  },
  { name: 'json', value: '', help: 'The result as one JSON object' },
  { name: 'force', value: '', help: 'Measures on a busy machine as well; its figures are worth little' },
]

export const benchHelp = [
  'What a change costs: the gateway at a commit against the gateway of the working tree, in paired rounds.',
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
  return {
    baseline: values.get('baseline')?.at(-1) ?? 'HEAD~1',
    parts: partsOf(values),
    rounds: countOf(values, 'rounds', 10, 1_000),
    streams: countOf(values, 'streams', 64, 1_024),
    tokens: countOf(values, 'tokens', 300, 100_000),
    requests: countOf(values, 'requests', 4_000, 1_000_000),
    waiting: listOf(values, 'waiting', '100,10000,100000').map((text) => wholeNumber('waiting', text, 1_000_000)),
    steps: countOf(values, 'steps', 10_000, 1_000_000),
    json: values.get('json')?.at(-1) === 'true',
    force: values.get('force')?.at(-1) === 'true',
  }
}

function partsOf(values: FlagValues): ReadonlySet<BenchPart> {
  const names = listOf(values, 'parts', benchParts.join(','))
  return new Set(
    names.map((name) => {
      const part = benchParts.find((known) => known === name)
      if (part === undefined) throw new Error(`--parts knows ${benchParts.join(', ')}, not "${name}"`)
      return part
    }),
  )
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
