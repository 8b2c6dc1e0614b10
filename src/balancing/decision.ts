/** Which host a request was given, of which, and why: what `why` and the admin API tell of it later. */
import type { PolicyName } from './options.ts'
import type { Choice, Place, RoutingReason } from './policy.ts'

export interface Decision {
  readonly policy: PolicyName
  readonly place: Place
  readonly reason: RoutingReason
  /** Those it was chosen of, itself included, and those that were left out; of many only some. */
  readonly considered: readonly Considered[]
  /** Of a place that is not free: how long at the most it is waited for. */
  readonly waitMsMax: number
}

export interface Considered {
  readonly place: Place
  /** Null where the policy has none. The less, the better; see `Choice.scores`. */
  readonly score: number | null
  /** Null where the policy could choose it. */
  readonly leftOut: LeftOut | null
}

/** Why the policy was not shown a place, in one word; `leftOutMeanings` says what they mean. */
export const leftOutReasons = ['load', 'other_models', 'full'] as const
export type LeftOut = (typeof leftOutReasons)[number]

/** A place that the policy was not shown. */
export interface NotTaken {
  readonly place: Place
  readonly why: LeftOut
}

/** A record of a choice is kept for long: of a larger fleet it names some. */
const consideredMax = 16

/** The chosen one is always among them, and stands where it stood among so few. */
export function consideredOf(
  places: readonly Place[],
  { place: chosen, scores }: Choice,
  leftOut: readonly NotTaken[],
): readonly Considered[] {
  const considered = places.map((place, at): Considered => ({ place, score: scores?.[at] ?? null, leftOut: null }))
  const chosenAt = places.indexOf(chosen)
  if (chosenAt >= consideredMax) considered.unshift(...considered.splice(chosenAt, 1))
  for (const { place, why } of leftOut) considered.push({ place, score: null, leftOut: why })
  if (considered.length > consideredMax) considered.length = consideredMax
  return considered
}
