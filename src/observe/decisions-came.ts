/** Tells each choice of a host what came of it, once its request has ended: how true the prediction was is seen beside it. */
import type { Outcome } from '../relay/outcome.ts'

export function tellDecisions({ attemptsMade, upstreamTtftMs, tokens, sources }: Outcome): void {
  for (const [at, { decision, beganMs, endedMs, failure }] of attemptsMade.entries()) {
    if (decision === null) continue
    const tookMs = Math.max(0, Math.round(endedMs - beganMs))
    const isLast = at === attemptsMade.length - 1
    const ofAnswer = isLast
      ? {
          firstTokenMs: upstreamTtftMs === null ? null : Math.round(upstreamTtftMs),
          cachedTokens: sources.cachedInput === 'reported' ? tokens.cachedInput : null,
          inputTokens: tokens.input,
          outputTokens: tokens.output,
        }
      : nothing
    decision.came = { ...ofAnswer, tookMs, failure }
  }
}

/** Of an attempt that was lost only that is known. */
const nothing = { firstTokenMs: null, cachedTokens: null, inputTokens: 0, outputTokens: 0 }
