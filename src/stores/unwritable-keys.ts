/** Keys in a file that can be read and not written: they hold as they are. */
import type { KeyRecord } from '../access/key-record.ts'
import type { KeyStore } from '../access/key-store.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { messageOf } from './error-codes.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { AccessState, KeptKeys, StoreEvents } from './store.ts'
import { readUnwritableKeys, stampOf } from './unwritable-reading.ts'

const lookEveryMs = 200

interface UnwritableParts {
  readonly path: string
  readonly clock: Clock
}

export class UnwritableKeys implements KeptKeys {
  readonly keys: KeyStore
  readonly mirror: KeyMirror
  readonly #parts: UnwritableParts
  #state: AccessState | null = null
  #stamp = ''
  #problem: string | null = null
  #timer: Timer | null = null

  constructor(parts: UnwritableParts) {
    this.#parts = parts
    const refused = async (): Promise<never> => {
      throw new StoreError(`${parts.path} cannot be written by the gateway: make it writable, and start it anew.`)
    }
    this.keys = {
      insert: refused,
      replace: refused,
      setAdminTokenDigest: refused,
      note: refused,
      find: async (idOrName) => found(this.state.keys, idOrName),
      list: async () => this.state.keys.toSorted((a, b) => a.createdAtMs - b.createdAtMs),
      audit: async () => [],
    }
    this.mirror = { mirror: refused, mirrored: async () => ({ position: null, adminTokenRevision: 0, gateways: null }) }
  }

  get state(): AccessState {
    this.#state ??= this.#read()
    return this.#state
  }

  watch(events: StoreEvents): void {
    this.#look(events)
    this.#timer = this.#parts.clock.after(lookEveryMs, () => this.watch(events))
  }

  close(): void {
    this.#timer?.cancel()
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

/** As the keys file finds them. */
export function found(keys: readonly KeyRecord[], idOrName: string): KeyRecord | null {
  const byId = keys.find(({ id }) => id === idOrName)
  if (byId !== undefined) return byId
  const named = keys.filter(({ name }) => name === idOrName)
  const good = named.find(({ revokedAtMs }) => revokedAtMs === null)
  return good ?? named.toSorted((a, b) => (b.revokedAtMs ?? 0) - (a.revokedAtMs ?? 0))[0] ?? null
}
