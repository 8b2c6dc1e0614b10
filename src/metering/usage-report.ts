/** Sums of the ledger as programs read them: one JSON object, or CSV. */
import type { UsageGroup, UsageQuery, UsageSum } from './ledger-store.ts'

type Figures = Omit<UsageSum, 'group' | 'keyId' | 'costNanos'> & {
  /** In the currency of the report. */
  readonly cost: number
}

/** By key it has the key's id beside its name, which another key may have had. */
type UsageRow = Readonly<Partial<Record<UsageGroup | 'keyId', string | null>>> & Figures

export interface UsageReport {
  /** Times in ISO 8601; null for no end. */
  readonly from: string | null
  readonly to: string | null
  readonly timeZone: string
  readonly currency: string
  readonly by: readonly UsageGroup[]
  readonly rows: readonly UsageRow[]
  readonly total: Figures
}

export function usageReport(query: UsageQuery, sums: readonly UsageSum[], currency: string): UsageReport {
  return {
    from: isoTime(query.fromMs),
    to: isoTime(query.toMs),
    timeZone: query.timeZone,
    currency,
    by: query.by,
    rows: sums.map((sum) => ({ ...groupOf(sum, query.by), ...figuresOf(sum) })),
    total: totalOf(sums),
  }
}

/** In the order of the question, whatever the order in which they were read. */
function groupOf({ group, keyId = null }: UsageSum, by: readonly UsageGroup[]): Omit<UsageRow, keyof Figures> {
  return Object.fromEntries(
    columnsOf(by).map((column) => [column, column === 'keyId' ? keyId : (group[column] ?? null)]),
  )
}

function columnsOf(by: readonly UsageGroup[]): readonly (UsageGroup | 'keyId')[] {
  return by.flatMap((column) => (column === 'key' ? (['key', 'keyId'] as const) : [column]))
}

function figuresOf(sum: UsageSum): Figures {
  return {
    requests: sum.requests,
    failed: sum.failed,
    unfinished: sum.unfinished,
    input: sum.input,
    cachedInput: sum.cachedInput,
    output: sum.output,
    reasoning: sum.reasoning,
    inputUnreported: sum.inputUnreported,
    outputUnreported: sum.outputUnreported,
    cost: sum.costNanos / 1e9,
  }
}

function totalOf(sums: readonly UsageSum[]): Figures {
  const total = (field: Exclude<keyof UsageSum, 'group' | 'keyId'>): number =>
    sums.reduce((sum, one) => sum + one[field], 0)
  return {
    requests: total('requests'),
    failed: total('failed'),
    unfinished: total('unfinished'),
    input: total('input'),
    cachedInput: total('cachedInput'),
    output: total('output'),
    reasoning: total('reasoning'),
    inputUnreported: total('inputUnreported'),
    outputUnreported: total('outputUnreported'),
    cost: total('costNanos') / 1e9,
  }
}

function isoTime(atMs: number | null): string | null {
  return atMs === null ? null : new Date(atMs).toISOString()
}

const figureColumns = [
  'requests',
  'failed',
  'unfinished',
  'input',
  'cachedInput',
  'output',
  'reasoning',
  'inputUnreported',
  'outputUnreported',
  'cost',
] as const satisfies readonly (keyof Figures)[]

/** RFC 4180 with a header row; a spreadsheet takes no cell of it for a formula. */
export function usageCsv(report: UsageReport): string {
  const columns = columnsOf(report.by)
  const header = [...columns, ...figureColumns, 'currency']
  const row = (one: UsageRow): string[] => [
    ...columns.map((column) => csvCell(one[column] ?? '')),
    ...figureColumns.map((column) => plainNumber(one[column])),
    csvCell(report.currency),
  ]
  return line(header) + report.rows.map((one) => line(row(one))).join('')
}

const line = (cells: readonly string[]): string => `${cells.join(',')}\r\n`

/** Never in powers of ten: nine decimals are all that a cost has. */
function plainNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(9).replace(/0+$/, '')
}

function csvCell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
