/** What the relay tells `observe/`. */
import type { ErrorCode } from '../base/errors.ts'
import type { Outcome } from './outcome.ts'

/** Why a request was moved: no connection, a kept connection that was gone, a host that did not take it, one that failed on it. */
export const failoverPhases = ['connect', 'reused_socket', 'refused', 'pre_token'] as const
export type FailoverPhase = (typeof failoverPhases)[number]

/**
 * What the gateway itself does for a request, step by step: finding out who it is, reading its JSON, reserving under
 * its limits, finding its hosts, taking its place in the line, sending it off, and settling it at its end.
 */
export const overheadStages = ['auth', 'parse', 'limit', 'route', 'queue', 'send', 'settle'] as const
export type OverheadStage = (typeof overheadStages)[number]

export interface RelayEvents {
  requestEnded(outcome: Outcome): void
  /** A request is sent to a host. */
  attemptBegan(host: string): void
  /** An attempt at a host failed, whatever became of the request. */
  attemptFailed(host: string, reason: ErrorCode): void
  /** A request was moved to another connection or host; told when it is known what came of it. */
  failedOver(model: string, phase: FailoverPhase, result: 'ok' | 'failed'): void
  /** So long a step of a request kept the event loop. */
  worked(stage: OverheadStage, ms: number): void
  /** A host was kept waiting so long because a client took nothing. */
  heldUp(ms: number): void
}
