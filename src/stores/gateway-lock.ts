/** One gateway for each store: a lock that the system drops with the process, however that ends. */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../base/store-error.ts'
import { codeOf, messageOf, sqliteCodeOf } from './error-codes.ts'
import type { StoreFiles } from './store-files.ts'

/** Throws when another gateway has it. Returns what gives it back. */
export function lockForGateway(files: StoreFiles): () => void {
  let connection: DatabaseSync | undefined
  try {
    makeFile(files.lock)
    connection = new DatabaseSync(files.lock, { timeout: 0 })
    // Nothing is ever written there, so that there is nothing to be left behind.
    connection.exec('PRAGMA journal_mode = MEMORY')
    connection.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    if (connection?.isOpen === true) connection.close()
    throw refusal(files, error)
  }
  return () => connection.close()
}

/** A file that is there is not opened: closing it would drop the locks that this process has on it. */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
}

const busy = 5

function refusal({ keys, lock }: StoreFiles, cause: unknown): StoreError {
  if (sqliteCodeOf(cause) === busy)
    return new StoreError(
      `Another gateway is running on ${keys}: stop it, or give this one a place of its own with storage.path.`,
      { cause },
    )
  return new StoreError(`${lock} cannot be locked (${messageOf(cause)}): look at it and its folder.`, { cause })
}
