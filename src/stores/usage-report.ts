/** What the rows of the ledger sum up to: grouped in SQL by quarters of an hour, and by calendar days from those. */
import { TooManyUsageRows, type UsageGroup, type UsageQuery, type UsageSum } from '../metering/ledger-store.ts'
import type { Database } from './database.ts'

/** Rows that one statement reads. */
const rowsAtOnce = 20_000

/**
 * Every zone's midnight, and every change of its offset, falls on a border of these. The statement has the number too:
 * a bound one is a float to SQLite, and would be divided by as one.
 */
const quarterHourMs = 900_000

/** Where a slice that begins at `fromMs` has had its share of rows. */
const endOfSlice = `SELECT started_at_ms AS atMs FROM requests
  WHERE started_at_ms >= :fromMs AND started_at_ms < :toMs ORDER BY started_at_ms LIMIT 1 OFFSET :rows`

const sumsOfSlice = `SELECT
    CASE WHEN :byKey THEN key_id END AS keyId,
    CASE WHEN :byTeam THEN team END AS team,
    CASE WHEN :byModel THEN model END AS model,
    CASE WHEN :byHost THEN host END AS host,
    CASE WHEN :byDay THEN started_at_ms / 900000 END AS quarter,
    count(*) AS requests,
    sum("end" IS NOT NULL AND "end" NOT IN ('--', 'aborted_unknown')) AS failed,
    sum("end" IS NULL OR "end" = 'aborted_unknown') AS unfinished,
    total(input) AS input,
    total(cached_input) AS cachedInput,
    total(output) AS output,
    total(reasoning) AS reasoning,
    total(CASE WHEN input_source <> 'reported' THEN input ELSE 0 END) AS inputUnreported,
    total(CASE WHEN output_source <> 'reported' THEN output ELSE 0 END) AS outputUnreported,
    total(cost_nanos) AS costNanos,
    -- Of the row that has the maximum, as SQLite promises: the key's last name.
    CASE WHEN :byKey THEN key_name END AS key,
    max(started_at_ms) AS lastAtMs
  FROM requests
  WHERE started_at_ms >= :fromMs AND started_at_ms < :toMs
    AND (:key IS NULL OR key_id = :key OR key_name = :key)
    AND (:team IS NULL OR team = :team)
    AND (:model IS NULL OR model = :model)
    AND (:host IS NULL OR host = :host)
  GROUP BY 1, 2, 3, 4, 5`

const figures = [
  'requests',
  'failed',
  'unfinished',
  'input',
  'cachedInput',
  'output',
  'reasoning',
  'inputUnreported',
  'outputUnreported',
  'costNanos',
] as const
type Figures = Record<(typeof figures)[number], number>

type SliceRow = Figures &
  Record<Exclude<UsageGroup, 'day'> | 'keyId', string | null> & {
    readonly quarter: number | null
    readonly lastAtMs: number
  }

interface Sum extends Figures {
  group: Partial<Record<UsageGroup, string | null>>
  keyId?: string | null
}

export class UsageReport {
  readonly #query: UsageQuery
  readonly #toMs: number
  readonly #dayOf: (quarter: number) => string
  /** What is given back in the end is built once, here. */
  readonly #sums = new Map<string, Sum>()
  /** By the id of the key: one that was renamed has its last name in all of the report. */
  readonly #names = new Map<string | null, { name: string | null; atMs: number }>()
  #fromMs: number

  constructor(query: UsageQuery) {
    this.#query = query
    this.#fromMs = query.fromMs ?? 0
    this.#toMs = query.toMs ?? Number.MAX_SAFE_INTEGER
    this.#dayOf = dayOf(query.timeZone)
  }

