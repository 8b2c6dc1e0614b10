/** What a benchmark found, as a program reads it and as people do. */
import type { Calibration } from './calibration.ts'
import { goalRows, goalsLeftOut } from './goals.ts'
import type { MachineLoad } from './machine.ts'
import type { Row } from './parts/part.ts'
import { type Spread, verdictOn } from './statistics.ts'
import { type TargetName, targetNames } from './targets/target.ts'

export interface BenchReport {
  readonly node: string
  /** As they were told to be. */
  readonly flags: readonly string[]
  readonly rounds: number
  readonly scale: number
  /** What each target is: version, or commit. */
  readonly targets: Partial<Record<TargetName, string>>
  /** How gateways were started. */
  readonly gatewayRuns: string
  readonly machine: {
    readonly model: string
    readonly kernel: string
    readonly atStart: MachineLoad
    readonly loadAverageAtEnd: number
    readonly cores: string
  }
  readonly calibration: Calibration | null
  readonly parts: readonly ReportedPart[]
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[]
  readonly tookMs: number
}

export interface ReportedPart {
  readonly name: string
  readonly words: string
  readonly rows: readonly Row[]
}

export function reportText(report: BenchReport): string {
  const { machine, node, parts, notes, rounds, tookMs } = report
  const { atStart } = machine
  const targets = targetNames.flatMap((name) =>
    report.targets[name] === undefined ? [] : [`${name} (${report.targets[name]})`],
  )
  return [
    `Node ${node}, ${atStart.cores} cores (${machine.model}), ${machine.kernel}, load average ${atStart.loadAverage.toFixed(2)} at the start and ${machine.loadAverageAtEnd.toFixed(2)} at the end`,
    `Targets: ${targets.join(', ')}; ${machine.cores}`,
    `Gateways: ${report.gatewayRuns}`,
    `${rounds} rounds in random order, each with fresh processes; medians (${intervalWords(rounds)}); ${(tookMs / 60_000).toFixed(1)} minutes`,
    ...parts.flatMap(partLines),
    ...goalLines(parts),
    ...(notes.length === 0 ? [] : ['']),
    ...notes.map((note) => `Note: ${note}`),
  ].join('\n')
}

function intervalWords(rounds: number): string {
  return rounds < 6 ? 'least to most' : '95 % of resampled medians'
}

function goalLines(parts: readonly ReportedPart[]): string[] {
  const rows = goalRows(parts)
  if (rows.length === 0) return []
  const leftOut = goalsLeftOut(parts)
  return [
    ...partLines({ name: 'goals', words: 'all of the design, with what was measured of each', rows }),
    ...(leftOut.length === 0 ? [] : [`    not measured, for want of their part: ${leftOut.join('; ')}`]),
  ]
}

function partLines({ name, words, rows }: ReportedPart): string[] {
  const names = targetNames.filter((target) => rows.some(({ byTarget }) => byTarget[target] !== undefined))
  const hasRatio = rows.some(({ ratioToNginx }) => ratioToNginx !== null)
  const hasBaseline = rows.some(({ ratioToBaseline }) => (ratioToBaseline ?? null) !== null)
  const head = [
    '',
    'unit',
    ...names,
    ...(rows.some(({ must }) => must !== null) ? ['must', 'goal', 'verdict'] : []),
    ...(hasRatio ? ['× nginx', 'must', 'goal', 'verdict'] : []),
    ...(hasBaseline ? ['× baseline', ''] : []),
  ]
  const cells = rows.map((row) => [
    row.figure,
    row.unit,
    ...names.map((target) => spreadCell(row.byTarget[target] ?? null)),
    ...(head.includes('must') && rows.some(({ must }) => must !== null)
      ? boundCells(row.must, row.goal, row.byTarget.gateway ?? null, row.better)
      : []),
    ...(hasRatio
      ? [
          spreadCell(row.ratioToNginx),
          ...boundCells(row.ratioMust ?? null, row.ratioGoal ?? null, row.ratioToNginx, row.better),
        ]
      : []),
    ...(hasBaseline ? baselineCells(row.ratioToBaseline ?? null) : []),
  ])
  const notes = rows.flatMap(({ figure, note }) => (note === undefined ? [] : [`    ${figure}: ${note}`]))
  return ['', `${name}: ${words}`, ...columns([head, ...cells]), ...notes]
}

function baselineCells(ratio: Spread | null): [string, string] {
  return [spreadCell(ratio), ratio === null ? '' : verdictOn(ratio)]
}

function boundCells(must: number | null, goal: number | null, spread: Spread | null, better: Row['better']) {
  return [shownOr(must), shownOr(goal), verdictWords({ must, goal, spread, better })]
}

/** By the median; an interval that reaches over the bound says that it could be otherwise. */
export function verdictWords({
  must,
  goal,
  spread,
  better,
}: Pick<Row, 'must' | 'goal' | 'better'> & { readonly spread: Spread | null }): string {
  if (spread === null || must === null) return ''
  const meets = (value: number, bound: number) => (better === 'lower' ? value <= bound : value >= bound)
  const sure = (bound: number) => (meets(spread.low, bound) === meets(spread.high, bound) ? '' : ' ?')
  if (goal !== null && meets(spread.median, goal)) return `goal met${sure(goal)}`
  return meets(spread.median, must) ? `must met${sure(must)}` : `MISSED${sure(must)}`
}

function spreadCell(spread: Spread | null): string {
  if (spread === null) return '-'
  const middle = shown(spread.median)
  return spread.low === spread.high ? middle : `${middle} (${shown(spread.low)}–${shown(spread.high)})`
}

function shownOr(value: number | null): string {
  return value === null ? '' : shown(value)
}

export function shown(value: number): string {
  const size = Math.abs(value)
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  return size >= 1 ? value.toFixed(2) : value.toFixed(3)
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_cell, at) => Math.max(...rows.map((row) => row[at]!.length)))
  return rows.map((row) => `  ${row.map((cell, at) => cell.padEnd(widths[at]!)).join('  ')}`.trimEnd())
}
