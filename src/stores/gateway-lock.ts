/** One gateway for each store: a lock that the system drops with the process, however that ends. */
import { closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../base/store-error.ts'
import { codeOf, messageOf, sqliteCodeOf } from './error-codes.ts'
import { identityOf, type StoreFiles, storeFiles } from './store-files.ts'

export interface GatewayLock {
  /** Of its file, which somebody may remove. */
  readonly identity: string | null
  release(): void
}

/** Whoever makes the keys file is done by then. */
const makingMsMax = 3_000
const triesMax = 30

/** Throws when another gateway has it. */
export function lockForGateway(files: StoreFiles): GatewayLock {
  try {
    return locked(files)
  } catch (error) {
    throw refusal(files, error)
  }
}

/** Whether a gateway has the store now, as far as this process can see; it leaves nothing behind. */
export function hasGateway(path: string): boolean {
  const { lock } = storeFiles(path)
  if (!existsSync(lock)) return false
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(lock, { readOnly: true, timeout: 0 })
    connection.exec('SELECT 1 FROM sqlite_schema')
    return false
  } catch (error) {
    return isBusy(error)
  } finally {
    connection?.close()
  }
}

/** Runs `make` unless the keys file is there: in one process at a time, and in none beside a running gateway. */
export function makingAlone(files: StoreFiles, make: () => void): void {
  const isThere = (): boolean => existsSync(files.keys)
  let connection: DatabaseSync | undefined
  try {
    connection = opened(files, makingMsMax / triesMax)
    for (let tries = 0; tries < triesMax; tries += 1) {
      // By a gateway that starts, it may be.
      if (isThere()) return
      if (!taken(() => connection?.exec('BEGIN IMMEDIATE'))) continue
      if (!isThere()) make()
      return
    }
  } catch (error) {
    throw error instanceof StoreError ? error : unusable(files, error)
  } finally {
    connection?.close()
  }
  throw new StoreError(`${files.keys} is gone, although a gateway is running on it: put it back, or stop the gateway.`)
}

/** A lock whose file was removed holds nobody off: it is taken anew, before somebody starts a second gateway. */
export class LockWatch {
  readonly #files: StoreFiles
  #identity: string | null
  #again: GatewayLock | null = null
  #isLost = false

  constructor(files: StoreFiles, identity: string | null) {
    this.#files = files
    this.#identity = identity
  }

  /** What the operator must know, once; else null. */
  look(): string | null {
    const { lock } = this.#files
    if (identityOf(lock) === this.#identity) return null
    try {
      const again = lockForGateway(this.#files)
      this.#again?.release()
      this.#again = again
      this.#identity = again.identity
      this.#isLost = false
      return `${lock} was removed while the gateway runs: it is there again, so that no second one can start. Leave it where it is.`
    } catch (error) {
      if (this.#isLost) return null
      this.#isLost = true
      return `${lock} was removed while the gateway runs, and cannot be had again. ${messageOf(error)}`
    }
  }

  close(): void {
    this.#again?.release()
  }
}

function locked(files: StoreFiles): GatewayLock {
  const connection = opened(files, 0)
  try {
    if (!taken(() => connection.exec('BEGIN EXCLUSIVE'))) {
      // Can be read: no gateway has it, but somebody who makes the keys file.
      connection.exec('SELECT 1 FROM sqlite_schema')
      connection.exec('PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE')
    }
  } catch (error) {
    connection.close()
    throw error
  }
  return { identity: identityOf(files.lock), release: () => connection.close() }
}

function opened({ lock }: StoreFiles, timeout: number): DatabaseSync {
  makeFile(lock)
  const connection = new DatabaseSync(lock, { timeout })
  // Nothing is ever written there, so that there is nothing to be left behind.
  taken(() => connection.exec('PRAGMA journal_mode = MEMORY'))
  return connection
}

/** A file that is there is not opened: closing it would drop the locks that this process has on it. */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

/** False where another connection has it. */
function taken(take: () => void): boolean {
  try {
    take()
    return true
  } catch (error) {
    if (isBusy(error)) return false
    throw error
  }
}

const busy = 5
const isBusy = (error: unknown): boolean => sqliteCodeOf(error) === busy

function refusal(files: StoreFiles, cause: unknown): StoreError {
  if (!isBusy(cause)) return unusable(files, cause)
  return new StoreError(
    `Another gateway is running on ${files.keys}: stop it, or give this one a place of its own with storage.path.`,
    { cause },
  )
}

function unusable({ lock }: StoreFiles, cause: unknown): StoreError {
  return new StoreError(`${lock} cannot be locked (${messageOf(cause)}): look at it and its folder.`, { cause })
}
