/** A store that is opened later than the parts that use it are made. */
import type { KeyStore } from '../access/key-store.ts'
import { StoreError } from '../base/store-error.ts'
import type { LedgerStore } from '../metering/ledger-store.ts'
import type { KeyMirror } from './key-mirror.ts'
import { openStore, type StoreSettings } from './open-store.ts'
import type { Store, StoreEvents } from './store.ts'
import type { UsageExchange } from './usage-exchange.ts'

/** What a gateway keeps, alone or with others. */
export interface GatewayStore {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  /** Rejects with StoreError. */
  open(): Promise<Store>
  watch(events: StoreEvents): void
  close(): Promise<void>
}

export class LateStore implements GatewayStore {
  readonly #settings: StoreSettings
  readonly #opening: Promise<Store> | null
  #store: Store | null = null
  readonly keys: KeyStore = {
    insert: async (...values) => this.#opened().keys.insert(...values),
    replace: async (...values) => this.#opened().keys.replace(...values),
    find: async (...values) => this.#opened().keys.find(...values),
    list: async (...values) => this.#opened().keys.list(...values),
    setAdminTokenDigest: async (...values) => this.#opened().keys.setAdminTokenDigest(...values),
    note: async (...values) => this.#opened().keys.note(...values),
    audit: async (...values) => this.#opened().keys.audit(...values),
  }
  readonly ledger: LedgerStore = {
    write: async (...values) => this.#opened().ledger.write(...values),
    usage: async (...values) => this.#opened().ledger.usage(...values),
    charges: async (...values) => this.#opened().ledger.charges(...values),
    totals: async (...values) => this.#opened().ledger.totals(...values),
    prune: async (...values) => this.#opened().ledger.prune(...values),
  }

  readonly mirror: KeyMirror = {
    mirror: async (...values) => this.#opened().mirror.mirror(...values),
    mirrored: async (...values) => this.#opened().mirror.mirrored(...values),
  }
  readonly exchange: UsageExchange = {
    waitingRows: async (...values) => this.#opened().exchange.waitingRows(...values),
    handOut: async (...values) => this.#opened().exchange.handOut(...values),
    handedOut: async (...values) => this.#opened().exchange.handedOut(...values),
    handAnew: async (...values) => this.#opened().exchange.handAnew(...values),
    takeIn: async (...values) => this.#opened().exchange.takeIn(...values),
    position: async (...values) => this.#opened().exchange.position(...values),
  }

  /** `opening`: the store of these settings, where somebody has begun to open it. */
  constructor(settings: StoreSettings, opening: Promise<Store> | null = null) {
    this.#settings = settings
    this.#opening = opening
  }

  /** Rejects with StoreError. */
  async open(): Promise<Store> {
    this.#store = await (this.#opening ?? openStore(this.#settings))
    return this.#store
  }

  watch(events: StoreEvents): void {
    this.#opened().watch(events)
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  #opened(): Store {
    if (this.#store === null) throw new StoreError('The store is not open yet.')
    return this.#store
  }
}
