/** What a balancing policy is: a pure choice among hosts that could take a request at once. */
import type { Candidate } from '../hosts/model-catalog.ts'

export interface Choice {
  readonly candidate: Candidate
  /** One word for the response header: why this host. */
  readonly reason: string
}

/** `candidates` is never empty, and each of them is available and has a free slot: a policy never looks at health. */
export type Policy = (candidates: readonly [Candidate, ...Candidate[]]) => Choice

/** A number in [0, 1), as Math.random; a parameter, so that a test can own chance. */
export type Chance = () => number
