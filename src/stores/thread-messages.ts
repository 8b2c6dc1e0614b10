/** What the gateway and its store's thread say to each other. */
import type { KeyStore } from '../access/key-store.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import type { Seen } from './direct-store.ts'
import type { AccessChange } from './store.ts'
import type { StoreFiles } from './store-files.ts'

/** Given to the thread when it is made. */
export interface ThreadSettings {
  readonly files: StoreFiles
  readonly seen: Seen
  /** Not where the thread takes the place of one that died: its rows are alive. */
  readonly endsUnfinished: boolean
  readonly whenUnwritable: 'refuse' | 'serve'
  /** The keys can only be read. */
  readonly isReadOnly: boolean
}

type CallsOf<Port> = {
  [Method in keyof Port & string]: Port[Method] extends (...values: infer Values) => unknown
    ? { readonly method: Method; readonly values: Values }
    : never
}[keyof Port & string]

export type KeysCall = CallsOf<KeyStore>
export type LedgerCall = CallsOf<LedgerStore>
export type Call = { readonly keys: KeysCall } | { readonly ledger: LedgerCall } | { readonly store: 'watch' | 'close' }

export type Question = Call & { readonly number: number }

export interface ToldError {
  readonly name: string
  readonly message: string
}

export type FromThread =
  | { readonly kind: 'ready'; readonly notes: readonly string[] }
  | { readonly kind: 'failed'; readonly error: ToldError }
  | { readonly kind: 'answer'; readonly number: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly number: number; readonly error: ToldError }
  | { readonly kind: 'changed'; readonly change: AccessChange }
  | { readonly kind: 'unreadable'; readonly problem: string | null }
