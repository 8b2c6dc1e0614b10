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

/**
 * Where a count comes from. `reported`: the host's own usage. `counted`: frames with content, one token each, a floor.
 * `estimated`: the size of the prompt, where the host told nothing of it. `none`: there is nothing to count.
 */
export type TokenSource = 'reported' | 'counted' | 'estimated' | 'none'

export interface TokenSources {
  readonly input: Exclude<TokenSource, 'counted'>
  /** A host that says nothing of its cache may have one all the same. */
  readonly cachedInput: Extract<TokenSource, 'reported' | 'none'>
  readonly output: Exclude<TokenSource, 'estimated'>
}

/** Of both: reported where the host told either, else counted where something was generated, else estimated where only a prompt was read. */
export type UsageSource = TokenSource
