/** How fast a host is with a model, and what follows from that. */

export interface Speed {
  /** Tokens per second of a prompt that no cache holds. */
  readonly prefillTokensPerSecond: number
  /** Tokens per second of one answer alone. */
  readonly decodeTokensPerSecond: number
  /** How much each further answer slows every step: n of them take 1 + slowdown x (n - 1) of a step alone. */
  readonly slowdown: number
  /** Answers it was learned from, the older the less; 0 where it is only assumed. */
  readonly samples: number
}

/** Of a Mac with a model of some 30 billion parameters, of which 3 are active; until something better is known. */
export const assumedSpeed: Speed = {
  prefillTokensPerSecond: 800,
  decodeTokensPerSecond: 50,
  slowdown: 0.3,
  samples: 0,
}

export function prefillMs(tokens: number, { prefillTokensPerSecond }: Speed): number {
  return (1_000 * tokens) / prefillTokensPerSecond
}

/** Of one token of each answer, while so many are generated together. */
export function stepMs(together: number, { decodeTokensPerSecond, slowdown }: Speed): number {
  return (1_000 * (1 + slowdown * Math.max(0, together - 1))) / decodeTokensPerSecond
}
