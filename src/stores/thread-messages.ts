/** What the gateway and its store's threads say to each other. */
import type { KeyStore } from '../access/key-store.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import type { Seen } from './direct-keys.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { AccessChange } from './store.ts'
import type { StoreFiles } from './store-files.ts'
import type { UsageExchange } from './usage-exchange.ts'

export interface KeysThreadSettings {
  readonly of: 'keys'
  readonly files: StoreFiles
  readonly seen: Seen
  /** Of the lock's file; null where the gateway has none, since the keys can only be read. */
  readonly lockIdentity: string | null
}

export interface LedgerThreadSettings {
  readonly of: 'ledger'
  readonly path: string
  /** Not where the thread takes the place of one that died: its rows are alive. */
  readonly endsUnfinished: boolean
  readonly whenUnwritable: 'refuse' | 'serve'
  /** Other gateways are to be given what is written. */
  readonly handsOver: boolean
}

/** Given to a thread when it is made. */
export type ThreadSettings = KeysThreadSettings | LedgerThreadSettings

type CallsOf<Port> = {
  [Method in keyof Port & string]: Port[Method] extends (...values: infer Values) => unknown
    ? { readonly method: Method; readonly values: Values }
    : never
}[keyof Port & string]

export type KeysCall = CallsOf<KeyStore>
export type MirrorCall = CallsOf<KeyMirror>
export type LedgerCall = CallsOf<LedgerStore>
export type ExchangeCall = CallsOf<UsageExchange>
export type Call =
  | { readonly keys: KeysCall }
  | { readonly mirror: MirrorCall }
  | { readonly ledger: LedgerCall }
  | { readonly exchange: ExchangeCall }
  | { readonly store: 'watch' | 'close' }

export type Question = Call & { readonly number: number }

export interface ToldError {
  readonly name: string
  readonly message: string
}

/** What a thread says unasked. */
export type Told =
  | { readonly kind: 'changed'; readonly change: AccessChange }
  | { readonly kind: 'unreadable'; readonly problem: string | null }
  | { readonly kind: 'alarm'; readonly problem: string }

export type FromThread =
  | { readonly kind: 'ready'; readonly notes: readonly string[] }
  | { readonly kind: 'failed'; readonly error: ToldError }
  | { readonly kind: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly number: number; readonly error: ToldError }
  | Told
