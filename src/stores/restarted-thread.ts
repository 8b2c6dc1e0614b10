/** A thread of the store as the gateway sees it: asks it, and starts another where it dies. */
import { Worker } from 'node:worker_threads'
import { KeyNameTaken } from '../access/key-store.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { StoreError } from '../base/store-error.ts'
import { TooManyUsageRows } from '../metering/ledger-store.ts'
import { messageOf } from './error-codes.ts'
import type { Call, FromThread, ThreadSettings, Told, ToldError } from './thread-messages.ts'

const threadSource = new URL('./store-thread.ts', import.meta.url)
/** In the package the files are compiled. */
const threadFile = import.meta.url.endsWith('.ts') ? threadSource : new URL(threadSource.href.replace(/ts$/, 'js'))

/** Node 22 would say in each thread that its SQLite may change. */
const execArgv = ['--disable-warning=ExperimentalWarning']

/** Before a thread that died is replaced, so that one that dies at once does not take a processor for itself. */
const restartMs = 1_000

export interface RestartedThreadParts {
  /** Asked at each start. */
  readonly settings: (isFirst: boolean) => ThreadSettings
  readonly clock: Clock
  readonly heard: (told: Told) => void
  /** It has died, or could not be replaced. */
  readonly died: (problem: string) => void
  /** Another one is there. */
  readonly replaced: () => Promise<void>
}

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export class RestartedThread {
  readonly #parts: RestartedThreadParts
  readonly #waiting = new Map<number, Waiting>()
  #number = 0
  #thread: Worker | null = null
  #restart: Timer | null = null
  #closing: Promise<void> | null = null

  constructor(parts: RestartedThreadParts) {
    this.#parts = parts
  }

  /** Resolves with what the operator should know. Rejects with StoreError when the thread cannot open its file. */
  open(): Promise<readonly string[]> {
    return this.#start(true)
  }

  ask<Value>(call: Call): Promise<Value> {
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

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#restart?.cancel()
    const thread = this.#thread
    if (thread === null) return
    const ended = new Promise<void>((resolve) => {
      thread.once('exit', () => resolve())
    })
    await this.ask({ store: 'close' }).catch(() => {})
    thread.ref()
    await ended
  }

  #start(isFirst: boolean): Promise<readonly string[]> {
    const settings = this.#parts.settings(isFirst)
    return new Promise((resolve, reject) => {
      const thread = new Worker(threadFile, { workerData: settings, name: settings.of, execArgv })
      this.#thread = thread
      thread.on('message', (message: FromThread) => {
        if (message.kind === 'ready') {
          this.#idle(thread)
          resolve(message.notes)
        } else if (message.kind === 'failed') {
          // Told once the thread has let go of the file.
          refusal = asError(message.error)
          this.#thread = null
          this.#refuseWaiting(message.error.message)
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

  #heard(message: Exclude<FromThread, { kind: 'ready' | 'failed' }>, thread: Worker): void {
    if (message.kind !== 'answer' && message.kind !== 'refusal') {
      if (this.#closing === null) this.#parts.heard(message)
      return
    }
    const waiting = this.#waiting.get(message.number)
    this.#waiting.delete(message.number)
    this.#idle(thread)
    if (message.kind === 'answer') waiting?.resolve(message.value)
    else waiting?.reject(asError(message.error))
  }

  #idle(thread: Worker): void {
    if (this.#waiting.size === 0) thread.unref()
  }

  #died(thread: Worker, problem: string): void {
    if (this.#thread !== thread) return
    this.#thread = null
    this.#refuseWaiting(problem)
    if (this.#closing !== null) return
    this.#parts.died(problem)
    this.#startLater()
  }

  #refuseWaiting(problem: string): void {
    for (const { reject } of this.#waiting.values()) reject(new StoreError(problem))
    this.#waiting.clear()
  }

  #startLater(): void {
    this.#restart = this.#parts.clock.after(restartMs, () => void this.#startAnew())
  }

  async #startAnew(): Promise<void> {
    try {
      await this.#start(false)
      await this.#parts.replaced()
    } catch (error) {
      if (this.#closing !== null) return
      this.#parts.died(messageOf(error))
      if (this.#thread === null) this.#startLater()
    }
  }
}

function asError({ name, message }: ToldError): Error {
  if (name === 'KeyNameTaken') return new KeyNameTaken(message)
  if (name === 'TooManyUsageRows') return new TooManyUsageRows(message)
  if (name === 'StoreError') return new StoreError(message)
  return new Error(message)
}
