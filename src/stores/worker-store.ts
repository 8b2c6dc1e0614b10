/** The gateway's store: asks threads of its own, so that no disk and no lock ever holds up an answer. */
import { existsSync } from 'node:fs'
import type { KeyStore } from '../access/key-store.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { type Seen, seenIn } from './direct-keys.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { ReadState } from './keys-file.ts'
import { RestartedThread } from './restarted-thread.ts'
import type { AccessChange, AccessState, Store, StoreEvents } from './store.ts'
import type { StoreFiles } from './store-files.ts'
import type { Told } from './thread-messages.ts'
import type { UsageExchange } from './usage-exchange.ts'

export interface LoadedKeys {
  readonly state: ReadState
  /** Null where nothing can be written. */
  readonly lockIdentity: string | null
  readonly notes: readonly string[]
}

export interface WorkerStoreSettings {
  readonly files: StoreFiles
  readonly whenUnwritable: 'refuse' | 'serve'
  /** Other gateways are to be given the rows of the ledger. */
  readonly handsOver: boolean
  /** Reads the keys on this thread: nothing can be served without them, and to hand 100,000 of them over would take as long again. */
  readonly load: () => LoadedKeys
  readonly onClose: () => void
  readonly clock?: Clock
}

/** Two of them, so that a revocation never waits for the ledger's disk, its locks or a report. */
export class WorkerStore implements Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly mirror: KeyMirror
  readonly exchange: UsageExchange
  readonly state: AccessState
  readonly #keysThread: RestartedThread
  readonly #ledgerThread: RestartedThread
  readonly #onClose: () => void
  #notes: readonly string[]
  #seen: Seen
  #events: StoreEvents | null = null
  #closing: Promise<void> | null = null

  private constructor(settings: WorkerStoreSettings, loaded: LoadedKeys, ledgerThread: RestartedThread) {
    const { files, onClose, clock = systemClock } = settings
    const { state, lockIdentity, notes } = loaded
    const { keys, keysEverCreated, adminTokenDigest } = state
    this.#onClose = onClose
    this.#notes = notes
    this.state = { keys, keysEverCreated, adminTokenDigest }
    this.#seen = seenIn(state)
    this.#ledgerThread = ledgerThread
    this.#keysThread = new RestartedThread({
      settings: () => ({ of: 'keys', files, seen: this.#seen, lockIdentity }),
      clock,
      heard: (told) => this.#heard(told),
      died: (problem) => this.#events?.unreadable(problem),
      replaced: () => this.#watchAgain(),
    })
    this.keys = keysBehind(this.#keysThread)
    this.ledger = ledgerBehind(ledgerThread)
    this.mirror = mirrorBehind(this.#keysThread)
    this.exchange = exchangeBehind(ledgerThread)
  }

  /** Rejects with StoreError when a thread cannot open its file. */
  static async open(settings: WorkerStoreSettings): Promise<WorkerStore> {
    const ledgerThread = ledgerThreadOf(settings)
    // A ledger that is there is looked at while the keys are read.
    const early = existsSync(settings.files.usage) ? ledgerThread.open() : null
    const loaded = await loadedBeside(early, settings.load, ledgerThread)
    const store = new WorkerStore(settings, loaded, ledgerThread)
    const opened = await Promise.allSettled([store.#keysThread.open(), early ?? ledgerThread.open()])
    const failed = opened.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') {
      await Promise.all([store.#keysThread.close(), ledgerThread.close()])
      throw failed.reason
    }
    store.#notes = [...loaded.notes, ...opened.flatMap((one) => (one.status === 'fulfilled' ? one.value : []))]
    return store
  }

  get notes(): readonly string[] {
    return this.#notes
  }

  watch(events: StoreEvents): void {
    this.#events = events
    void this.#keysThread.ask({ store: 'watch' }).catch(() => {
      // The thread has died, which is told, and the next one is asked again.
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#events = null
    await Promise.all([this.#keysThread.close(), this.#ledgerThread.close()])
    this.#onClose()
  }

  #heard(told: Told): void {
    if (told.kind === 'changed') this.#changed(told.change)
    else if (told.kind === 'unreadable') this.#events?.unreadable(told.problem)
    else this.#events?.alarm(told.problem)
  }

  #changed(change: AccessChange): void {
    // A thread that takes this one's place reads all keys again, which changes nothing where nothing has changed.
    const { keysEverCreated, adminTokenDigest } = change
    this.#seen = { ...this.#seen, keysEverCreated, adminTokenDigest }
    this.#events?.changed(change)
  }

  async #watchAgain(): Promise<void> {
    if (this.#events === null) return
    await this.#keysThread.ask({ store: 'watch' })
    this.#events?.unreadable(null)
  }
}

function ledgerThreadOf({
  files,
  whenUnwritable,
  handsOver,
  clock = systemClock,
}: WorkerStoreSettings): RestartedThread {
  return new RestartedThread({
    settings: (isFirst) => ({ of: 'ledger', path: files.usage, endsUnfinished: isFirst, whenUnwritable, handsOver }),
    clock,
    heard: () => {},
    // Whoever asks it is told.
    died: () => {},
    replaced: async () => {},
  })
}

/** Where the keys cannot be loaded, what became of the ledger meanwhile is said too. */
async function loadedBeside(
  opening: Promise<readonly string[]> | null,
  load: () => LoadedKeys,
  ledgerThread: RestartedThread,
): Promise<LoadedKeys> {
  try {
    return load()
  } catch (error) {
    const notes = (await opening?.catch(() => [])) ?? []
    await ledgerThread.close()
    if (notes.length === 0 || !(error instanceof StoreError)) throw error
    throw new StoreError([error.message, ...notes].join(' '), { cause: error })
  }
}

function keysBehind(thread: RestartedThread): KeyStore {
  return {
    insert: (...values) => thread.ask({ keys: { method: 'insert', values } }),
    replace: (...values) => thread.ask({ keys: { method: 'replace', values } }),
    find: (...values) => thread.ask({ keys: { method: 'find', values } }),
    list: (...values) => thread.ask({ keys: { method: 'list', values } }),
    setAdminTokenDigest: (...values) => thread.ask({ keys: { method: 'setAdminTokenDigest', values } }),
    note: (...values) => thread.ask({ keys: { method: 'note', values } }),
    audit: (...values) => thread.ask({ keys: { method: 'audit', values } }),
  }
}

function ledgerBehind(thread: RestartedThread): LedgerStore {
  return {
    write: (...values) => thread.ask({ ledger: { method: 'write', values } }),
    usage: (...values) => thread.ask({ ledger: { method: 'usage', values } }),
    charges: (...values) => thread.ask({ ledger: { method: 'charges', values } }),
    totals: (...values) => thread.ask({ ledger: { method: 'totals', values } }),
    prune: (...values) => thread.ask({ ledger: { method: 'prune', values } }),
  }
}

function mirrorBehind(thread: RestartedThread): KeyMirror {
  return {
    mirror: (...values) => thread.ask({ mirror: { method: 'mirror', values } }),
    mirrored: (...values) => thread.ask({ mirror: { method: 'mirrored', values } }),
  }
}

function exchangeBehind(thread: RestartedThread): UsageExchange {
  return {
    waitingRows: (...values) => thread.ask({ exchange: { method: 'waitingRows', values } }),
    handOut: (...values) => thread.ask({ exchange: { method: 'handOut', values } }),
    handedOut: (...values) => thread.ask({ exchange: { method: 'handedOut', values } }),
    handAnew: (...values) => thread.ask({ exchange: { method: 'handAnew', values } }),
    takeIn: (...values) => thread.ask({ exchange: { method: 'takeIn', values } }),
    position: (...values) => thread.ask({ exchange: { method: 'position', values } }),
  }
}
