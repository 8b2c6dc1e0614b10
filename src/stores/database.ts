/** The one door to SQLite: opens a file as ours, brings it to the present form, and turns its errors into sentences. */
import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { randomId } from '../base/ids.ts'
import { StoreError } from '../base/store-error.ts'

/** What a file holds, step by step: the last step is the present form. */
export interface Schema {
  /** Stands in the file's header, so that nobody else's database is taken for ours. */
  readonly applicationId: number
  /** Statements that lead from the form before; each sets `user_version` to its own number, from 1 on. */
  readonly steps: readonly string[]
}

export interface OpenOptions {
  readonly readOnly?: boolean
  /** A confirmed change survives a loss of power; without it the last ones may be lost then, and none in a crash. */
  readonly durable?: boolean
}

/** The file's content is not what was written there. */
export class DamagedError extends StoreError {}

/** How long another process may hold the file before a statement gives up. */
const busyMsMax = 5_000

export const memoryPath = ':memory:'

export class Database {
  readonly path: string
  readonly #connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, { readOnly = false, durable = false }: OpenOptions = {}) {
    this.path = path
    this.#connection = guarded(path, () => new DatabaseSync(path, { readOnly, timeout: busyMsMax }))
    if (path === memoryPath || readOnly) return
    this.run(() => {
      this.exec('PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864')
      this.exec(durable ? 'PRAGMA synchronous = FULL' : 'PRAGMA synchronous = NORMAL')
    })
  }

  /** Prepared once for each text; texts are constants, values are bound. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  /** Errors of SQLite leave it as StoreError. */
  run<Result>(work: () => Result): Result {
    return guarded(this.path, work)
  }

  /** All of `work` or nothing. Waits for other writers before it begins, so that it never fails half-way for them. */
  transaction<Result>(work: () => Result): Result {
    return this.run(() => {
      this.exec('BEGIN IMMEDIATE')
      try {
        const result = work()
        this.exec('COMMIT')
        return result
      } catch (error) {
        // A full disk ends the transaction by itself.
        if (this.#connection.isTransaction) this.exec('ROLLBACK')
        throw error
      }
    })
  }

  close(): void {
    if (this.#connection.isOpen) this.#connection.close()
  }
}

/** Opens a file, which is made where there is none. */
export function openDatabase(path: string, schema: Schema, options: OpenOptions = {}): Database {
  if (path !== memoryPath && options.readOnly !== true && !existsSync(path)) createFile(path, schema)
  if (path !== memoryPath && guarded(path, () => statSync(path)).size === 0) throw new DamagedError(`${path} is empty.`)
  const database = new Database(path, options)
  try {
    database.run(() => bringForward(database, schema, options.readOnly ?? false))
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Throws where the file's structure does not hold together; reads all of it. */
export function checkStructure(database: Database): void {
  const found = database.run(() => database.prepare('PRAGMA integrity_check(1)').get())
  const verdict = found?.['integrity_check']
  if (verdict !== 'ok') throw new DamagedError(`${database.path} is damaged (${String(verdict)}).`)
}

/** Under another name first: a file of the right name is whole from the start, whoever dies or comes second. */
function createFile(path: string, schema: Schema): void {
  const draft = `${path}.new-${randomId(8)}`
  guarded(path, () => {
    closeSync(openSync(draft, 'wx', 0o600))
    try {
      const database = new Database(draft)
      try {
        for (const step of schema.steps) database.transaction(() => database.exec(step))
      } finally {
        database.close()
      }
      publish(draft, path)
    } finally {
      for (const left of [draft, `${draft}-wal`, `${draft}-shm`]) rmSync(left, { force: true })
    }
  })
}

function publish(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    // File systems without a second name for a file.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') renameSync(draft, path)
    else throw error
  }
}

function bringForward(database: Database, schema: Schema, readOnly: boolean): void {
  const { path } = database
  const latest = schema.steps.length
  const version = headerField(database.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version > latest)
    throw new StoreError(
      `${path} was written by a newer lmx-gateway (its form is ${version}, this one knows ${latest}): run that one, or set another storage.path.`,
    )
  if (path !== memoryPath) {
    const id = headerField(database.prepare('PRAGMA application_id').get()?.['application_id'])
    if (id !== schema.applicationId || version < 1)
      throw new DamagedError(`${path} is no file of this program, or is damaged.`)
  }
  if (version === latest) return
  if (readOnly)
    throw new StoreError(`${path} has an older form and cannot be brought forward, since it cannot be written.`)
  database.transaction(() => {
    for (const step of schema.steps.slice(version)) database.exec(step)
  })
}

const headerField = (value: unknown): number => (typeof value === 'number' ? value : -1)

function guarded<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw asStoreError(path, error)
  }
}

/** What is no error of SQLite or of the file system passes as it is. */
function asStoreError(path: string, error: unknown): unknown {
  if (error instanceof StoreError || !(error instanceof Error)) return error
  const { code, errcode } = error as { code?: string; errcode?: number }
  if (code === 'ERR_SQLITE_ERROR' && errcode !== undefined) return ofSqlite(path, errcode, error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return fullDisk(path, error)
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM')
    return new StoreError(`${path} may not be written by this process (${code}): change its owner or its place.`, {
      cause: error,
    })
  if (code?.startsWith('E') === true && !code.startsWith('ERR_'))
    return new StoreError(`${path} cannot be used (${code}).`, { cause: error })
  return error
}

/** By SQLite's primary result codes. */
function ofSqlite(path: string, errcode: number, cause: Error): unknown {
  switch (errcode & 0xff) {
    case 5:
    case 6:
      return new StoreError(`${path} was locked by another process for ${busyMsMax / 1_000} s: end what holds it.`, {
        cause,
      })
    case 8:
      return new StoreError(`${path} is read-only: make it and its folder writable for this process.`, { cause })
    case 10:
      return new StoreError(`${path} cannot be read or written (${cause.message}): look at its disk.`, { cause })
    case 11:
    case 26:
      return new DamagedError(`${path} is damaged (${cause.message}).`, { cause })
    case 13:
      return fullDisk(path, cause)
    case 14:
      return new StoreError(`${path} cannot be opened: look at its folder and who owns it.`, { cause })
    // Constraints are for whoever wrote; all else is a fault of this program.
    default:
      return cause
  }
}

function fullDisk(path: string, cause: Error): StoreError {
  return new StoreError(`${path} cannot be written, since its disk is full: free some space.`, { cause })
}
