/** Tells `observe/` what the limits said to one request. */
import type { RequestClass } from '../base/request-class.ts'
import type { AccessEvents } from './events.ts'
import type { Delay } from './own-line.ts'

export class LimitVerdict {
  readonly #events: AccessEvents
  readonly #key: string
  readonly #class: RequestClass

  constructor(events: AccessEvents, { key, class: ofClass }: { readonly key: string; readonly class: RequestClass }) {
    this.#events = events
    this.#key = key
    this.#class = ofClass
  }

  admitted({ limit, waitedMs }: Delay): void {
    this.#events.limitDecided(this.#key, limit, waitedMs === null ? 'allow' : 'queue')
    if (waitedMs !== null) this.#events.limitWaitEnded(this.#class, 'admitted', waitedMs)
  }

  refused({ limit, waitedMs }: Delay): void {
    this.#events.limitDecided(this.#key, limit, 'reject')
    if (waitedMs !== null) this.#events.limitWaitEnded(this.#class, 'refused', waitedMs)
  }

  /** Nothing was decided. */
  left(waitedMs: number): void {
    this.#events.limitWaitEnded(this.#class, 'left', waitedMs)
  }
}
