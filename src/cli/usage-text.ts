/** Usage as people read it. */
import type { UsageReport } from '../metering/usage-report.ts'
import { type Column, grouped, textTable } from './text-table.ts'

type Row = UsageReport['rows'][number]
type Figures = UsageReport['total']

interface Shown extends Column {
  readonly cell: (figures: Figures) => string
  /** Left out where the total has none of it. */
  readonly isOptional?: boolean
}

export function usageText(report: UsageReport): string {
  const shown = figureColumns(report.currency).filter(
    ({ isOptional = false, cell }) => !isOptional || cell(report.total) !== '',
  )
  const figures = (row: Figures): string[] => shown.map(({ cell }) => cell(row))
  const shared = sharedNames(report)
  const group = (row: Row): string[] =>
    report.by.map((column) => {
      const text = row[column] ?? '-'
      return column === 'key' && shared.has(row.key) ? `${text} (${row.keyId ?? '-'})` : text
    })
  const columns = [...report.by.map((title) => ({ title })), ...shown]
  const rows = report.rows.map((row) => [...group(row), ...figures(row)])
  const total = [report.by.length === 0 ? [] : ['total', ...report.by.slice(1).map(() => '')], figures(report.total)]
  // Without a group the one row is the total.
  const table = textTable(columns, report.by.length === 0 ? [total.flat()] : [...rows, total.flat()])
  return [rangeText(report), '', table, ...notes(report.total)].join('\n')
}

/** Names that two keys of the report have: one was revoked, most likely, and another made of its name. */
function sharedNames({ rows }: UsageReport): ReadonlySet<string | null | undefined> {
  const ids = new Map<string | null | undefined, string | null | undefined>()
  const shared = new Set<string | null | undefined>()
  for (const { key, keyId } of rows) {
    if (ids.has(key) && ids.get(key) !== keyId) shared.add(key)
    ids.set(key, keyId)
  }
  return shared
}

function figureColumns(currency: string): readonly Shown[] {
  return [
    number('requests', 'requests'),
    number('failed', 'failed'),
    whereAny('unfinished', 'unfinished'),
    number('input', 'input'),
    whereAny('cached', 'cachedInput'),
    number('output', 'output'),
    whereAny('reasoning', 'reasoning'),
    { title: 'unreported', isNumber: true, isOptional: true, cell: unreported },
    { title: currency, isNumber: true, isOptional: true, cell: cost },
  ]
}

type Count = Exclude<keyof Figures, 'cost'>

function number(title: string, field: Count): Shown {
  return { title, isNumber: true, cell: (figures) => grouped(figures[field]) }
}

function whereAny(title: string, field: Count): Shown {
  return {
    title,
    isNumber: true,
    isOptional: true,
    cell: (figures) => (figures[field] === 0 ? '' : grouped(figures[field])),
  }
}

/** Of all tokens: how much of them no host has reported. */
function unreported({ input, output, inputUnreported, outputUnreported }: Figures): string {
  const share = (inputUnreported + outputUnreported) / Math.max(1, input + output)
  if (share === 0) return ''
  return share < 0.01 ? '<1 %' : `${Math.round(share * 100)} %`
}

/** To the cent, and where that is nothing to what there is. */
function cost({ cost: value }: Figures): string {
  if (value === 0) return ''
  const digits = value < 0.1 ? 6 : 2
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function notes(total: Figures): string[] {
  if (unreported(total) === '') return []
  return ['', 'unreported: the share of tokens that no host has reported, but that were counted or estimated here.']
}

function rangeText({ from, to, timeZone }: UsageReport): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  const text = (time: string | null, none: string): string => (time === null ? none : format.format(new Date(time)))
  return `Usage from ${text(from, 'the beginning')} to ${text(to, 'now')} (${timeZone})`
}
