/** Times as OpenTelemetry has them. */
import type { HrTime } from '@opentelemetry/api'

/** Seconds, and the nanoseconds beyond them. */
export function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000)
  return [seconds, Math.floor((ms - seconds * 1_000) * 1e6)]
}
