/** The results as tables: a figure is its median over the seeds, with the worst in brackets where there are several. */
import { type Figure, type Figures, overallFigures, streamFigures } from './figures.ts'
import type { SimOrderName } from './orders.ts'
import type { SimPolicyName } from './policies.ts'
import { type Spread, spreads, streamNames } from './seeds.ts'

/** What who goes next and where to made of a workload. */
export interface Result {
  readonly order: SimOrderName
  readonly policy: SimPolicyName
  /** One for each seed. */
  readonly runs: readonly Figures[]
}

export function resultTables(results: readonly Result[]): string {
  const labels = labelsOf(results)
  const overall = results.map((result) => [
    ...labels.of(result),
    ...cells(
      overallFigures,
      spreads(
        overallFigures,
        result.runs.map((run) => run.overall),
      ),
    ),
  ])
  const streams = streamNames(results.flatMap(({ runs }) => runs)).flatMap((name) =>
    results.flatMap((result) => {
      const of = result.runs.flatMap((run) => run.streams[name] ?? [])
      return of.length === 0 ? [] : [[name, ...labels.of(result), ...cells(streamFigures, spreads(streamFigures, of))]]
    }),
  )
  return [
    table(...known([...labels.heads, ...heads(overallFigures)], overall)),
    table(...known(['requests of', ...labels.heads, ...heads(streamFigures)], streams)),
  ].join('\n\n')
}

/** What is the same in all rows needs no column. */
function labelsOf(results: readonly Result[]): { heads: string[]; of: (result: Result) => string[] } {
  const labels = (['order', 'policy'] as const).filter((label) => new Set(results.map((one) => one[label])).size > 1)
  const shown = labels.length === 0 ? (['order', 'policy'] as const) : labels
  return { heads: [...shown], of: (result) => shown.map((label) => result[label]) }
}

/** Without the columns in which nothing is known. */
function known(head: readonly string[], rows: readonly string[][]): [string[], string[][]] {
  const isKnown = head.map((_title, at) => rows.some((row) => row[at] !== unknown))
  const kept = (row: readonly string[]) => row.filter((_cell, at) => isKnown[at] === true)
  return [kept(head), rows.map(kept)]
}

const unknown = '–'

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
  if (Number.isNaN(median)) return unknown
  const [middle, far] = [median.toFixed(digits), worst.toFixed(digits)]
  return middle === far ? middle : `${middle} (${far})`
}
