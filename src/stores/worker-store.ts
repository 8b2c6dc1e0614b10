/** The gateway's store: asks a thread of its own, so that no disk and no lock ever holds up an answer. */
import { Worker } from 'node:worker_threads'
import { KeyNameTaken, type KeyStore } from '../access/key-store.ts'
import { type Clock, systemClock, type Timer } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import { type Seen, seenIn } from './direct-store.ts'
import { messageOf } from './error-codes.ts'
import type { ReadState } from './keys-file.ts'
import type { AccessChange, AccessState, Store, StoreEvents } from './store.ts'
import type { Call, FromThread, ThreadSettings, ToldError } from './thread-messages.ts'

const threadSource = new URL('./store-thread.ts', import.meta.url)
/** In the package the files are compiled. */
const threadFile = import.meta.url.endsWith('.ts') ? threadSource : new URL(threadSource.href.replace(/ts$/, 'js'))

/** Node 22 would say in each thread that its SQLite may change. */
const execArgv = ['--disable-warning=ExperimentalWarning']

/** Before a thread that died is replaced, so that one that dies at once does not take a processor for itself. */
const restartMs = 1_000

export interface WorkerStoreSettings extends Omit<ThreadSettings, 'seen' | 'endsUnfinished'> {
  /** Read already by the caller, who must know it before anything else. */
  readonly state: ReadState
  readonly notes: readonly string[]
  readonly onClose: () => void
  readonly clock?: Clock
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export class WorkerStore implements Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly state: AccessState
  readonly #settings: WorkerStoreSettings
  readonly #clock: Clock
  readonly #waiting = new Map<number, Waiting>()
  #notes: readonly string[]
  #seen: Seen
  #number = 0
  #thread: Worker | null = null
  #events: StoreEvents | null = null
  #restart: Timer | null = null
  #closing: Promise<void> | null = null

  private constructor(settings: WorkerStoreSettings) {
    const { keys, keysEverCreated, adminTokenDigest } = settings.state
    this.#settings = settings
    this.#clock = settings.clock ?? systemClock
    this.#notes = settings.notes
    this.state = { keys, keysEverCreated, adminTokenDigest }
    this.#seen = seenIn(settings.state)
    this.keys = {
      insert: (...values) => this.#ask({ keys: { method: 'insert', values } }),
      replace: (...values) => this.#ask({ keys: { method: 'replace', values } }),
      find: (...values) => this.#ask({ keys: { method: 'find', values } }),
      list: (...values) => this.#ask({ keys: { method: 'list', values } }),
      setAdminTokenDigest: (...values) => this.#ask({ keys: { method: 'setAdminTokenDigest', values } }),
      audit: (...values) => this.#ask({ keys: { method: 'audit', values } }),
    }
    this.ledger = {
      write: (...values) => this.#ask({ ledger: { method: 'write', values } }),
      usage: (...values) => this.#ask({ ledger: { method: 'usage', values } }),
      charges: (...values) => this.#ask({ ledger: { method: 'charges', values } }),
      totals: (...values) => this.#ask({ ledger: { method: 'totals', values } }),
      prune: (...values) => this.#ask({ ledger: { method: 'prune', values } }),
    }
  }

  /** Rejects with StoreError when the thread cannot open the files. */
  static async open(settings: WorkerStoreSettings): Promise<WorkerStore> {
    const store = new WorkerStore(settings)
    store.#notes = [...settings.notes, ...(await store.#start(true))]
    return store
  }

  get notes(): readonly string[] {
    return this.#notes
  }

