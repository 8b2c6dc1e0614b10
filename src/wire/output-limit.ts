/** How many tokens an answer may have: as the client asks, and as its key allows. */
import type { Span } from './json-members.ts'
import type { TokenBound } from './token-bound.ts'

/** The spellings that some host reads; `n_predict` is llama.cpp's, which takes it beside OpenAI's own. */
export const outputLimitKeys = ['max_tokens', 'max_completion_tokens', 'max_output_tokens', 'n_predict'] as const
export type OutputLimitKey = (typeof outputLimitKeys)[number]

/** Its `tokens` are null for what to some host is no bound: null, 0, a negative number, text. */
export interface OutputLimit extends TokenBound {
  readonly key: OutputLimitKey
  readonly span: Span
}

interface Edit {
  readonly span: Span
  readonly text: string
}

/** The smallest bound that the client gave for one choice; null where there is none. */
export function leastOutputTokens(limits: readonly OutputLimit[]): number | null {
  let least: number | null = null
  for (let i = 0; i < limits.length; i++) {
    const tokens = limits[i]?.tokens ?? null
    if (tokens !== null && (least === null || tokens < least)) least = tokens
  }
  return least
}

/**
 * The bound of one choice that holds whichever spelling a host reads; null where one may find none: the endpoint's own
 * spelling is absent, or one of them is no bound. Chat's newer one, `max_completion_tokens`, is not known to all hosts.
 */
export function surestOutputTokens(limits: readonly OutputLimit[], own: OutputLimitKey | null): number | null {
  let most = 0
  let hasOwn = false
  for (let i = 0; i < limits.length; i++) {
    const tokens = limits[i]?.tokens ?? null
    if (tokens === null) return null
    most = Math.max(most, tokens)
    hasOwn ||= limits[i]?.key === own
  }
  return hasOwn ? most : null
}

/**
 * The most that a host which goes by the endpoint's own spelling may read as the bound of one choice; null where it finds
 * none. A host sets so much aside, so that nothing is left out that one host or another takes for a bound.
 */
export function mostOutputTokens(limits: readonly OutputLimit[], own: OutputLimitKey | null): number | null {
  let most = 0
  let hasOwn = false
  for (let i = 0; i < limits.length; i++) {
    const bound = limits[i]?.tokens ?? limits[i]?.inQuotes ?? null
    if (bound === null) continue
    most = Math.max(most, bound)
    hasOwn ||= limits[i]?.key === own
  }
  return hasOwn ? most : null
}

/**
 * The changes after which no reader of the body finds a bound above `tokensMax`, and the endpoint's own one is there:
 * hosts that do not know another spelling would take it for none. `start` is behind the opening brace.
 */
export function outputLimitEdits(
  limits: readonly OutputLimit[],
  { own, tokensMax, start }: { own: OutputLimitKey; tokensMax: number; start: number },
): Edit[] {
  const edits = limits
    .filter(({ tokens }) => tokens === null || tokens > tokensMax)
    .map(({ span }) => ({ span, text: String(tokensMax) }))
  if (limits.some(({ key }) => key === own)) return edits
  const tokens = Math.min(tokensMax, leastOutputTokens(limits) ?? tokensMax)
  return [...edits, { span: { start, end: start }, text: `"${own}":${tokens},` }]
}
