/** OpenAI's six headers of rate limits. */
import type { Rest } from './account.ts'

type Counted = Rest['counts']

/** Spelt out, since every answer has them. */
const names = {
  requests: {
    limit: 'x-ratelimit-limit-requests',
    remaining: 'x-ratelimit-remaining-requests',
    reset: 'x-ratelimit-reset-requests',
  },
  tokens: {
    limit: 'x-ratelimit-limit-tokens',
    remaining: 'x-ratelimit-remaining-tokens',
    reset: 'x-ratelimit-reset-tokens',
  },
} as const

/** Of several limits the one of which the least is left; without a limit, no header. */
export function rateLimitHeaders(rests: readonly Rest[]): Record<string, string> {
  const headers: Record<string, string> = {}
  addLeast(headers, rests, 'requests')
  addLeast(headers, rests, 'tokens')
  return headers
}

function addLeast(headers: Record<string, string>, rests: readonly Rest[], counts: Counted): void {
  let least: Rest | undefined
  for (const rest of rests) {
    if (rest.counts === counts && (least === undefined || rest.share < least.share)) least = rest
  }
  if (least === undefined) return
  const { limit, remaining, reset } = names[counts]
  headers[limit] = String(least.limit)
  headers[remaining] = String(least.remaining)
  headers[reset] = goDuration(least.resetMs)
}

/** As Go prints a duration, to the millisecond: 820ms, 1s, 6m0s, 1h2m3.5s. */
export function goDuration(milliseconds: number): string {
  const ms = Math.ceil(milliseconds)
  if (ms <= 0) return '0s'
  if (ms < 1_000) return `${ms}ms`
  const seconds = (ms % 60_000) / 1_000
  const minutes = Math.floor(ms / 60_000) % 60
  const hours = Math.floor(ms / 3_600_000)
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`
}
