/** What shared access tells `observe/`. */
import type { RequestClass } from '../base/request-class.ts'
import type { LimitName } from './limits.ts'

/** allow: at once; queue: after a wait; reject: with 429, or 503 where no more may wait. */
export type LimitDecision = 'allow' | 'queue' | 'reject'

export interface AccessEvents {
  /** `limit` is the one that kept the request away for the longest; null where none did. `key`: its name, `anonymous` without one. */
  limitDecided(key: string, limit: LimitName | null, decision: LimitDecision): void
  /** A request that waited for the limits of its caller waits no more. */
  limitWaitEnded(ofClass: RequestClass, outcome: 'admitted' | 'refused' | 'left', waitMs: number): void
  /** At the end of one whose usage its host reported: tokens used by those that were reserved. */
  reservationSettled(model: string, ratio: number): void
}

/** What is left of one limit of a key. */
export interface LimitRest {
  readonly key: string
  readonly limit: LimitName
  /** 0 to 1; of what may be used at once. */
  readonly share: number
}
