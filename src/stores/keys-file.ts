/** Keys, the admin token's digest and the audit trail in one SQLite file. */
import { crc32 } from 'node:zlib'
import type { KeyRecord } from '../access/key-record.ts'
import { type AuditEntry, KeyNameTaken } from '../access/key-store.ts'
import { StoreError } from '../base/store-error.ts'
import { checkStructure, DamagedError, type Database, type OpenOptions, openDatabase, type Schema } from './database.ts'
import { sqliteCodeOf } from './error-codes.ts'
import type { FleetAdminToken, KeysNews, Mirrored, MirrorPosition } from './key-mirror.ts'
import type { AccessState } from './store.ts'

/**
 * A record is one value with a checksum, since SQLite has none of its own: a byte that went bad on the disk must not
 * become a limit, a model or a digest that nobody set. `change` counts on over all keys, so that another process finds
 * what is new by an index.
 */
const schema: Schema = {
  applicationId: 0x4c4d5847,
  steps: [
    `PRAGMA application_id = 1280137287;
     CREATE TABLE keys (
       id TEXT NOT NULL PRIMARY KEY,
       name TEXT NOT NULL,
       revoked_at_ms INTEGER,
       created_at_ms INTEGER NOT NULL,
       revision INTEGER NOT NULL,
       change INTEGER NOT NULL,
       record TEXT NOT NULL,
       check_sum INTEGER NOT NULL
     );
     CREATE UNIQUE INDEX keys_by_name ON keys (name) WHERE revoked_at_ms IS NULL;
     CREATE INDEX keys_by_any_name ON keys (name, revoked_at_ms);
     CREATE INDEX keys_by_change ON keys (change);
     CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, check_sum INTEGER NOT NULL);
     CREATE TABLE audit (
       number INTEGER PRIMARY KEY,
       at_ms INTEGER NOT NULL,
       actor TEXT NOT NULL,
       action TEXT NOT NULL,
       key_id TEXT,
       key_name TEXT,
       detail TEXT NOT NULL
     );
     PRAGMA user_version = 1`,
  ],
}

const uniqueConstraint = 2067

type AuditRow = Omit<AuditEntry, 'detail'> & { readonly detail: string }

interface KeyRow {
  readonly id: string
  readonly revision: number
  readonly change: number
  readonly record: string
  readonly check_sum: number
}

/** Where a reader stands, so that it can ask for what came later. */
export interface ReadState extends AccessState {
  readonly change: number
}

export class KeysFile {
  readonly #database: Database

  private constructor(database: Database) {
    this.#database = database
  }

  static open(path: string, options: OpenOptions = {}): KeysFile {
    return new KeysFile(openDatabase(path, schema, { ...options, durable: true }))
  }

  /** Throws DamagedError unless the structure of the file holds. */
  check(): void {
    checkStructure(this.#database)
  }

  /** Everything, or what came after `sinceChange`; in order of creation. */
  read(sinceChange = 0): ReadState {
    return this.#database.guard(() => {
      // One look at all of it, whatever others write meanwhile.
      this.#database.exec('BEGIN')
      try {
        const rows = sinceChange === 0 ? this.#allRows() : this.#changedRows(sinceChange)
        return {
          keys: inOrderOfCreation(rows.map((row) => this.#recordOf(row))),
          keysEverCreated: this.#keysEverCreated(),
          adminTokenDigest: this.#meta('admin_token_digest'),
          change: rows.reduce((latest, { change }) => Math.max(latest, change), sinceChange),
        }
      } finally {
        this.#database.exec('COMMIT')
      }
    })
  }

  /** Another value than before: another connection has changed the file. */
  dataVersion(): number {
    return this.#database.guard(
      () => this.#database.get<{ data_version: number }>('PRAGMA data_version')?.data_version ?? 0,
    )
  }

