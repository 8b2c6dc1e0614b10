/** Which host a request was given, of which, and why: what `why` and the admin API tell of it later. */
import type { PolicyName } from './options.ts'
import type { Place, RoutingReason } from './policy.ts'

export interface Decision {
  readonly policy: PolicyName
  readonly place: Place
  readonly reason: RoutingReason
  /** Those it was chosen of, itself included; of many only some. */
  readonly considered: readonly Considered[]
  /** Of a place that is not free: how long at the most it is waited for. */
  readonly waitMsMax: number
}

export interface Considered {
  readonly place: Place
  /** Null where the policy has none. The less, the better; see `Choice.scores`. */
  readonly score: number | null
}
