/** Rows of the ledgers of several gateways, read while they run. */
import { DatabaseSync } from 'node:sqlite'
import type { Replica } from './replica.ts'

export interface LedgerRow {
  readonly id: string
  readonly request_id: string
  readonly input: number
  readonly output: number
  /** Null: it runs. */
  readonly end: string | null
}

export function rowsOf({ usagePath }: Pick<Replica, 'usagePath'>): readonly LedgerRow[] {
  const file = new DatabaseSync(usagePath, { readOnly: true })
  try {
    return file.prepare('SELECT id, request_id, input, output, "end" FROM requests').all() as unknown as LedgerRow[]
  } finally {
    file.close()
  }
}

/** Of all of them; one that several have is told once, with its end if any has it. */
export function rowsOfAll(replicas: readonly Pick<Replica, 'usagePath'>[]): readonly LedgerRow[] {
  const rows = new Map<string, LedgerRow>()
  for (const row of replicas.flatMap(rowsOf)) {
    if ((rows.get(row.id)?.end ?? null) === null) rows.set(row.id, row)
  }
  return [...rows.values()]
}
