/** Tells each choice of a host what came of it, once its request has ended: how true the prediction was is seen beside it. */
import type { AttemptOutcome, Outcome } from '../relay/outcome.ts'

export function tellDecisions(outcome: Outcome): void {
  const { attemptsMade } = outcome
  const last = attemptsMade.length - 1
  for (let at = 0; at <= last; at++) {
    const attempt = attemptsMade[at]
    const decision = attempt?.decision ?? null
    if (attempt === undefined || decision === null) continue
    decision.came = at === last ? cameOfAnswer(attempt, outcome) : { ...nothing, ...endOf(attempt) }
  }
}

type Came = NonNullable<NonNullable<AttemptOutcome['decision']>['came']>

function cameOfAnswer(attempt: AttemptOutcome, { upstreamTtftMs, tokens, sources }: Outcome): Came {
  const { tookMs, failure } = endOf(attempt)
  return {
    firstTokenMs: upstreamTtftMs === null ? null : Math.round(upstreamTtftMs),
    cachedTokens: sources.cachedInput === 'reported' ? tokens.cachedInput : null,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    tookMs,
    failure,
  }
}

function endOf({ beganMs, endedMs, failure }: AttemptOutcome): Pick<Came, 'tookMs' | 'failure'> {
  return { tookMs: Math.max(0, Math.round(endedMs - beganMs)), failure }
}

/** Of an attempt that was lost only that is known. */
const nothing = { firstTokenMs: null, cachedTokens: null, inputTokens: 0, outputTokens: 0 }
