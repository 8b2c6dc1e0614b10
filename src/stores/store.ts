/** What the gateway and the command line keep, whatever keeps it. */
import type { KeyRecord } from '../access/key-record.ts'
import type { KeyStore } from '../access/key-store.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { UsageExchange } from './usage-exchange.ts'

/** What must be known before the first request is taken. */
export interface AccessState {
  readonly keys: readonly KeyRecord[]
  /** A key was created once, whatever became of it: nobody is anonymous any more. */
  readonly keysEverCreated: boolean
  /** SHA-256 in hex; null before the first start. */
  readonly adminTokenDigest: string | null
}

/** What another process or this one changed. */
export interface AccessChange {
  /** Keys that were added or changed, as they are now. */
  readonly keys: readonly KeyRecord[]
  readonly keysEverCreated: boolean
  readonly adminTokenDigest: string | null
}

export interface StoreEvents {
  /** Within a second of a change, whoever made it. */
  changed(change: AccessChange): void
  /** Keys cannot be read any more (then what is known goes on holding), or can be again (null). */
  unreadable(problem: string | null): void
  /** Somebody has touched what must be left alone while a gateway runs. */
  alarm(problem: string): void
}

/** The part that has the keys. */
export interface KeptKeys {
  readonly keys: KeyStore
  readonly mirror: KeyMirror
  readonly state: AccessState
  watch(events: StoreEvents): void
  close(): void
}

export interface Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  /** Of a gateway that is one of several. */
  readonly mirror: KeyMirror
  readonly exchange: UsageExchange
  /** As of opening. */
  readonly state: AccessState
  /** What the operator should know although it could be opened: damaged usage set aside, permissions too wide. */
  readonly notes: readonly string[]
  /** Begins to look for changes; once. */
  watch(events: StoreEvents): void
  close(): Promise<void>
}
