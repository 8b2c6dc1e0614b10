/** What the relay tells `observe/`. */
import type { ErrorCode } from '../base/errors.ts'
import type { RequestClass } from '../base/request-class.ts'
import type { FirstTokenParts, Outcome, TraceSpan } from './outcome.ts'

/** Why a request was moved: no connection, a kept connection that was gone, a host that did not take it, one that failed on it. */
export const failoverPhases = ['connect', 'reused_socket', 'refused', 'pre_token'] as const
export type FailoverPhase = (typeof failoverPhases)[number]

/**
 * What the gateway itself does for a request, step by step: finding out who it is, reading its JSON, reserving under
 * its limits, finding its hosts, taking its place in the line, sending it off, and settling it at its end.
 */
export const overheadStages = ['auth', 'parse', 'limit', 'route', 'queue', 'send', 'settle'] as const
export type OverheadStage = (typeof overheadStages)[number]

/** Of a stream, when its first content is on its way to the client: long before its end is known. */
export interface FirstToken {
  /** Of the request; made by the gateway. */
  readonly id: string
  /** Null where it is not traced. */
  readonly trace: TraceSpan | null
  /** As in its outcome. */
  readonly model: string | null
  readonly host: string
  readonly class: RequestClass | null
  /** From accepting the request; `ttftMs` of its outcome. */
  readonly ttftMs: number
  /** Where that time went; the parts add up to it. */
  readonly parts: FirstTokenParts
}

export interface RelayEvents {
  requestEnded(outcome: Outcome): void
  /** At most once per request, before its end; never for an answer that is no stream, or that nobody waits for any more. */
  firstToken(first: FirstToken): void
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
