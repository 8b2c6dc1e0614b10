/** A store whose files can be read and not written: keys hold as they are, and the ledger waits until it can be written. */
import type { KeyRecord } from '../access/key-record.ts'
import type { KeyStore } from '../access/key-store.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { messageOf } from './error-codes.ts'
import type { AccessState, Store, StoreEvents } from './store.ts'
import { readUnwritableKeys, stampOf } from './unwritable-keys.ts'
import type { UsageFile } from './usage-file.ts'

const lookEveryMs = 200

interface UnwritableParts {
  readonly path: string
  readonly usage: UsageFile
  readonly clock: Clock
  readonly notes: readonly string[]
}

export class UnwritableStore implements Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly notes: readonly string[]
  readonly #parts: UnwritableParts
  #state: AccessState | null = null
  #stamp = ''
  #problem: string | null = null
  #timer: Timer | null = null

  constructor(parts: UnwritableParts) {
    this.#parts = parts
    this.notes = parts.notes
    this.ledger = ledgerFrom(parts.usage)
    const refused = async (): Promise<never> => {
      throw new StoreError(`${parts.path} cannot be written by the gateway: make it writable, and start it anew.`)
    }
    this.keys = {
      insert: refused,
      replace: refused,
      setAdminTokenDigest: refused,
      find: async (idOrName) => found(this.state.keys, idOrName),
      list: async () => this.state.keys.toSorted((a, b) => a.createdAtMs - b.createdAtMs),
      audit: async () => [],
    }
  }

  get state(): AccessState {
    this.#state ??= this.#read()
    return this.#state
  }

  watch(events: StoreEvents): void {
    this.#look(events)
    this.#timer = this.#parts.clock.after(lookEveryMs, () => this.watch(events))
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#parts.usage.close()
  }

  /** All keys again, whatever of them has changed: it is rare that anybody writes here. */
  #look(events: StoreEvents): void {
    let problem: string | null = null
    try {
      if (stampOf(this.#parts.path) !== this.#stamp) {
        this.#state = this.#read()
        events.changed(this.#state)
      }
    } catch (error) {
      problem = messageOf(error)
    }
    if (problem !== this.#problem) events.unreadable(problem)
    this.#problem = problem
  }

  #read(): AccessState {
    const { path } = this.#parts
    const stamp = stampOf(path)
    const { keys, keysEverCreated, adminTokenDigest } = readUnwritableKeys(path)
    // What was written while it was read is read again.
    this.#stamp = stamp
    return { keys, keysEverCreated, adminTokenDigest }
  }
}

function ledgerFrom(usage: UsageFile): LedgerStore {
  return {
    write: (rows) => usage.write(rows),
    usage: (query) => usage.usage(query),
    charges: (sinceMs) => orNothing(usage.charges(sinceMs)),
    totals: (sinceMs) => orNothing(usage.totals(sinceMs)),
    prune: (beforeMs) => usage.prune(beforeMs),
  }
}

/** What was used before is not known where it cannot be read; that is no reason not to serve. */
async function orNothing<Row>(rows: Promise<readonly Row[]>): Promise<readonly Row[]> {
  try {
    return await rows
  } catch (error) {
    if (error instanceof StoreError) return []
    throw error
  }
}

/** As the keys file finds them. */
function found(keys: readonly KeyRecord[], idOrName: string): KeyRecord | null {
  const byId = keys.find(({ id }) => id === idOrName)
  if (byId !== undefined) return byId
  const named = keys.filter(({ name }) => name === idOrName)
  const good = named.find(({ revokedAtMs }) => revokedAtMs === null)
  return good ?? named.toSorted((a, b) => (b.revokedAtMs ?? 0) - (a.revokedAtMs ?? 0))[0] ?? null
}
