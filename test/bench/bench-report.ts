/** What a benchmark found, as a program reads it and as people do. */
import type { ChoosingFigure } from './choosing-figures.ts'
import type { ArmRound, GatewayRound } from './gateway-rounds.ts'
import type { Bound, LineFigure } from './line-figures.ts'
import type { MachineLoad } from './machine.ts'
import { median, type Spread, spreadOf, verdictOn } from './statistics.ts'

export interface BenchReport {
  readonly node: string
  /** Short commits, with a word where the working tree has more than its own; null where nothing was compared. */
  readonly before: string | null
  readonly after: string
  readonly rounds: number
  readonly machine: { readonly atStart: MachineLoad; readonly loadAverageAtEnd: number; readonly model: string }
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[]
  /** Empty where no part asked for gateways. */
  readonly gateways: readonly Comparison[]
  /** What they relayed while they were measured, in all rounds together. */
  readonly relayed: Relayed
  /** Empty where the line was not measured. */
  readonly line: readonly LineFigure[]
  /** Empty where choosing a host was not measured. */
  readonly choosing: readonly ChoosingFigure[]
}

export interface Comparison {
  readonly name: string
  readonly unit: string
  /** Medians over the rounds. */
  readonly before: number
  readonly after: number
  /** After to before within a round, over the rounds. */
  readonly ratio: Spread
}

export interface Relayed {
  readonly tokens: number
  readonly requests: number
}

const compared: readonly { figure: Exclude<keyof ArmRound, keyof Relayed>; name: string; unit: string }[] = [
  { figure: 'cpuUsPerToken', name: 'CPU a streamed token', unit: 'µs' },
  { figure: 'cpuUsPerRequest', name: 'CPU a whole answer', unit: 'µs' },
  { figure: 'residentMiBIdle', name: 'memory when idle', unit: 'MiB' },
  { figure: 'residentMiBLoaded', name: 'memory after the load', unit: 'MiB' },
]

/** Of each figure that both gateways have in every round. */
export function comparisonsOf(rounds: readonly GatewayRound[]): Comparison[] {
  return compared.flatMap(({ figure, name, unit }) => {
    const pairs = rounds.flatMap(({ before, after }) => {
      const pair = { before: before[figure], after: after[figure] }
      return pair.before === null || pair.after === null ? [] : [{ before: pair.before, after: pair.after }]
    })
    if (pairs.length === 0 || pairs.length < rounds.length) return []
    return {
      name,
      unit,
      before: median(pairs.map(({ before }) => before)),
      after: median(pairs.map(({ after }) => after)),
      ratio: spreadOf(pairs.map(({ before, after }) => after / before)),
    }
  })
}

export function relayedIn(rounds: readonly GatewayRound[]): Relayed {
  const arms = rounds.flatMap(({ before, after }) => [before, after])
  const sum = (what: keyof Relayed) => arms.reduce((so, arm) => so + arm[what], 0)
  return { tokens: sum('tokens'), requests: sum('requests') }
}

export function reportText(report: BenchReport): string {
  const { machine, node, before, after, rounds, notes, gateways, relayed, line, choosing } = report
  const { atStart } = machine
  return [
    `Node ${node}, ${atStart.cores} cores (${machine.model}), load average ${atStart.loadAverage.toFixed(2)} at the start and ${machine.loadAverageAtEnd.toFixed(2)} at the end`,
    ...(gateways.length === 0
      ? []
      : [
          '',
          `Gateway before (${before}) and after (${after}), ${rounds} rounds, ${relayed.tokens} tokens and ${relayed.requests} whole answers:`,
        ]),
    ...columns(gateways.map(comparisonRow)),
    ...(line.length === 0 ? [] : ['', `The line of ${after}, medians of ${rounds} rounds:`]),
    ...columns(line.map(lineRow)),
    ...(choosing.length === 0
      ? []
      : ['', `Choosing one of 16 hosts that remember 10,000 prompts, medians of ${rounds} rounds:`]),
    ...columns(choosing.map(choosingRow)),
    ...(notes.length === 0 ? [] : ['']),
    ...notes.map((note) => `Note: ${note}`),
  ].join('\n')
}

function comparisonRow({ name, unit, before, after, ratio }: Comparison): string[] {
  const range = `${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)}, ${ratio.interval}`
  return [name, shown(before), shown(after), unit, `× ${ratio.median.toFixed(3)} (${range})`, verdictOn(ratio)]
}

function lineRow({ name, waiting, ...measured }: LineFigure): string[] {
  return [name, `${waiting}`, ...figureCells(measured)]
}

function choosingRow({ name, ...measured }: ChoosingFigure): string[] {
  return [name, ...figureCells(measured)]
}

function figureCells({
  unit,
  figure,
  bound,
}: Pick<LineFigure | ChoosingFigure, 'unit' | 'figure' | 'bound'>): string[] {
  const range = `(${shown(figure.low)} to ${shown(figure.high)})`
  return [shown(figure.median), unit, range, bound === null ? '' : boundWords(figure.median, bound)]
}

function boundWords(value: number, { must, goal }: Bound): string {
  const said = (name: string, most: number) => `${name} ${most}: ${value <= most ? 'met' : 'missed'}`
  return must === goal ? said('must', must) : `${said('goal', goal)}, ${said('must', must)}`
}

function shown(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, at) => Math.max(...rows.map((row) => row[at]!.length)))
  const isNumber = /^[\d.]+$/
  return rows.map((row) =>
    `  ${row.map((cell, at) => (isNumber.test(cell) ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!))).join('  ')}`.trimEnd(),
  )
}
