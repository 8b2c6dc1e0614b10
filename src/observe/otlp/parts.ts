/** What sending by OTLP needs of the gateway. */
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Family } from '../series.ts'

export interface OtlpParts {
  /** Of the gateway. */
  readonly version: string
  /** Name of the gateway among several; null where it stands alone. */
  readonly replica: string | null
  readonly clock: Clock
  readonly log: Log
  /** Null where none are counted. */
  readonly metrics: MetricsSource | null
}

export interface MetricsSource {
  /** All metrics as they are now. */
  families(): Promise<Iterable<Family>>
}