  /** True once nothing is left. */
  addSlice(database: Database): boolean {
    const { key, team, model, host, by } = this.#query
    const fromMs = this.#fromMs
    const end = database.get<{ atMs: number }>(endOfSlice, { fromMs, toMs: this.#toMs, rows: rowsAtOnce })
    // Rows of one instant stay together.
    const toMs = end === undefined ? this.#toMs : Math.max(end.atMs, fromMs + 1)
    const values = {
      byKey: flag(by, 'key'),
      byTeam: flag(by, 'team'),
      byModel: flag(by, 'model'),
      byHost: flag(by, 'host'),
      byDay: flag(by, 'day'),
      fromMs,
      toMs,
      key,
      team,
      model,
      host,
    }
    database.each<SliceRow>(sumsOfSlice, values, (row) => this.#add(row))
    this.#fromMs = toMs
    return toMs === this.#toMs
  }

  /** In the order of their groups. */
  sums(): readonly UsageSum[] {
    const { by } = this.#query
    // One total is one, of nothing too.
    if (by.length === 0 && this.#sums.size === 0) return [sumOf(nothing, {})]
    const sums = [...this.#sums.values()]
    if (by.includes('key')) for (const sum of sums) sum.group.key = this.#names.get(sum.keyId ?? null)?.name ?? null
    return sums.toSorted((a, b) => compare(a, b, by))
  }

  #add(row: SliceRow): void {
    const { by, rowsMax = Infinity } = this.#query
    const day = row.quarter === null ? null : this.#dayOf(row.quarter)
    const valueOf = (name: UsageGroup): string | null => (name === 'day' ? day : row[name])
    const id = JSON.stringify(by.map((name) => (name === 'key' ? row.keyId : valueOf(name))))
    if (by.includes('key')) this.#named(row)
    const sum = this.#sums.get(id)
    if (sum !== undefined) {
      for (const name of figures) sum[name] += row[name]
      return
    }
    if (this.#sums.size >= rowsMax) throw new TooManyUsageRows(`there are more than ${rowsMax} rows`)
    const group = Object.fromEntries(by.map((name) => [name, valueOf(name)]))
    const added = sumOf(row, group)
    if (by.includes('key')) added.keyId = row.keyId
    this.#sums.set(id, added)
  }

  #named({ keyId, key: name, lastAtMs: atMs }: SliceRow): void {
    const known = this.#names.get(keyId)
    if (known === undefined || known.atMs <= atMs) this.#names.set(keyId, { name, atMs })
  }
}

const nothing: Figures = {
  requests: 0,
  failed: 0,
  unfinished: 0,
  input: 0,
  cachedInput: 0,
  output: 0,
  reasoning: 0,
  inputUnreported: 0,
  outputUnreported: 0,
  costNanos: 0,
}

/** Written out, since there may be a hundred thousand of them: put together by name, each takes three times the memory. */
function sumOf(row: Figures, group: Sum['group']): Sum {
  return {
    group,
    requests: row.requests,
    failed: row.failed,
    unfinished: row.unfinished,
    input: row.input,
    cachedInput: row.cachedInput,
    output: row.output,
    reasoning: row.reasoning,
    inputUnreported: row.inputUnreported,
    outputUnreported: row.outputUnreported,
    costNanos: row.costNanos,
  }
}

const flag = (by: readonly UsageGroup[], name: UsageGroup): number => (by.includes(name) ? 1 : 0)

/** `2026-03-29`, in the calendar of the zone. */
function dayOf(timeZone: string): (quarter: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' })
  const known = new Map<number, string>()
  return (quarter) => {
    const day = known.get(quarter) ?? format.format(quarter * quarterHourMs)
    known.set(quarter, day)
    return day
  }
}

function compare(a: Sum, b: Sum, by: readonly UsageGroup[]): number {
  for (const name of by) {
    const order = compareTexts(a.group[name] ?? null, b.group[name] ?? null)
    if (order !== 0) return order
    // Two keys of one name are not mixed.
    const keys = name === 'key' ? compareTexts(a.keyId ?? null, b.keyId ?? null) : 0
    if (keys !== 0) return keys
  }
  return 0
}

function compareTexts(left: string | null, right: string | null): number {
  if (left === right) return 0
  if (left === null) return -1
  if (right === null) return 1
  return left < right ? -1 : 1
}
