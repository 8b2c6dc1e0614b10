/** What the rows of the ledger sum up to: grouped in SQL by quarters of an hour, and by calendar days from those. */
import type { UsageGroup, UsageQuery, UsageSum } from '../metering/ledger-store.ts'
import type { Database } from './database.ts'

/** Rows that one statement reads. */
const rowsAtOnce = 50_000

/**
 * Every zone's midnight, and every change of its offset, falls on a border of these. The statement has the number too:
 * a bound one is a float to SQLite, and would be divided by as one.
 */
const quarterHourMs = 900_000

/** Where a slice that begins at `fromMs` has had its share of rows. */
const endOfSlice = `SELECT started_at_ms AS atMs FROM requests
  WHERE started_at_ms >= :fromMs AND started_at_ms < :toMs ORDER BY started_at_ms LIMIT 1 OFFSET :rows`

const sumsOfSlice = `SELECT
    CASE WHEN :byKey THEN key_name END AS key,
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
    total(cost_nanos) AS costNanos
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

type SliceRow = Figures & Record<Exclude<UsageGroup, 'day'>, string | null> & { readonly quarter: number | null }

export class UsageReport {
  readonly #query: UsageQuery
  readonly #toMs: number
  readonly #dayOf: (quarter: number) => string
  readonly #sums = new Map<string, { group: (string | null)[]; figures: Figures }>()
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
    const rows = database.all<SliceRow>(sumsOfSlice, {
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
    })
    for (const row of rows) this.#add(row)
    this.#fromMs = toMs
    return toMs === this.#toMs
  }

  /** In the order of their groups. */
  sums(): readonly UsageSum[] {
    // One total is one, of nothing too.
    if (this.#query.by.length === 0 && this.#sums.size === 0) return [{ ...figuresOf(() => 0), group: {} }]
    return [...this.#sums.values()]
      .toSorted((a, b) => compare(a.group, b.group))
      .map((sum) => ({
        ...sum.figures,
        group: Object.fromEntries(this.#query.by.map((name, at) => [name, sum.group[at] ?? null])),
      }))
  }

  #add(row: SliceRow): void {
    const group = this.#query.by.map((name) =>
      name === 'day' ? (row.quarter === null ? null : this.#dayOf(row.quarter)) : row[name],
    )
    const id = JSON.stringify(group)
    const sum = this.#sums.get(id)
    if (sum === undefined) {
      this.#sums.set(id, { group, figures: figuresOf((name) => row[name]) })
      return
    }
    for (const name of figures) sum.figures[name] += row[name]
  }
}

function figuresOf(value: (name: keyof Figures) => number): Figures {
  // oxlint-disable-next-line no-unsafe-type-assertion -- each of the names is there
  return Object.fromEntries(figures.map((name) => [name, value(name)])) as Figures
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

function compare(a: readonly (string | null)[], b: readonly (string | null)[]): number {
  for (const [at, left] of a.entries()) {
    const right = b[at] ?? null
    if (left === right) continue
    if (left === null) return -1
    if (right === null) return 1
    return left < right ? -1 : 1
  }
  return 0
}
