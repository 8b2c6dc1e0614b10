/** Reads the keys from files that this process may not write, where SQLite would want to make files of its own beside them. */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StoreError } from '../base/store-error.ts'
import { DamagedError, type OpenOptions } from './database.ts'
import { codeOf } from './error-codes.ts'
import { KeysFile, type ReadState } from './keys-file.ts'

/** Throws StoreError, with a DamagedError for a damaged file. */
export function readUnwritableKeys(path: string): ReadState {
  try {
    return read(path, { readOnly: true })
  } catch (error) {
    if (error instanceof DamagedError || !(error instanceof StoreError) || !existsSync(path)) throw error
    // What stands in the log alone is read with the log, elsewhere.
    return hasLog(path) ? readCopy(path) : read(path, { readOnly: true, immutable: true })
  }
}

/** Changes when somebody who may write has written. */
export function stampOf(path: string): string {
  return [path, `${path}-wal`]
    .map((file) => statSync(file, { throwIfNoEntry: false }))
    .map((stats) => (stats === undefined ? 'none' : `${stats.ino} ${stats.mtimeMs} ${stats.size}`))
    .join(', ')
}

function read(path: string, options: OpenOptions): ReadState {
  const keys = KeysFile.open(path, options)
  try {
    keys.check()
    return keys.read()
  } finally {
    keys.close()
  }
}

function hasLog(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0
}

function readCopy(path: string): ReadState {
  let folder: string | null = null
  try {
    folder = mkdtempSync(join(tmpdir(), 'lmx-gateway-'))
    const copy = join(folder, 'gateway.db')
    copyFileSync(path, copy)
    copyFileSync(`${path}-wal`, `${copy}-wal`)
    return read(copy, {})
  } catch (cause) {
    if (codeOf(cause) === null || codeOf(cause) === 'ERR_SQLITE_ERROR') throw cause
    throw new StoreError(`${path} cannot be copied to ${tmpdir()} to be read (${codeOf(cause)}).`, { cause })
  } finally {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
  }
}
