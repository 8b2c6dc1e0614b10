/** Whether a failed attempt may be made again, and where: a pure rule. */
import type { FailureKind } from '../hosts/transport.ts'

export type RetryDecision = 'other_host' | 'fresh_connection' | 'none'

export interface FailedAttempt {
  readonly kind: FailureKind
  /** Any byte of an answer had arrived. */
  readonly answered: boolean
  readonly reusedSocket: boolean
  /** Since the request was written; null when it never was. */
  readonly sinceSentMs: number | null
  /** This attempt was itself the repetition on a fresh connection. */
  readonly fresh: boolean
  /** How many hosts were tried so far, this one included. */
  readonly hostsTried: number
}

/** Each host more is another copy of the work at the worst moment. */
const hostsTriedMax = 2
/** A host that had given a connection up says so within a round trip; one that closes later had begun to work. */
const keepAliveRaceMsMax = 1_000

/**
 * 1. Not connected: nothing was sent, so another host may have it.
 * 2. A kept connection closed at once and before any byte of an answer: the host had given it up when we wrote, so the
 *    same host is asked once more, on a connection of its own.
 * 3. Anything else may have been executed: it is not repeated.
 */
export function retryRule(failure: FailedAttempt): RetryDecision {
  if (failure.kind === 'connect' || failure.kind === 'tls') {
    return failure.hostsTried < hostsTriedMax ? 'other_host' : 'none'
  }
  return isKeepAliveRace(failure) && !failure.fresh ? 'fresh_connection' : 'none'
}

function isKeepAliveRace({ kind, reusedSocket, answered, sinceSentMs }: FailedAttempt): boolean {
  return kind === 'disconnected' && reusedSocket && !answered && (sinceSentMs ?? 0) < keepAliveRaceMsMax
}
