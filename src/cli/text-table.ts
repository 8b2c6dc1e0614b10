/** Tables for people: columns of one width, words to the left and numbers to the right. */
import { printable } from './printable.ts'

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
}

/** One line for the titles, one for each row. Cells may hold anything: none steers the terminal. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => title), ...rows].map((row) => row.map(printable))
  // Not as arguments of one call, which takes no more than some ten thousands of them.
  const widths = columns.map((_, at) => cells.reduce((widest, row) => Math.max(widest, row[at]?.length ?? 0), 0))
  return cells
    .map((row) =>
      columns
        .map(({ isNumber = false }, at) => {
          const text = row[at] ?? ''
          return isNumber ? text.padStart(widths[at] ?? 0) : text.padEnd(widths[at] ?? 0)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** With separators of thousands. */
export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

/** A title alone is a column of words. */
type Titled = string | Column

export function right(title: string): Column {
  return { title, isNumber: true }
}

export function table(columns: readonly Titled[], rows: readonly (readonly string[])[]): string {
  return textTable(
    columns.map((column) => (typeof column === 'string' ? { title: column } : column)),
    rows,
  )
}

/** Nothing where it would have no rows. */
export function section(rows: readonly (readonly string[])[], columns: readonly Titled[]): string[] {
  return rows.length === 0 ? [] : ['', table(columns, rows)]
}

export function counted(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`
}

export function secondsText(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`
}

/** What a list leaves out. */
export function more(count: number): string[] {
  return count > 0 ? [`and ${grouped(count)} more`] : []
}
