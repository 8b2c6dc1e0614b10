/** The ledger in an SQLite file of its own, so that damage of the one file never touches the other. */
import { existsSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import type {
  CalendarStarts,
  CalendarTotals,
  Charge,
  LedgerRow,
  LedgerStore,
  UsageQuery,
  UsageSum,
} from '../metering/ledger-store.ts'
import { calendarTotals, type DayOrBefore } from './calendar-totals.ts'
import { type Database, openDatabase, type Schema } from './database.ts'
import type { HandedOut, StreamPosition, TakenIn, TakenInCount, UsageExchange, WaitingRows } from './usage-exchange.ts'
import * as handing from './usage-handing.ts'
import { UsageReport } from './usage-report.ts'
import { admittedValues, figureValues } from './usage-values.ts'

const schema: Schema = {
  applicationId: 0x4c4d5855,
  steps: [
    `PRAGMA application_id = 1280137301;
     CREATE TABLE requests (
       id TEXT NOT NULL PRIMARY KEY,
       request_id TEXT NOT NULL,
       key_id TEXT,
       key_name TEXT NOT NULL,
       team TEXT,
       endpoint TEXT NOT NULL,
       model TEXT NOT NULL,
       stream INTEGER NOT NULL,
       started_at_ms INTEGER NOT NULL,
       host TEXT,
       input INTEGER NOT NULL DEFAULT 0,
       cached_input INTEGER NOT NULL DEFAULT 0,
       output INTEGER NOT NULL DEFAULT 0,
       reasoning INTEGER NOT NULL DEFAULT 0,
       input_source TEXT NOT NULL DEFAULT 'none',
       output_source TEXT NOT NULL DEFAULT 'none',
       ended_at_ms INTEGER,
       duration_ms INTEGER,
       queue_wait_ms INTEGER,
       ttft_ms INTEGER,
       attempts INTEGER,
       status INTEGER,
       "end" TEXT,
       error_code TEXT,
       cost_nanos INTEGER
     );
     CREATE INDEX requests_by_start ON requests
       (started_at_ms, key_id, team, input, cached_input, output, "end");
     CREATE INDEX requests_open ON requests (id) WHERE "end" IS NULL;
     PRAGMA user_version = 1`,
    // Rows of other gateways have an origin; those that others have yet to be given have the wall-clock time of their last state.
    `ALTER TABLE requests ADD COLUMN origin TEXT;
     ALTER TABLE requests ADD COLUMN unhanded INTEGER;
     CREATE INDEX requests_unhanded ON requests (unhanded) WHERE unhanded IS NOT NULL;
     CREATE TABLE taken_in (stream TEXT NOT NULL PRIMARY KEY, place TEXT NOT NULL);
     PRAGMA user_version = 2`,
  ],
}

/** Of a request whose gateway died; what was known of it last stands in its row. */
export const endOfTheUnfinished = 'aborted_unknown'

/** Bound by place, in the order of usage-values.ts: by name SQLite is asked for each of 25, which took longer than all else. */
const insertAdmitted = `INSERT INTO requests
  (id, request_id, key_id, key_name, team, endpoint, model, stream, started_at_ms, unhanded)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO NOTHING`

const insertFigures = `INSERT INTO requests
  (id, request_id, key_id, key_name, team, endpoint, model, stream, started_at_ms, host, input, cached_input, output,
   reasoning, input_source, output_source, ended_at_ms, duration_ms, queue_wait_ms, ttft_ms, attempts, status, "end",
   error_code, cost_nanos, unhanded)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET host = excluded.host, input = excluded.input, cached_input = excluded.cached_input,
   output = excluded.output, reasoning = excluded.reasoning, input_source = excluded.input_source,
   output_source = excluded.output_source, ended_at_ms = excluded.ended_at_ms, duration_ms = excluded.duration_ms,
   queue_wait_ms = excluded.queue_wait_ms, ttft_ms = excluded.ttft_ms, attempts = excluded.attempts,
   status = excluded.status, "end" = excluded."end", error_code = excluded.error_code,
   cost_nanos = excluded.cost_nanos, unhanded = excluded.unhanded, origin = NULL
  WHERE requests."end" IS NULL OR requests."end" = 'aborted_unknown'`

/** Who writes it tries again, and reports have their turn in between. */
const busyMsMax = 1_000

/** Rows that one deletion takes: others write in between. */
const prunedAtOnce = 1_000

interface UsageFileOptions {
  /** Rows without an end are of a process that died: this one has the file for itself. */
  readonly endsUnfinished: boolean
  /** Whether a file may be made where there is none. */
  readonly creates: boolean
  /** Other gateways are to be given what is written. */
  readonly handsOver?: boolean
}

export class UsageFile implements LedgerStore, UsageExchange {
  readonly #path: string
  readonly #options: UsageFileOptions
  #open: Database | null = null
  #reports: Promise<unknown> = Promise.resolve()
  #unfinishedEnded: boolean
  #isClosed = false
  #lastMark = 0
  #handedOut: { readonly number: number; readonly marks: readonly handing.RowMark[] } = { number: 0, marks: [] }

  /** Opens nothing yet: each call tries, so that what is repaired is used. */
  constructor(path: string, options: UsageFileOptions) {
    this.#path = path
    this.#options = options
    this.#unfinishedEnded = !options.endsUnfinished
  }

  /** Opens it and ends what is unfinished, or throws. */
  start(check: (database: Database) => void): void {
    const database = this.#database()
    if (database === null) return
    check(database)
    // Names of columns are no part of what SQLite checks.
    database.check(insertFigures)
    if (!this.#unfinishedEnded) database.transaction(() => this.#endUnfinished(database))
  }

  async write(rows: readonly LedgerRow[]): Promise<void> {
    const database = this.#database()
    if (database === null) throw new StoreError(`${this.#path} does not exist.`)
    database.transaction(() => {
      // Before the first row of this process, and never after it.
      this.#endUnfinished(database)
      const mark = this.#mark()
      for (const row of rows) insertRow(database, row, mark)
    })
    this.#unfinishedEnded = true
  }

  /** One report at a time: the writer waits for a slice of one, and memory is taken by one. */
  usage(query: UsageQuery): Promise<readonly UsageSum[]> {
    const report = this.#reports.then(() => this.#report(query))
    this.#reports = report.catch(() => {})
    return report
  }

  async #report(query: UsageQuery): Promise<readonly UsageSum[]> {
    const report = new UsageReport(query)
    for (;;) {
      const database = this.#database()
      // In slices, so that the writer's rows never wait for a report of a million others.
      if (database === null || database.guard(() => report.addSlice(database))) return report.sums()
      await turn()
    }
  }

  /**
   * A row counts against limits of requests as it did while its gateway ran: not what a host failed, nor what never got to
   * one. Of what has no end of its own there is no telling, so it counts.
   */
  async charges(sinceMs: number): Promise<readonly Charge[]> {
    return this.#read<Charge>(
      `SELECT key_id AS keyId, team, started_at_ms AS startedAtMs,
         ("end" IS NULL OR "end" IN ('--', 'aborted_unknown') OR input + output > 0 OR "end" GLOB '[CcG][HFDL]') AS requests,
         input, cached_input AS cachedInput, output
       FROM requests WHERE started_at_ms >= :sinceMs ORDER BY started_at_ms`,
      { sinceMs },
    )
  }

  /** Both at once, from an index that has all of it: of a million rows, each more reading holds up a start by half a second. */
  async totals({ dayMs, monthMs }: CalendarStarts): Promise<CalendarTotals> {
    const sums = this.#read<DayOrBefore>(
      `SELECT key_id AS keyId, team, started_at_ms >= :dayMs AS isOfDay, min(started_at_ms) AS startedAtMs,
         sum("end" IS NULL OR "end" IN ('--', 'aborted_unknown') OR input + output > 0 OR "end" GLOB '[CcG][HFDL]')
           AS requests,
         total(input) AS input, total(cached_input) AS cachedInput, total(output) AS output
       FROM requests WHERE started_at_ms >= :monthMs GROUP BY key_id, team, isOfDay`,
      { dayMs, monthMs },
    )
    return calendarTotals(sums)
  }

  async prune(beforeMs: number): Promise<number> {
    let pruned = 0
    for (;;) {
      const database = this.#database()
      if (database === null) return pruned
      const changes = database.transaction(() =>
        database.change(
          `DELETE FROM requests WHERE rowid IN (
             SELECT rowid FROM requests WHERE started_at_ms < :beforeMs AND ("end" IS NOT NULL OR origin IS NOT NULL)
             ORDER BY started_at_ms LIMIT :prunedAtOnce)`,
          { beforeMs, prunedAtOnce },
        ),
      )
      pruned += changes
      if (changes < prunedAtOnce) return pruned
      await turn()
    }
  }

  async waitingRows(): Promise<WaitingRows> {
    return this.#exchange((database) => handing.waitingRows(database)) ?? { rows: 0, sinceMs: null }
  }

  async handOut(rowsMax: number): Promise<HandedOut | null> {
    const unhanded = this.#exchange((database) => handing.unhandedRows(database, rowsMax))
    if (unhanded === null || unhanded.marks.length === 0) return null
    // Kept here: thousands of them would go to another thread and back.
    this.#handedOut = { number: this.#handedOut.number + 1, marks: unhanded.marks }
    return { text: unhanded.text, rows: unhanded.marks.length, number: this.#handedOut.number }
  }

  async handedOut(number: number): Promise<void> {
    const { marks } = this.#handedOut
    if (number === this.#handedOut.number) this.#exchange((database) => handing.handedOut(database, marks))
  }

  async handAnew(sinceMs: number): Promise<number> {
    return this.#exchange((database) => handing.handAnew(database, sinceMs, this.#nextMark())) ?? 0
  }

  async takeIn(taken: TakenIn): Promise<TakenInCount> {
    return this.#exchange((database) => handing.takeIn(database, taken)) ?? { rows: 0, unknownRows: 0 }
  }

  async position(): Promise<StreamPosition | null> {
    return this.#exchange((database) => handing.positionOf(database))
  }

  /** Opened again by the next call. */
  release(): void {
    this.#open?.close()
    this.#open = null
  }

  /** For good: a removal or a report that is under way ends at its next slice. */
  close(): void {
    this.release()
    this.#isClosed = true
  }

  #endUnfinished(database: Database): void {
    if (this.#unfinishedEnded) return
    // Those of other gateways are alive, or theirs to end.
    database.change(
      `UPDATE requests SET "end" = :end, unhanded = coalesce(:mark, unhanded) WHERE "end" IS NULL AND origin IS NULL`,
      { end: endOfTheUnfinished, mark: this.#mark() },
    )
  }

  /** Null where there is no file and none is to be made. */
  #exchange<Result>(work: (database: Database) => Result): Result | null {
    const database = this.#database()
    return database === null ? null : database.guard(() => work(database))
  }

  /** Of a state that others are to be given; null where there are none. */
  #mark(): number | null {
    return this.#options.handsOver === true ? this.#nextMark() : null
  }

  /** Never twice in the life of a file, so that no state is taken for another. */
  #nextMark(): number {
    this.#lastMark = Math.max(this.#lastMark + 1, systemClock.wallMs())
    return this.#lastMark
  }

  // oxlint-disable-next-line no-unnecessary-type-parameters -- names the columns where the text does
  #read<Row>(sql: string, values: Readonly<Record<string, number>>): readonly Row[] {
    const database = this.#database()
    return database === null ? [] : database.guard(() => database.all<Row>(sql, values))
  }

  /** Null where there is none and none is to be made. */
  #database(): Database | null {
    if (this.#isClosed) throw new StoreError(`${this.#path} is closed.`)
    if (this.#open !== null) this.#checkPlace(this.#open)
    if (this.#open !== null) return this.#open
    if (!this.#options.creates && !existsSync(this.#path)) return null
    this.#open = openDatabase(this.#path, schema, { busyMsMax })
    return this.#open
  }

  /** What is written into a file that was moved away is lost to whoever looks for it here. */
  #checkPlace(database: Database): void {
    if (database.isInPlace()) return
    this.release()
    throw new StoreError(`${this.#path} was moved, removed or replaced while it was in use; the one there now is used.`)
  }
}

function insertRow(database: Database, row: LedgerRow, mark: number | null): void {
  const { admitted, settled } = row
  const figures = settled ?? row.figures
  if (figures === null) database.insert(insertAdmitted, [...admittedValues(admitted), mark])
  else database.insert(insertFigures, [...admittedValues(admitted), ...figureValues(figures, settled), mark])
}
