/** What the connection to Redis tells of itself: whoever counts listens. */

/** `late` is none of these: a call that timed out may be answered later, and is counted once. */
export type CallOutcome = 'ok' | 'timeout' | 'error' | 'down'

export interface RedisEvents {
  /** `operation`: the name of the script, or of the command in small letters. `down`: nobody was asked, and `ms` is 0. */
  called(operation: string, outcome: CallOutcome, ms: number): void
  /** `problem` is null where it is up. Told when it changes, and when the problem does. */
  up(isUp: boolean, problem: string | null): void
}

export const noRedisEvents: RedisEvents = { called: () => {}, up: () => {} }
