/** The store of a gateway that is one of several: keys are those of all, and rows of the ledger are given to all. */
import type { KeyStore } from '../../access/key-store.ts'
import { StoreError } from '../../base/store-error.ts'
import type { HandOverState } from '../../metering/events.ts'
import type { LedgerStore } from '../../metering/ledger-store.ts'
import type { Replicas } from '../../replicas/replicas.ts'
import type { KeyMirror } from '../key-mirror.ts'
import type { GatewayStore, LateStore } from '../late-store.ts'
import type { AccessState, Store, StoreEvents } from '../store.ts'
import { RedisKeys, type RedisKeysParts } from './key-store.ts'
import { UsageHandOver, type UsageHandOverParts } from './usage-hand-over.ts'

export interface FleetStoreParts
  extends Omit<RedisKeysParts, 'file' | 'link'>,
    Omit<UsageHandOverParts, 'exchange' | 'link'> {
  readonly link: RedisKeysParts['link'] & UsageHandOverParts['link']
  /** Counted while Redis is there, for a start while it is not. */
  readonly replicas: Pick<Replicas, 'keepCount'>
  /** Clients need no key, whatever the fleet has. */
  readonly allowAnonymous: boolean
}

/** What others have used counts against limits from the start on, where it is to be had soon. */
const firstTurnMsMax = 2_000
/** One look at a Redis that is there may fail, where gateway and Redis start together, or on a busy machine. */
const firstKeysMsMax = 10_000

export class FleetStore implements GatewayStore {
  readonly keys: KeyStore
  readonly ledger: LedgerStore
  readonly #file: LateStore
  readonly #parts: FleetStoreParts
  readonly #keys: RedisKeys
  readonly #usage: UsageHandOver

  constructor(file: LateStore, parts: FleetStoreParts) {
    this.#file = file
    this.#parts = parts
    this.#keys = new RedisKeys({ ...parts, file })
    this.#usage = new UsageHandOver({ ...parts, exchange: file.exchange })
    this.keys = this.#keys
    this.ledger = {
      ...file.ledger,
      write: async (rows) => {
        await file.ledger.write(rows)
        this.#usage.wrote()
      },
    }
  }

  /** After the connection was tried once. Rejects with StoreError. */
  async open(): Promise<Store> {
    const file = await this.#file.open()
    await this.#keepCount(file.mirror)
    const state = await this.#openKeys(file.state)
    await this.#usage.start(firstTurnMsMax)
    return {
      ...file,
      keys: this.keys,
      ledger: this.ledger,
      state,
      notes: file.notes,
      watch: (events) => this.watch(events),
      close: () => this.close(),
    }
  }

  async #keepCount(mirror: KeyMirror): Promise<void> {
    const { gateways: count } = await mirror.mirrored()
    const nothingElse = { keys: [], keysEverCreated: false, adminToken: null, audit: [], position: null }
    this.#parts.replicas.keepCount({ count, keep: (gateways) => mirror.mirror({ ...nothingElse, gateways }) })
  }

  async #openKeys(fileState: AccessState): Promise<AccessState> {
    const state = await this.#keys.open(fileState)
    if (this.#mayLetIn(state)) return state
    this.#parts.log(
      'warn',
      'This gateway has never seen the keys of its fleet: before it starts it waits for Redis, where they are',
      { waitMsMax: firstKeysMsMax },
    )
    const late = await this.#keys.openLate(firstKeysMsMax)
    if (this.#mayLetIn(late)) return late
    throw new StoreError(
      'Redis is not there, and this gateway has never seen the keys of its fleet, so that nobody can tell whether clients need one: start Redis first (storage.redis.url).',
    )
  }

  #mayLetIn({ keysEverCreated }: AccessState): boolean {
    return this.#keys.isKnown || keysEverCreated || this.#parts.allowAnonymous
  }

  watch(events: StoreEvents): void {
    this.#keys.watch((change) => events.changed(change))
    this.#file.watch({
      changed: (change) => this.#keys.fromFile(change),
      unreadable: (problem) => events.unreadable(problem),
      alarm: (problem) => events.alarm(problem),
    })
  }

  handOver(): HandOverState {
    return this.#usage.state()
  }

  /** Since this gateway last knew all changes of keys. */
  keysAgeMs(): number {
    return this.#keys.ageMs
  }

  /** While Redis can still be asked, and after the last row was written. */
  async handOverLast(msMax: number): Promise<void> {
    await this.#usage.stop(msMax)
  }

  async close(): Promise<void> {
    this.#keys.close()
    await this.#file.close()
  }
}
