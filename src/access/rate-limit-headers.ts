/** OpenAI's six headers of rate limits. */
import type { Rest } from './account.ts'

/** Of several limits the one of which the least is left; without a limit, no header. */
export function rateLimitHeaders(rests: readonly Rest[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const counts of ['requests', 'tokens'] as const) {
    let least: Rest | undefined
    for (const rest of rests) {
      if (rest.counts === counts && (least === undefined || rest.share < least.share)) least = rest
    }
    if (least === undefined) continue
    headers[`x-ratelimit-limit-${counts}`] = String(least.limit)
    headers[`x-ratelimit-remaining-${counts}`] = String(least.remaining)
    headers[`x-ratelimit-reset-${counts}`] = goDuration(least.resetMs)
  }
  return headers
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
