/** What the outcome of a request says about its use. */
import type { UsageRecord } from '../metering/usage-record.ts'
import type { Outcome } from './outcome.ts'

export function usageRecord(outcome: Outcome, endedAtMs: number): UsageRecord {
  const { id, requestId, key, endpoint, model, host, tokens, usageSource, sources, status, end, durationMs } = outcome
  return { id, requestId, key, endpoint, model, host, tokens, usageSource, sources, status, end, endedAtMs, durationMs }
}
