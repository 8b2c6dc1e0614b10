/** Who is told when a request ended, beside the metrics: the access log, the list of recent requests, traces. */
import type { RelayEvents } from '../relay/events.ts'
import type { Outcome } from '../relay/outcome.ts'

export type RequestListener = (outcome: Outcome) => void

/** The same events; each request that ended is told to all. */
export function withListeners(events: RelayEvents, listeners: readonly RequestListener[]): RelayEvents {
  return {
    ...events,
    requestEnded(outcome) {
      events.requestEnded(outcome)
      for (const tell of listeners) tell(outcome)
    },
  }
}
