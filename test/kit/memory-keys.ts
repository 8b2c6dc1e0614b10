/** A KeyStore in memory, as its port describes it, for tests of what stands on one. */

import type { KeyRecord } from '../../src/access/key-record.ts'
import { type AuditEntry, KeyNameTaken, type KeyStore } from '../../src/access/key-store.ts'

export class MemoryKeys implements KeyStore {
  readonly records = new Map<string, KeyRecord>()
  readonly trail: AuditEntry[] = []
  adminTokenDigest: string | null = null

  async insert(record: KeyRecord, audit: AuditEntry): Promise<boolean> {
    this.#checkName(record)
    const isFirst = this.records.size === 0
    if (this.records.has(record.id)) throw new Error(`the id ${record.id} is there already`)
    this.records.set(record.id, record)
    this.trail.push(audit)
    return isFirst
  }

  async replace(record: KeyRecord, audit: AuditEntry): Promise<boolean> {
    if (this.records.get(record.id)?.revision !== record.revision - 1) return false
    this.#checkName(record)
    this.records.set(record.id, record)
    this.trail.push(audit)
    return true
  }

  async find(idOrName: string): Promise<KeyRecord | null> {
    const named = [...this.records.values()].filter(({ name }) => name === idOrName)
    const live = named.find(({ revokedAtMs }) => revokedAtMs === null)
    const revoked = named.toSorted((a, b) => (b.revokedAtMs ?? 0) - (a.revokedAtMs ?? 0))[0]
    return this.records.get(idOrName) ?? live ?? revoked ?? null
  }

  async list(): Promise<readonly KeyRecord[]> {
    return [...this.records.values()]
  }

  async setAdminTokenDigest(digest: string, audit: AuditEntry): Promise<void> {
    this.adminTokenDigest = digest
    this.trail.push(audit)
  }

  async note(audit: AuditEntry): Promise<void> {
    this.trail.push(audit)
  }

  async audit(countMax: number): Promise<readonly AuditEntry[]> {
    return this.trail.toReversed().slice(0, countMax)
  }

  #checkName({ id, name, revokedAtMs }: KeyRecord): void {
    if (revokedAtMs !== null) return
    for (const other of this.records.values())
      if (other.id !== id && other.name === name && other.revokedAtMs === null) throw new KeyNameTaken()
  }
}
