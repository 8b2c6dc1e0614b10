/** The port through which a gateway's own file holds what its fleet knows of keys, and how many gateways it has, so that both are good where nobody else can be asked. */
import type { KeyRecord } from '../access/key-record.ts'
import type { AuditEntry } from '../access/key-store.ts'

/** How far the changes of the fleet were followed. */
export interface MirrorPosition {
  /** Made anew where the fleet's keys had to be put together again: versions of another one mean nothing. */
  readonly generation: string
  readonly version: number
}

export interface FleetAdminToken {
  /** SHA-256 in hex. */
  readonly digest: string
  /** Counts its changes; 0 for one that was made before there was a fleet. */
  readonly revision: number
}

export interface KeysNews {
  readonly keys: readonly KeyRecord[]
  readonly keysEverCreated: boolean
  readonly adminToken: FleetAdminToken | null
  readonly audit: readonly AuditEntry[]
  /** Kept together with the rest, all or nothing; null where it stays. */
  readonly position: MirrorPosition | null
  /** How many they are; absent where that stays. */
  readonly gateways?: number
}

export interface Mirrored {
  /** Null where nothing of a fleet was ever known. */
  readonly position: MirrorPosition | null
  readonly adminTokenRevision: number
  /** How many were seen last; null where nobody ever counted them. */
  readonly gateways: number | null
}

/** Both reject with StoreError where the file cannot be used. */
export interface KeyMirror {
  /** Takes what is newer than what the file has. */
  mirror(news: KeysNews): Promise<void>
  mirrored(): Promise<Mirrored>
}
