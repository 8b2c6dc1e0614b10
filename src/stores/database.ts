/** The one door to SQLite: opens a file as ours, brings it to the present form, and turns its errors into sentences. */
import { closeSync, existsSync, linkSync, openSync, renameSync, rmSync, statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { randomId } from '../base/ids.ts'
import { StoreError } from '../base/store-error.ts'
import { codeOf, messageOf, sqliteCodeOf } from './error-codes.ts'
import { identityOf } from './store-files.ts'

/** What a file holds, step by step: the last step is the present form. */
export interface Schema {
  /** Stands in the file's header, so that nobody else's database is taken for ours. */
  readonly applicationId: number
  /** Statements that lead from the form before; each sets `user_version` to its own number, from 1 on. */
  readonly steps: readonly string[]
}

export interface OpenOptions {
  readonly readOnly?: boolean
  /** Nobody writes it, and no file is made beside it. */
  readonly immutable?: boolean
  /** A confirmed change survives a loss of power; without it the last ones may be lost then, and none in a crash. */
  readonly durable?: boolean
  /** How long another process may hold the file before a statement gives up. */
  readonly busyMsMax?: number
  /** Where several processes may come first: runs what it is given in one of them at a time, unless another has made the file. */
  readonly making?: (make: () => void) => void
}

/** By the names that the text has for them, without the colon. */
type Values = Readonly<Record<string, SQLInputValue>>

/** The file's content is not what was written there. */
export class DamagedError extends StoreError {}

const busyMsMaxDefault = 5_000

export const memoryPath = ':memory:'

export class Database {
  readonly path: string
  readonly #busyMsMax: number
  readonly #identity: string | null
  readonly #connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(path: string, options: OpenOptions = {}) {
    const { readOnly = false, immutable = false, durable = false, busyMsMax = busyMsMaxDefault } = options
    this.path = path
    this.#busyMsMax = busyMsMax
    // Before it is opened: a file that takes its place meanwhile is not this one.
    this.#identity = path === memoryPath ? null : identityOf(path)
    const place = immutable ? new URL(`${pathToFileURL(path).href}?immutable=1`) : path
    this.#connection = this.guard(() => new DatabaseSync(place, { readOnly, timeout: busyMsMax }))
    if (path === memoryPath || readOnly) return
    this.guard(() => {
      this.exec('PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864')
      if (durable) this.exec('PRAGMA synchronous = FULL')
      else this.exec('PRAGMA synchronous = NORMAL')
    })
  }

  /** Rows have the columns that the text names. Texts are constants, values are bound. */
  // oxlint-disable-next-line no-unnecessary-type-parameters -- names the columns where the text does
  all<Row>(sql: string, values: Values = {}): readonly Row[] {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the columns stand in the text, a few lines above the type
    return this.#prepared(sql).all(values) as unknown as readonly Row[]
  }

  // oxlint-disable-next-line no-unnecessary-type-parameters -- the same
  get<Row>(sql: string, values: Values = {}): Row | undefined {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the same
    return this.#prepared(sql).get(values) as unknown as Row | undefined
  }

  /** One row at a time, where there may be too many to hold. */
  // oxlint-disable-next-line no-unnecessary-type-parameters -- the same
  each<Row>(sql: string, values: Values, use: (row: Row) => void): void {
    // oxlint-disable-next-line no-unsafe-type-assertion -- the same
    for (const row of this.#prepared(sql).iterate(values)) use(row as unknown as Row)
  }

  /** Returns the number of rows that are now others. */
  change(sql: string, values: Values = {}): number {
    return Number(this.#prepared(sql).run(values).changes)
  }

  /** One row, its values by the place of each in the text. */
  insert(sql: string, values: readonly SQLInputValue[]): void {
    this.#prepared(sql).run(...values)
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  /** Errors of SQLite leave it as StoreError. */
  guard<Result>(work: () => Result): Result {
    return guarded(this.path, work, this.#busyMsMax)
  }

  /** False where the file of this name is another one now: what is written here would be found by nobody, or damage that one. */
  isInPlace(): boolean {
    return this.path === memoryPath || identityOf(this.path) === this.#identity
  }

  /** All of `work` or nothing. Waits for other writers before it begins, so that it never fails half-way for them. */
  transaction<Result>(work: () => Result): Result {
    return this.guard(() => {
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

  /** Whether what the statement needs is there: throws as running it would. */
  check(sql: string): void {
    this.guard(() => this.#prepared(sql))
  }

  #prepared(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const statement = this.#connection.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** Opens a file, which is made where there is none. */
export function openDatabase(path: string, schema: Schema, options: OpenOptions = {}): Database {
  if (path !== memoryPath && options.readOnly !== true && !existsSync(path)) {
    const { making = (make) => make() } = options
    making(() => createFile(path, schema))
  }
  if (path !== memoryPath && guarded(path, () => statSync(path)).size === 0) throw new DamagedError(`${path} is empty.`)
  const database = new Database(path, options)
  try {
    database.guard(() => bringForward(database, schema, options.readOnly ?? false))
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** A whole check of a larger file would hold up a start for seconds. */
const wholeCheckBytesMax = 67_108_864
/** The same, of any check of it. */
const checkBytesMax = 268_435_456

/**
 * Throws where the file's structure does not hold together. In a large one, indexes are not held against their tables; a
 * larger one is looked at only after an end that was no clean one, when a disk may have lost something.
 */
export function checkStructure(database: Database, isClosed = false): void {
  const bytes = statSync(database.path).size
  if (bytes > checkBytesMax && isClosed) return
  const verdict = database.guard(() =>
    bytes > wholeCheckBytesMax
      ? database.get<{ quick_check: string }>('PRAGMA quick_check(1)')?.quick_check
      : database.get<{ integrity_check: string }>('PRAGMA integrity_check(1)')?.integrity_check,
  )
  if (verdict !== 'ok') throw new DamagedError(`${database.path} is damaged (${verdict ?? 'it cannot be checked'}).`)
}

/** Before it is opened: the last one to close a file takes its log away. */
export function wasClosed(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0
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
      setLeftLogAside(path)
      publish(draft, path)
    } finally {
      for (const left of [draft, `${draft}-wal`, `${draft}-shm`]) rmSync(left, { force: true })
    }
  })
}

/** The log of a file that was moved away would be read into the new one. */
function setLeftLogAside(path: string): void {
  if (existsSync(path)) return
  rmSync(`${path}-shm`, { force: true })
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${path}.left-${randomId(8)}-wal`)
}

function publish(draft: string, path: string): void {
  try {
    linkSync(draft, path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return
    // File systems without a second name for a file.
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') renameSync(draft, path)
    else throw error
  }
}

function bringForward(database: Database, schema: Schema, readOnly: boolean): void {
  const { path } = database
  const latest = schema.steps.length
  const version = database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0
  if (version > latest)
    throw new StoreError(
      `${path} was written by a newer lmx-gateway (its form is ${version}, this one knows ${latest}): run that one, or set another storage.path.`,
    )
  if (path !== memoryPath) {
    const id = database.get<{ application_id: number }>('PRAGMA application_id')?.application_id
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

function guarded<Result>(path: string, work: () => Result, busyMsMax = busyMsMaxDefault): Result {
  try {
    return work()
  } catch (error) {
    throw asStoreError(path, error, busyMsMax)
  }
}

/** What is no error of SQLite or of the file system passes as it is. */
function asStoreError(path: string, error: unknown, busyMsMax: number): unknown {
  if (error instanceof StoreError) return error
  const sqliteCode = sqliteCodeOf(error)
  if (sqliteCode !== null) return ofSqlite(path, sqliteCode, error, busyMsMax)
  const code = codeOf(error)
  // Node's own begin so.
  if (code?.startsWith('E') !== true || code.startsWith('ERR_')) return error
  return new StoreError(`${path} ${fileProblems[code] ?? `cannot be used (${code}).`}`, { cause: error })
}

const diskFull = 'cannot be written, since its disk is full: free some space.'
const notAllowed = 'may not be written by this process: change its owner, its mode or its place.'

const fileProblems: Readonly<Record<string, string>> = {
  ENOSPC: diskFull,
  EDQUOT: diskFull,
  EFBIG: diskFull,
  EROFS: notAllowed,
  EACCES: notAllowed,
  EPERM: notAllowed,
}

/** By SQLite's primary result codes. */
function ofSqlite(path: string, code: number, cause: unknown, busyMsMax: number): unknown {
  const why = (problem: string) => new StoreError(`${path} ${problem}`, { cause })
  switch (code & 0xff) {
    case 5:
    case 6:
      return why(`was locked by another process for ${busyMsMax / 1_000} s: end what holds it.`)
    case 8:
      return why('is read-only: make it and its folder writable for this process.')
    case 10:
      return why(`cannot be read or written (${messageOf(cause)}): look at its disk, which may be full or broken.`)
    case 1:
      // Each statement here fits the form that the file says it has: what it does not find there is damaged.
      return /^no such |has no column named|^malformed database schema/.test(messageOf(cause))
        ? new DamagedError(`${path} is damaged (${messageOf(cause)}).`, { cause })
        : cause
    case 11:
    case 26:
      return new DamagedError(`${path} is damaged (${messageOf(cause)}).`, { cause })
    case 13:
      return why(diskFull)
    case 14:
      return why('cannot be opened: look at its folder, and at who owns it.')
    // Constraints are for whoever wrote; all else is a fault of this program.
    default:
      return cause
  }
}
