/** Rows of the ledger's file that other gateways are to be given, and those that they gave. */
import type { Database } from './database.ts'
import type { StreamPosition, TakenIn, TakenInCount, WaitingRows } from './usage-exchange.ts'
import { type TakenValue, takenValues } from './usage-values.ts'

/** In the order of usage-values.ts. */
const selectUnhanded = `SELECT unhanded, id, request_id, key_id, key_name, team, endpoint, model, stream, started_at_ms, host,
  input, cached_input, output, reasoning, input_source, output_source, ended_at_ms, duration_ms, queue_wait_ms, ttft_ms,
  attempts, status, "end", error_code, cost_nanos
  FROM requests WHERE unhanded IS NOT NULL ORDER BY unhanded LIMIT :rowsMax`

/**
 * States of one row come in their order, but one may come again after later ones: an end is never taken back, nor are
 * figures that have grown. What this gateway wrote itself it knows better.
 */
const insertTaken = `INSERT INTO requests
  (id, request_id, key_id, key_name, team, endpoint, model, stream, started_at_ms, host, input, cached_input, output,
   reasoning, input_source, output_source, ended_at_ms, duration_ms, queue_wait_ms, ttft_ms, attempts, status, "end",
   error_code, cost_nanos, origin)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET host = excluded.host, input = excluded.input, cached_input = excluded.cached_input,
   output = excluded.output, reasoning = excluded.reasoning, input_source = excluded.input_source,
   output_source = excluded.output_source, ended_at_ms = excluded.ended_at_ms, duration_ms = excluded.duration_ms,
   queue_wait_ms = excluded.queue_wait_ms, ttft_ms = excluded.ttft_ms, attempts = excluded.attempts,
   status = excluded.status, "end" = excluded."end", error_code = excluded.error_code,
   cost_nanos = excluded.cost_nanos
  WHERE requests.origin IS NOT NULL AND (requests."end" IS NULL OR requests."end" = 'aborted_unknown')
   AND (excluded."end" IS NOT NULL OR (requests."end" IS NULL
     AND excluded.input + excluded.output >= requests.input + requests.output))`

/** Enough to know that it is much. */
const waitingCountedMax = 10_000

type UnhandedRow = Readonly<Record<string, TakenValue>> & { readonly unhanded: number; readonly id: string }

/** Which state of a row was handed out. */
export interface RowMark {
  readonly id: string
  readonly mark: number
}

interface UnhandedRows {
  readonly text: string
  readonly marks: readonly RowMark[]
}

export function waitingRows(database: Database): WaitingRows {
  const { rows, sinceMs } = database.get<WaitingRows>(
    `SELECT count(*) AS rows, min(unhanded) AS sinceMs FROM
       (SELECT unhanded FROM requests WHERE unhanded IS NOT NULL ORDER BY unhanded LIMIT :waitingCountedMax)`,
    { waitingCountedMax },
  ) ?? { rows: 0, sinceMs: null }
  return { rows, sinceMs }
}

export function unhandedRows(database: Database, rowsMax: number): UnhandedRows {
  const rows = database.all<UnhandedRow>(selectUnhanded, { rowsMax })
  const marks = rows.map(({ id, unhanded }) => ({ id, mark: unhanded }))
  return { text: JSON.stringify(rows.map((row) => Object.values(row).slice(1))), marks }
}

export function handedOut(database: Database, marks: readonly RowMark[]): void {
  database.transaction(() => {
    for (const { id, mark } of marks) {
      // Of one that has changed meanwhile the others have an older state.
      database.change('UPDATE requests SET unhanded = NULL WHERE id = :id AND unhanded = :mark', { id, mark })
    }
  })
}

export function handAnew(database: Database, sinceMs: number, mark: number): number {
  return database.transaction(() =>
    database.change('UPDATE requests SET unhanded = :mark WHERE started_at_ms >= :sinceMs AND origin IS NULL', {
      mark,
      sinceMs,
    }),
  )
}

export function takeIn(database: Database, { batches, position }: TakenIn): TakenInCount {
  let rows = 0
  let unknownRows = 0
  database.transaction(() => {
    for (const { from, text } of batches) {
      for (const row of rowsOf(text)) {
        const values = takenValues(row)
        if (values === null) unknownRows += 1
        else {
          database.insert(insertTaken, [...values, from])
          rows += 1
        }
      }
    }
    database.change('DELETE FROM taken_in WHERE stream <> :stream', { stream: position.stream })
    database.change(
      `INSERT INTO taken_in (stream, place) VALUES (:stream, :place)
       ON CONFLICT (stream) DO UPDATE SET place = excluded.place`,
      { stream: position.stream, place: position.place },
    )
  })
  return { rows, unknownRows }
}

export function positionOf(database: Database): StreamPosition | null {
  const { stream, place } = database.get<StreamPosition>('SELECT stream, place FROM taken_in') ?? {}
  return stream === undefined || place === undefined ? null : { stream, place }
}

/** What another gateway, maybe of another version, has written. */
function rowsOf(text: string): readonly unknown[] {
  try {
    const rows: unknown = JSON.parse(text)
    return Array.isArray(rows) ? rows : [rows]
  } catch {
    return [null]
  }
}
