/** What shared access tells `observe/`. */
import type { RequestClass } from '../base/request-class.ts'
import type { LimitName } from './limits.ts'

/** allow: at once; queue: after a wait; reject: at once or after a wait, with 429, or 503 where no more may wait. */
type LimitDecision = 'allow' | 'queue' | 'reject'

export interface AccessEvents {
  /**
   * Once for each request that asks, but for those that leave while they wait. `limit`, of the key or of its team: the one
   * that wanted it to wait for the longest, or that refuses it; null where none did, as where it only waited for others of
   * its key. `key`: its name, `anonymous` without one.
   */
  limitDecided(key: string, limit: LimitName | null, decision: LimitDecision): void
  /** A request that waited for the limits of its caller waits no more; of one that left nothing else is told. */
  limitWaitEnded(ofClass: RequestClass, outcome: 'admitted' | 'refused' | 'left', waitMs: number): void
  /** At the end of one whose usage its host reported: tokens used by those that were reserved when it was admitted. `model`: as it was asked for. */
  reservationSettled(model: string, ratio: number): void
}

/** Where several gateways share the limits. */
export interface SharedLimitEvents {
  /** A request asked for its limits: they were those of all gateways together, or this one's share of them. */
  limitsAsked(by: 'shared' | 'local'): void
  /** What Redis answered came when nobody waited for it any more, and was undone. */
  limitAnswerUndone(): void
}

/** What is left to a key of a limit of its own or of its team. */
export interface LimitRest {
  readonly key: string
  readonly limit: LimitName
  /** 0 to 1; of what may be used at once. */
  readonly share: number
}
