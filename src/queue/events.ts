/** What the line tells `observe/`. */

export type WaitOutcome = 'granted' | 'timeout' | 'left' | 'refused'
export type Rejection = 'full' | 'bytes' | 'timeout' | 'no_host'

export interface QueueEvents {
  /** A request that asked for a slot has one, or will never get one. `model` is a known name or null. */
  waitEnded(model: string | null, outcome: WaitOutcome, waitMs: number): void
  rejected(model: string | null, reason: Rejection): void
}

/** What the line adds to what a host says of itself. */
export interface HeldSlots {
  /** Slots of answers that were given up while the host goes on computing them. */
  readonly zombieSlots: number
}

export interface QueueState {
  /** Waiting requests by model; models without waiters may be absent. */
  readonly depthByModel: ReadonlyMap<string, number>
  /** Bytes of request bodies held. */
  readonly bytes: number
}
