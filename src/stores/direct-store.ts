/** A store on the thread of its caller: for the command line, for what is kept nowhere, and inside the store's own thread. */
import type { KeyStore } from '../access/key-store.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { memoryPath } from './database.ts'
import { messageOf } from './error-codes.ts'
import type { KeysFile } from './keys-file.ts'
import type { AccessState, Store, StoreEvents } from './store.ts'
import { identityOf } from './store-files.ts'
import type { UsageFile } from './usage-file.ts'

/** Well under the second in which a revocation must be known everywhere. */
const lookEveryMs = 200

interface DirectStoreParts {
  readonly path: string
  readonly keys: KeysFile
  readonly usage: UsageFile
  readonly clock: Clock
  readonly notes: readonly string[]
  /** What the owner has read already; changes are told from there on. */
  readonly seen?: Seen
  readonly onClose?: () => void
}

/** Where a reader of keys stands. */
export interface Seen {
  readonly change: number
  readonly keysEverCreated: boolean
  readonly adminTokenDigest: string | null
}

/** The keys themselves are not held, nor handed to another thread. */
export function seenIn({ change, keysEverCreated, adminTokenDigest }: Seen): Seen {
  return { change, keysEverCreated, adminTokenDigest }
}

export class DirectStore implements Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly notes: readonly string[]
  readonly #parts: DirectStoreParts
  readonly #identity: string | null
  #state: AccessState | null = null
  #seen: Seen | null
  #dataVersion = -1
  #events: StoreEvents | null = null
  #problem: string | null = null
  #timer: Timer | null = null

  constructor(parts: DirectStoreParts) {
    this.#parts = parts
    this.notes = parts.notes
    this.#seen = parts.seen ?? null
    this.#identity = this.#identityNow()
    this.ledger = parts.usage
    const { keys } = parts
    this.keys = {
      insert: async (record, audit) => this.#changing(() => keys.insert(record, audit)),
      replace: async (record, audit) => this.#changing(() => keys.replace(record, audit)),
      find: async (idOrName) => keys.find(idOrName),
      list: async () => keys.list(),
      setAdminTokenDigest: async (digest, audit) => this.#changing(() => keys.setAdminTokenDigest(digest, audit)),
      audit: async (countMax) => keys.audit(countMax),
    }
  }

  /** Read when it is asked for: most commands need no list of all keys. */
  get state(): AccessState {
    if (this.#state === null) {
      const { change, ...state } = this.#parts.keys.read()
      this.#state = state
      this.#seen ??= seenIn({ ...state, change })
    }
    return this.#state
  }

  watch(events: StoreEvents): void {
    // Whoever watches has the state of the opening.
    if (this.#seen === null) void this.state
    this.#events = events
    this.#look()
    // What is in memory alone changes by this store alone.
    if (this.#parts.path !== memoryPath) this.#lookLater()
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = null
    this.#events = null
    this.#parts.usage.close()
    this.#parts.keys.close()
    this.#parts.onClose?.()
  }

  /** The one who changes something sees it done once it is done. */
  #changing<Result>(change: () => Result): Result {
    const result = change()
    if (this.#events !== null) this.#tell(this.#events)
    return result
  }

  #lookLater(): void {
    this.#timer = this.#parts.clock.after(lookEveryMs, () => {
      this.#look()
      if (this.#events !== null) this.#lookLater()
    })
  }

  #look(): void {
    if (this.#events === null) return
    try {
      if (this.#identityNow() !== this.#identity)
        throw new StoreError(
          `${this.#parts.path} was moved, removed or replaced while it was in use: put it back, or start the gateway anew.`,
        )
      const version = this.#parts.keys.dataVersion()
      if (version !== this.#dataVersion) this.#tell(this.#events)
      this.#dataVersion = version
      this.#told(this.#events, null)
    } catch (error) {
      this.#told(this.#events, messageOf(error))
    }
  }

  #tell(events: StoreEvents): void {
    const { keys, change, keysEverCreated, adminTokenDigest } = this.#parts.keys.read(this.#seen?.change ?? 0)
    const before = this.#seen
    this.#seen = { change, keysEverCreated, adminTokenDigest }
    const isNew =
      keys.length > 0 || before?.keysEverCreated !== keysEverCreated || before.adminTokenDigest !== adminTokenDigest
    if (isNew) events.changed({ keys, keysEverCreated, adminTokenDigest })
  }

  #told(events: StoreEvents, problem: string | null): void {
    if (problem === this.#problem) return
    this.#problem = problem
    events.unreadable(problem)
  }

  #identityNow(): string | null {
    const { path } = this.#parts
    return path === memoryPath ? null : identityOf(path)
  }
}
