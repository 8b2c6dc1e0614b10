/** What became of a request, in nine words: figures of shares are reckoned of these and not of end codes and statuses. */
import { errorCatalogue } from '../base/errors.ts'
import { endedBy, hadBegun, type Outcome } from '../relay/outcome.ts'

export const requestOutcomes = [
  'ok',
  'left',
  'slow_client',
  'caller_error',
  'limited',
  'refused',
  'failed',
  'broken',
  'cancelled',
] as const
type RequestOutcome = (typeof requestOutcomes)[number]
type Judged = Pick<Outcome, 'end' | 'status' | 'errorCode' | 'stream'>

export function requestOutcome(outcome: Judged): RequestOutcome {
  switch (endedBy(outcome.end)) {
    case null:
      return 'ok'
    case 'left':
      return 'left'
    case 'slow_client':
      return 'slow_client'
    case 'operator':
      return 'cancelled'
    case 'host':
    case 'slow_host':
      return failure(outcome)
    case 'rule':
    case 'gateway':
      return refusal(outcome)
  }
}

/** By the status of its error: what was sent may have been a beat of 200 long before. */
function refusal(outcome: Judged): RequestOutcome {
  const { status: sent, errorCode } = outcome
  const status = errorCode === null ? sent : errorCatalogue[errorCode].status
  if (status === 429) return 'limited'
  if (status === 503) return 'refused'
  return status >= 500 ? failure(outcome) : 'caller_error'
}

/** Only a stream that breaks off has given its client something to use. */
function failure({ end, stream }: Judged): RequestOutcome {
  return stream && hadBegun(end) ? 'broken' : 'failed'
}
