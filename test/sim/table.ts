/** The results as tables: a figure is its median over the seeds, with the worst in brackets where there are several. */
import { type Figure, type Figures, overallFigures, streamFigures } from './figures.ts'
import { type Spread, spreads, streamNames } from './seeds.ts'

export interface PolicyResult {
  readonly policy: string
  /** One for each seed. */
  readonly runs: readonly Figures[]
}

export function policyTables(results: readonly PolicyResult[]): string {
  const overall = results.map(({ policy, runs }) => [
    policy,
    ...cells(
      overallFigures,
      spreads(
        overallFigures,
        runs.map((run) => run.overall),
      ),
    ),
  ])
  const streams = streamNames(results.flatMap(({ runs }) => runs)).flatMap((name) =>
    results.flatMap(({ policy, runs }) => {
      const of = runs.flatMap((run) => run.streams[name] ?? [])
      return of.length === 0 ? [] : [[name, policy, ...cells(streamFigures, spreads(streamFigures, of))]]
    }),
  )
  return [
    table(['policy', ...heads(overallFigures)], overall),
    table(['requests of', 'policy', ...heads(streamFigures)], streams),
  ].join('\n\n')
}

/** Columns as wide as what is in them; the first is aligned left, numbers right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const isText = head.map((_title, at) => rows.every((row) => !/^-?\d/.test(row[at] ?? '')))
  const line = (cellsOfRow: readonly string[]) =>
    cellsOfRow
      .map((text, at) => (isText[at] === true ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0)))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function heads(figures: Readonly<Record<string, Figure>>): string[] {
  return Object.values(figures).map(({ head }) => head)
}

function cells<Names extends string>(
  figures: Readonly<Record<Names, Figure>>,
  of: Readonly<Record<Names, Spread>>,
): string[] {
  return (Object.keys(figures) as Names[]).map((name) => cell(of[name], figures[name].digits))
}

function cell({ median, worst }: Spread, digits: number): string {
  if (Number.isNaN(median)) return '–'
  const [middle, far] = [median.toFixed(digits), worst.toFixed(digits)]
  return middle === far ? middle : `${middle} (${far})`
}
