/** One line per request, made from its outcome: an allow-list of fields, so that no prompt, answer or header can slip in. */
import type { Log, LogFields } from '../base/log.ts'
import type { Outcome } from '../relay/outcome.ts'

/** The message of every access-log line. */
export const accessMessage = 'request'

/**
 * Of a request that was refused at the door, before anything of it was read, or for a limit. Anybody can make as many of
 * them as the network carries, and the disk is not theirs to fill.
 */
export function isOfDoor(message: string, { end, status, model, asked }: LogFields): boolean {
  return message === accessMessage && end === 'GA' && (status === 429 || (model === null && asked === undefined))
}

/** What such lines tell, together. */
export function refusedAlike({ endpoint, status, error, key }: LogFields): unknown {
  return [endpoint, status, error, key]
}

export function accessLog(log: Log): (outcome: Outcome) => void {
  return (outcome) => {
    // Failures that are not the caller's own stay visible when the level leaves the ordinary lines out.
    log(outcome.status >= 500 || isBroken(outcome) ? 'warn' : 'info', accessMessage, {
      requestId: outcome.requestId,
      endpoint: outcome.endpoint,
      model: outcome.model,
      asked: outcome.askedModel === outcome.model ? undefined : outcome.askedModel,
      host: outcome.host,
      key: outcome.key,
      class: outcome.class,
      stream: outcome.stream,
      status: outcome.status,
      end: outcome.end,
      error: outcome.errorCode,
      attempts: outcome.attempts,
      queueMs: rounded(outcome.queueWaitMs),
      ttftMs: rounded(outcome.ttftMs),
      durationMs: rounded(outcome.durationMs),
      tokensIn: outcome.tokens.input,
      tokensOut: outcome.tokens.output,
      usage: outcome.usageSource,
    })
  }
}

/** A host failed in the middle of an answer whose status had already gone out. */
function isBroken(outcome: Outcome): boolean {
  return outcome.end.startsWith('U') || outcome.end.startsWith('u')
}

function rounded(milliseconds: number | null): number | null {
  return milliseconds === null ? null : Math.round(milliseconds * 10) / 10
}