  /** Throws where what is written would not be found in the place of this file. */
  checkPlace(): void {
    if (this.#database.isInPlace()) return
    throw new StoreError(
      `${this.#database.path} was moved, removed or replaced while it was in use: put it back, or start the gateway anew.`,
    )
  }

  /** True for the first key that ever was. */
  insert(record: KeyRecord, audit: AuditEntry): boolean {
    return this.#write(record, () => {
      const isFirst = !this.#keysEverCreated()
      this.#database.change(
        `INSERT INTO keys (id, name, revoked_at_ms, created_at_ms, revision, change, record, check_sum)
         VALUES (:id, :name, :revokedAtMs, :createdAtMs, :revision,
           (SELECT coalesce(max(change), 0) + 1 FROM keys), :record, :checkSum)`,
        { ...columnsOf(record), createdAtMs: record.createdAtMs },
      )
      this.#setMeta('keys_ever_created', 'true')
      this.#addAudit(audit)
      return isFirst
    })
  }

  /** False when somebody else was first. */
  replace(record: KeyRecord, audit: AuditEntry): boolean {
    return this.#write(record, () => {
      const changes = this.#database.change(
        `UPDATE keys SET name = :name, revoked_at_ms = :revokedAtMs, revision = :revision,
           change = (SELECT max(change) + 1 FROM keys), record = :record, check_sum = :checkSum
         WHERE id = :id AND revision = :revision - 1`,
        columnsOf(record),
      )
      if (changes === 0) return false
      this.#addAudit(audit)
      return true
    })
  }

  find(idOrName: string): KeyRecord | null {
    return this.#database.guard(() => {
      const row = this.#database.get<KeyRow>(
        `SELECT id, revision, change, record, check_sum FROM keys WHERE id = :wanted OR name = :wanted
         ORDER BY id = :wanted DESC, revoked_at_ms IS NULL DESC, revoked_at_ms DESC LIMIT 1`,
        { wanted: idOrName },
      )
      return row === undefined ? null : this.#recordOf(row)
    })
  }

  list(): readonly KeyRecord[] {
    return this.#database.guard(() => inOrderOfCreation(this.#allRows().map((row) => this.#recordOf(row))))
  }

  setAdminTokenDigest(digest: string, audit: AuditEntry): void {
    this.#transaction(() => {
      this.#setMeta('admin_token_digest', digest)
      this.#addAudit(audit)
    })
  }

  note(audit: AuditEntry): void {
    this.#transaction(() => this.#addAudit(audit))
  }

  audit(countMax: number): readonly AuditEntry[] {
    return this.#database.guard(() => {
      const rows = this.#database.all<AuditRow>(
        `SELECT at_ms AS atMs, actor, action, key_id AS keyId, key_name AS keyName, detail FROM audit
         ORDER BY number DESC LIMIT :countMax`,
        { countMax: Math.floor(countMax) },
      )
      return rows.map((row) => ({ ...row, detail: this.#parsed<AuditEntry['detail']>(row.detail) }))
    })
  }

  /** What the fleet knows, where it is newer than what stands here. */
  mirror({ keys, keysEverCreated, adminToken, audit, position, gateways }: KeysNews): void {
    this.#transaction(() => {
      for (const key of keys) this.#mirrorKey(key)
      if (keysEverCreated && !this.#keysEverCreated()) this.#setMeta('keys_ever_created', 'true')
      if (adminToken !== null) this.#mirrorAdminToken(adminToken)
      this.#mirrorTrail(audit)
      if (position !== null) this.#setMeta('fleet_position', JSON.stringify(position))
      if (gateways !== undefined) this.#setMeta('fleet_gateways', String(gateways))
    })
  }

  mirrored(): Mirrored {
    return this.#database.guard(() => {
      const position = this.#meta('fleet_position')
      const gateways = this.#meta('fleet_gateways')
      return {
        position: position === null ? null : this.#parsed<MirrorPosition>(position),
        adminTokenRevision: Number(this.#meta('admin_token_revision') ?? 0),
        gateways: gateways === null ? null : Number(gateways),
      }
    })
  }

  close(): void {
    this.#database.close()
  }

  #mirrorKey(record: KeyRecord): void {
    const { id, name, revokedAtMs } = record
    const columns = { ...columnsOf(record), createdAtMs: record.createdAtMs }
    // Two that exchange their names come one after the other: until its own news, the other one goes by its id.
    if (revokedAtMs === null)
      this.#database.change('UPDATE keys SET name = id WHERE name = :name AND id <> :id AND revoked_at_ms IS NULL', {
        name,
        id,
      })
    this.#database.change(
      `INSERT INTO keys (id, name, revoked_at_ms, created_at_ms, revision, change, record, check_sum)
       VALUES (:id, :name, :revokedAtMs, :createdAtMs, :revision,
         (SELECT coalesce(max(change), 0) + 1 FROM keys), :record, :checkSum)
       ON CONFLICT (id) DO UPDATE SET name = excluded.name, revoked_at_ms = excluded.revoked_at_ms,
         revision = excluded.revision, change = excluded.change, record = excluded.record,
         check_sum = excluded.check_sum
       WHERE keys.revision < excluded.revision OR (keys.revision = excluded.revision
         AND (keys.record <> excluded.record OR keys.name <> excluded.name))`,
      columns,
    )
  }

  #mirrorAdminToken({ digest, revision }: FleetAdminToken): void {
    if (this.#meta('admin_token_digest') === digest && this.#meta('admin_token_revision') === String(revision)) return
    this.#setMeta('admin_token_digest', digest)
    this.#setMeta('admin_token_revision', String(revision))
  }

  /** An entry has no name of its own: the same twice is one. */
  #mirrorTrail(entries: readonly AuditEntry[]): void {
    if (entries.length === 0) return
    const sinceMs = entries.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Number.POSITIVE_INFINITY)
    const known = new Set(
      this.#database
        .all<AuditRow>(
          `SELECT at_ms AS atMs, actor, action, key_id AS keyId, key_name AS keyName, detail FROM audit
           WHERE at_ms >= :sinceMs`,
          { sinceMs },
        )
        .map((row) => JSON.stringify(Object.values(row))),
    )
    for (const entry of entries) {
      const { atMs, actor, action, keyId, keyName, detail } = entry
      const text = JSON.stringify([atMs, actor, action, keyId, keyName, JSON.stringify(detail)])
      if (!known.has(text)) this.#addAudit(entry)
      known.add(text)
    }
  }

  #write<Result>(record: KeyRecord, work: () => Result): Result {
    try {
      return this.#transaction(work)
    } catch (error) {
      if (sqliteCodeOf(error) === uniqueConstraint)
        throw new KeyNameTaken(`there is a key named ${JSON.stringify(record.name)} already`)
      throw error
    }
  }

  #transaction<Result>(work: () => Result): Result {
    const result = this.#database.transaction(() => {
      const done = work()
      // Nothing has reached the disk yet, nor does it once this throws.
      this.checkPlace()
      return done
    })
    this.#toMainFile()
    return result
  }

  /** Best effort: until then a change stands only in the file's log, whose end is cut where it is damaged. */
  #toMainFile(): void {
    try {
      this.#database.get('PRAGMA wal_checkpoint(PASSIVE)')
    } catch {
      // The change itself is written; the next one tries again.
    }
  }

  #recordOf(row: KeyRow): KeyRecord {
    const record = crc32(row.record) === row.check_sum ? this.#parsed<KeyRecord>(row.record) : null
    if (record === null || record.id !== row.id || record.revision !== row.revision)
      throw new DamagedError(`${this.#database.path} is damaged (a key does not match its checksum).`)
    return record
  }

  // oxlint-disable-next-line no-unnecessary-type-parameters -- what was written there
  #parsed<Value>(text: string): Value {
    try {
      // oxlint-disable-next-line no-unsafe-type-assertion -- its checksum says that it is what was written
      return JSON.parse(text) as Value
    } catch (cause) {
      throw new DamagedError(`${this.#database.path} is damaged (a value is not JSON).`, { cause })
    }
  }

  #allRows(): readonly KeyRow[] {
    return this.#database.all<KeyRow>('SELECT id, revision, change, record, check_sum FROM keys ORDER BY rowid')
  }

  #changedRows(sinceChange: number): readonly KeyRow[] {
    return this.#database.all<KeyRow>(
      'SELECT id, revision, change, record, check_sum FROM keys WHERE change > :sinceChange ORDER BY change',
      { sinceChange },
    )
  }

  #keysEverCreated(): boolean {
    return this.#meta('keys_ever_created') === 'true' || this.#hasKeys()
  }

  #hasKeys(): boolean {
    return this.#database.get('SELECT 1 FROM keys LIMIT 1') !== undefined
  }

  #meta(name: string): string | null {
    const row = this.#database.get<{ value: string; check_sum: number }>(
      'SELECT value, check_sum FROM meta WHERE name = :name',
      { name },
    )
    if (row === undefined) return null
    if (crc32(row.value) !== row.check_sum)
      throw new DamagedError(`${this.#database.path} is damaged (${name} does not match its checksum).`)
    return row.value
  }

  #setMeta(name: string, value: string): void {
    this.#database.change(
      `INSERT INTO meta (name, value, check_sum) VALUES (:name, :value, :checkSum)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value, check_sum = excluded.check_sum`,
      { name, value, checkSum: crc32(value) },
    )
  }

  #addAudit({ atMs, actor, action, keyId, keyName, detail }: AuditEntry): void {
    this.#database.change(
      `INSERT INTO audit (at_ms, actor, action, key_id, key_name, detail)
       VALUES (:atMs, :actor, :action, :keyId, :keyName, :detail)`,
      { atMs, actor, action, keyId, keyName, detail: JSON.stringify(detail) },
    )
  }
}

/** Of one instant as they were inserted. Nearly so already, which SQLite would sort with all that the rows hold. */
function inOrderOfCreation(keys: readonly KeyRecord[]): readonly KeyRecord[] {
  return keys.toSorted((a, b) => a.createdAtMs - b.createdAtMs)
}

function columnsOf(record: KeyRecord) {
  const text = JSON.stringify(record)
  const { id, name, revokedAtMs, revision } = record
  return { id, name, revokedAtMs, revision, record: text, checkSum: crc32(text) }
}
