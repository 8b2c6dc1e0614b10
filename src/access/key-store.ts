/** Ports of what access keeps: keys, the admin token, and the trail of who changed what. */
import type { KeyRecord } from './key-record.ts'

/** One change by an operator. What it is about beside keys stands in its detail. Keys stand there by id and name only. */
export interface AuditEntry {
  /** Wall-clock milliseconds since the epoch. */
  readonly atMs: number
  /** `admin-api` with the caller's address, or `cli` with the user's name. */
  readonly actor: string
  readonly action:
    | 'key.create'
    | 'key.change'
    | 'key.rotate'
    | 'key.revoke'
    | 'admin-token.create'
    | 'admin-token.rotate'
    | 'host.add'
    | 'host.drain'
    | 'host.pause'
    | 'host.resume'
    | 'host.remove'
    | 'config.reload'
  /** Id of the key; null for what is about none. */
  readonly keyId: string | null
  readonly keyName: string | null
  /** Which fields were changed, without values that could be secret. */
  readonly detail: Readonly<Record<string, string | number | boolean | null>>
}

/** The name is taken by a key that is not revoked. */
export class KeyNameTaken extends Error {
  override readonly name = 'KeyNameTaken'
}

/** Each change and its audit entry are one transaction. Methods reject with StoreError when the store cannot be used. */
export interface KeyStore {
  /** True for the first key that ever was: it ends anonymity for good. Rejects with KeyNameTaken. */
  insert(record: KeyRecord, audit: AuditEntry): Promise<boolean>
  /** False when the stored revision is not `record.revision - 1`. Rejects with KeyNameTaken. */
  replace(record: KeyRecord, audit: AuditEntry): Promise<boolean>
  /** By id, else the key of this name that is not revoked, else the last one revoked. */
  find(idOrName: string): Promise<KeyRecord | null>
  /** In order of creation. */
  list(): Promise<readonly KeyRecord[]>
  /** SHA-256 of the admin token in hex. */
  setAdminTokenDigest(digest: string, audit: AuditEntry): Promise<void>
  /** Of a change of something that is not kept here. */
  note(audit: AuditEntry): Promise<void>
  /** The latest first. */
  audit(countMax: number): Promise<readonly AuditEntry[]>
}
