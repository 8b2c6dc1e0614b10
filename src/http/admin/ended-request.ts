/** A request that has ended, as it is shown: made from its outcome. */
import {
  type AttemptOutcome,
  endToEndTokensPerSecondOf,
  type Outcome,
  otherNameOf,
  tokensPerSecondOf,
} from '../../relay/outcome.ts'
import type { EndedRequest } from './ended-request-schema.ts'

export function endedRequest(outcome: Outcome): EndedRequest {
  const { timePerOutputTokenMs: tpotMs, toldWait, spent, tokens, durationMs } = outcome
  return {
    id: outcome.id,
    requestId: outcome.requestId,
    traceId: outcome.trace?.traceId ?? null,
    key: outcome.key,
    class: outcome.class,
    endpoint: outcome.endpoint,
    model: outcome.model,
    asked: otherNameOf(outcome),
    stream: outcome.stream,
    status: outcome.status,
    end: outcome.end,
    error: outcome.errorCode,
    host: outcome.host,
    acceptedAt: new Date(outcome.acceptedAtMs).toISOString(),
    durationMs: rounded(durationMs),
    spent: {
      readMs: rounded(spent.readMs),
      limitMs: rounded(spent.limitMs),
      queueMs: rounded(spent.queueMs),
      lostMs: rounded(spent.lostMs),
      hostMs: rounded(spent.hostMs),
      prefillMs: rounded(spent.prefillMs),
      contentMs: rounded(spent.contentMs),
      lastMs: rounded(spent.lastMs),
    },
    toldWait: toldWait && { p50Ms: rounded(toldWait.p50Ms), p90Ms: rounded(toldWait.p90Ms) },
    ttftMs: roundedOrNull(outcome.ttftMs),
    upstreamTtftMs: roundedOrNull(outcome.upstreamTtftMs),
    tpotMs: roundedOrNull(tpotMs),
    tokensPerSecond: roundedOrNull(tokensPerSecondOf(tpotMs)),
    endToEndTokensPerSecond: roundedOrNull(endToEndTokensPerSecondOf(tokens.output, durationMs)),
    tokens,
    usage: outcome.usageSource,
    attempts: outcome.attempts,
    attemptsMade: outcome.attemptsMade.map(attemptOf),
  }
}

function attemptOf({ host, model, reason, decision, failure, ...times }: AttemptOutcome) {
  return {
    host,
    model,
    reason,
    considered: (decision?.places ?? []).filter(({ isFree }) => isFree).map((place) => place.host),
    beganMs: rounded(times.beganMs),
    sentMs: roundedOrNull(times.sentMs),
    headMs: roundedOrNull(times.headMs),
    endedMs: rounded(times.endedMs),
    failure,
  }
}

/** To a hundredth. */
function rounded(value: number): number {
  return Math.round(value * 100) / 100
}

function roundedOrNull(value: number | null): number | null {
  return value === null ? null : rounded(value)
}
