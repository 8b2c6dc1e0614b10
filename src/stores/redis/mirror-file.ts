/** The fleet's keys in a gateway's own file: what could not be written there is written with what comes next. */
import type { KeyRecord } from '../../access/key-record.ts'
import type { AuditEntry } from '../../access/key-store.ts'
import type { Log } from '../../base/log.ts'
import { StoreError } from '../../base/store-error.ts'
import type { KeyMirror, KeysNews } from '../key-mirror.ts'

/** More of the trail is not held: it is in Redis. */
const entriesHeldMax = 1_000

export class MirrorFile {
  readonly #mirror: KeyMirror
  readonly #log: Log
  /** By id, so that there are never more than keys. */
  readonly #keys = new Map<string, KeyRecord>()
  #audit: readonly AuditEntry[] = []
  #problem: string | null = null

  constructor(mirror: KeyMirror, log: Log) {
    this.#mirror = mirror
    this.#log = log
  }

  /** It has less than is known. */
  get isBehind(): boolean {
    return this.#keys.size > 0 || this.#audit.length > 0
  }

  /** To be written with the next news. */
  addKeys(keys: readonly KeyRecord[]): void {
    for (const key of keys) this.#keys.set(key.id, key)
  }

  /** Never rejects with StoreError: keys are good nevertheless, until this gateway ends. */
  async mirror(news: KeysNews): Promise<void> {
    this.addKeys(news.keys)
    this.#audit = [...this.#audit, ...news.audit].slice(-entriesHeldMax)
    try {
      await this.#mirror.mirror({ ...news, keys: [...this.#keys.values()], audit: this.#audit })
      this.#keys.clear()
      this.#audit = []
      if (this.#problem !== null) this.#log('info', 'Keys of the fleet are written to the file of this gateway again')
      this.#problem = null
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.#failed(error.message)
    }
  }

  #failed(problem: string): void {
    if (problem === this.#problem) return
    this.#problem = problem
    this.#log('error', 'Keys of the fleet cannot be written to the file of this gateway: changes hold until it ends', {
      problem,
    })
  }
}
