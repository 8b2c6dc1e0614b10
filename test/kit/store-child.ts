/**
 * A process with a store of its own: `node store-child.ts COMMAND PATH …`.
 * `hold` has it as a gateway until it is killed; `open` says as one line of JSON what became of opening it so, or as the command line.
 */
import { openStore } from '../../src/stores/open-store.ts'
import { auditEntry, keyRecord, settledRow, usageQuery } from './stored-rows.ts'

/** What `open` says. */
export interface OpenReport {
  readonly refused: string | null
  readonly keyNames: readonly string[]
  readonly notes: readonly string[]
  /** Why a key could not be inserted, and a row not be written; null where they could. */
  readonly keyProblem: string | null
  readonly rowProblem: string | null
  /** Requests of the ledger; null where it cannot be read. */
  readonly requests: number | null
}

const [command, path = '', whenUnwritable = 'refuse', role = 'gateway'] = process.argv.slice(2)

if (command === 'hold') {
  await openStore({ path, role: 'gateway' })
  process.stdout.write('holds\n')
  setInterval(() => {}, 60_000)
} else if (command === 'open') process.stdout.write(`${JSON.stringify(await report())}\n`)

async function report(): Promise<OpenReport> {
  try {
    const store = await openStore({
      path,
      role: role === 'cli' ? 'cli' : 'gateway',
      whenUnwritable: whenUnwritable === 'serve' ? 'serve' : 'refuse',
    })
    const keyNames = store.state.keys.map(({ name }) => name)
    const keyProblem = await problemOf(store.keys.insert(keyRecord('new'), auditEntry('key.create')))
    const rowProblem = await problemOf(store.ledger.write([settledRow('new', 1)]))
    const sums = await store.ledger.usage(usageQuery()).catch(() => [])
    await store.close()
    return {
      refused: null,
      keyNames,
      notes: store.notes,
      keyProblem,
      rowProblem,
      requests: sums[0]?.requests ?? null,
    }
  } catch (error) {
    return { refused: String(error), keyNames: [], notes: [], keyProblem: null, rowProblem: null, requests: null }
  }
}

async function problemOf(done: Promise<unknown>): Promise<string | null> {
  try {
    await done
    return null
  } catch (error) {
    return String(error)
  }
}