  watch(events: StoreEvents): void {
    this.#events = events
    void this.#ask({ store: 'watch' }).catch(() => {
      // The thread has died, which is told, and the next one is asked again.
    })
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#events = null
    this.#restart?.cancel()
    const thread = this.#thread
    if (thread !== null) {
      const ended = new Promise<void>((resolve) => {
        thread.once('exit', () => resolve())
      })
      await this.#ask({ store: 'close' }).catch(() => {})
      thread.ref()
      await ended
    }
    this.#settings.onClose()
  }

  /** Resolves with what the thread found that the operator should know. */
  #start(endsUnfinished: boolean): Promise<readonly string[]> {
    const { files, whenUnwritable, isReadOnly } = this.#settings
    const settings: ThreadSettings = { files, seen: this.#seen, endsUnfinished, whenUnwritable, isReadOnly }
    return new Promise((resolve, reject) => {
      const thread = new Worker(threadFile, { workerData: settings, name: 'store', execArgv })
      this.#thread = thread
      thread.on('message', (message: FromThread) => {
        if (message.kind === 'ready') {
          this.#idle(thread)
          resolve(message.notes)
        } else if (message.kind === 'failed') {
          // Told once the thread has let go of the files.
          refusal = asError(message.error)
          this.#thread = null
          void thread.terminate()
        } else this.#heard(message, thread)
      })
      let refusal: Error | null = null
      const died = (problem: string) => {
        reject(refusal ?? new StoreError(problem))
        this.#died(thread, problem)
      }
      thread.on('error', (error) => died(`The thread of the store has ended (${messageOf(error)}).`))
      thread.on('exit', () => died('The thread of the store has ended.'))
    })
  }

  #heard(message: FromThread, thread: Worker): void {
    if (message.kind === 'changed') this.#changed(message.change)
    else if (message.kind === 'unreadable') this.#events?.unreadable(message.problem)
    else if (message.kind === 'answer' || message.kind === 'refusal') {
      const waiting = this.#waiting.get(message.number)
      this.#waiting.delete(message.number)
      this.#idle(thread)
      if (message.kind === 'answer') waiting?.resolve(message.value)
      else waiting?.reject(asError(message.error))
    }
  }

  #changed(change: AccessChange): void {
    // A thread that takes this one's place reads all keys again, which changes nothing where nothing has changed.
    const { keysEverCreated, adminTokenDigest } = change
    this.#seen = { ...this.#seen, keysEverCreated, adminTokenDigest }
    this.#events?.changed(change)
  }

  #ask<Value>(call: Call): Promise<Value> {
    const thread = this.#thread
    if (thread === null) return Promise.reject(new StoreError('The thread of the store has ended; it is started anew.'))
    this.#number += 1
    const number = this.#number
    return new Promise<Value>((resolve, reject) => {
      // oxlint-disable-next-line require-post-message-target-origin -- a thread has none
      thread.postMessage({ ...call, number })
      // oxlint-disable-next-line no-unsafe-type-assertion -- the method of that name answers with it
      this.#waiting.set(number, { resolve: (value) => resolve(value as Value), reject })
      // Whoever waits for an answer must get it before the process may end.
      thread.ref()
    })
  }

  #idle(thread: Worker): void {
    if (this.#waiting.size === 0) thread.unref()
  }

  #died(thread: Worker, problem: string): void {
    if (this.#thread !== thread) return
    this.#thread = null
    for (const { reject } of this.#waiting.values()) reject(new StoreError(problem))
    this.#waiting.clear()
    if (this.#closing !== null) return
    this.#events?.unreadable(problem)
    this.#startLater()
  }

  #startLater(): void {
    this.#restart = this.#clock.after(restartMs, () => void this.#startAnew())
  }

  async #startAnew(): Promise<void> {
    try {
      await this.#start(false)
      if (this.#events !== null) {
        await this.#ask({ store: 'watch' })
        this.#events?.unreadable(null)
      }
    } catch (error) {
      this.#events?.unreadable(messageOf(error))
      if (this.#thread === null && this.#closing === null) this.#startLater()
    }
  }
}

function asError({ name, message }: ToldError): Error {
  if (name === 'KeyNameTaken') return new KeyNameTaken(message)
  if (name === 'StoreError') return new StoreError(message)
  return new Error(message)
}
