/** The keys on the thread of its caller, who is told what others change in their file. */
import type { KeyStore } from '../access/key-store.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { memoryPath } from './database.ts'
import { messageOf } from './error-codes.ts'
import type { LockWatch } from './gateway-lock.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { KeysFile } from './keys-file.ts'
import type { AccessState, KeptKeys, StoreEvents } from './store.ts'

/** Well under the second in which a revocation must be known everywhere. */
const lookEveryMs = 200

interface DirectKeysParts {
  readonly path: string
  readonly file: KeysFile
  readonly clock: Clock
  /** What the owner has read already; changes are told from there on. */
  readonly seen?: Seen
  /** Of a gateway. */
  readonly lock?: LockWatch
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

export class DirectKeys implements KeptKeys {
  readonly keys: KeyStore
  readonly mirror: KeyMirror
  readonly #parts: DirectKeysParts
  #state: AccessState | null = null
  #seen: Seen | null
  #dataVersion = -1
  #events: StoreEvents | null = null
  #problem: string | null = null
  #timer: Timer | null = null

  constructor(parts: DirectKeysParts) {
    this.#parts = parts
    this.#seen = parts.seen ?? null
    const { file } = parts
    this.keys = {
      insert: async (record, audit) => this.#changing(() => file.insert(record, audit)),
      replace: async (record, audit) => this.#changing(() => file.replace(record, audit)),
      find: async (idOrName) => file.find(idOrName),
      list: async () => file.list(),
      setAdminTokenDigest: async (digest, audit) => this.#changing(() => file.setAdminTokenDigest(digest, audit)),
      note: async (audit) => file.note(audit),
      audit: async (countMax) => file.audit(countMax),
    }
    this.mirror = {
      mirror: async (news) => this.#changing(() => file.mirror(news)),
      mirrored: async () => file.mirrored(),
    }
  }

  /** Read when it is asked for: most commands need no list of all keys. */
  get state(): AccessState {
    if (this.#state === null) {
      const { change, ...state } = this.#parts.file.read()
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

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#events = null
    this.#parts.file.close()
    this.#parts.lock?.close()
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
    const { file, lock } = this.#parts
    try {
      file.checkPlace()
      const version = file.dataVersion()
      if (version !== this.#dataVersion) this.#tell(this.#events)
      this.#dataVersion = version
      this.#told(this.#events, null)
    } catch (error) {
      this.#told(this.#events, messageOf(error))
    }
    const alarm = lock?.look() ?? null
    if (alarm !== null) this.#events.alarm(alarm)
  }

  #tell(events: StoreEvents): void {
    const { keys, change, keysEverCreated, adminTokenDigest } = this.#parts.file.read(this.#seen?.change ?? 0)
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
}
