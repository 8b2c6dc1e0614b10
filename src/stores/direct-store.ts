/** A store on the thread of its caller: for the command line, and for what is kept nowhere. */
import type { KeyStore } from '../access/key-store.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import type { KeyMirror } from './key-mirror.ts'
import type { AccessState, KeptKeys, Store, StoreEvents } from './store.ts'
import type { UsageExchange } from './usage-exchange.ts'
import type { UsageFile } from './usage-file.ts'

export class DirectStore implements Store {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly mirror: KeyMirror
  readonly exchange: UsageExchange
  readonly notes: readonly string[]
  readonly #kept: KeptKeys
  readonly #usage: UsageFile

  constructor(kept: KeptKeys, usage: UsageFile, notes: readonly string[] = []) {
    this.#kept = kept
    this.#usage = usage
    this.keys = kept.keys
    this.ledger = usage
    this.mirror = kept.mirror
    this.exchange = usage
    this.notes = notes
  }

  get state(): AccessState {
    return this.#kept.state
  }

  watch(events: StoreEvents): void {
    this.#kept.watch(events)
  }

  async close(): Promise<void> {
    this.#usage.close()
    this.#kept.close()
  }
}
