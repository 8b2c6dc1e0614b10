/** Token counts of one answer and how far they can be trusted. */

export interface TokenCounts {
  /** Prompt tokens, cached ones included. */
  readonly input: number
  /** The part of `input` that the host took from its prefix cache. */
  readonly cachedInput: number
  /** Generated tokens, reasoning included. */
  readonly output: number
  /** The part of `output` that was reasoning. */
  readonly reasoning: number
}

/** `reported`: the host's own usage. `counted`: frames with content, one token each, a floor. `none`: nothing was generated. */
export type UsageSource = 'reported' | 'counted' | 'none'
