/** What a client is told whose request does not fit its limits. */
import { type ErrorCode, GatewayError } from '../base/errors.ts'
import type { Obstacle, Owner } from './account.ts'
import type { LimitName } from './limits.ts'

interface Wording {
  readonly code: ErrorCode
  /** Behind the number. */
  readonly unit: string
}

const wordings: Readonly<Record<LimitName, Wording>> = {
  requestsPerMinute: { code: 'rate_limit_exceeded', unit: 'requests per minute' },
  tokensPerMinute: { code: 'rate_limit_exceeded', unit: 'tokens per minute' },
  inputTokensPerMinute: { code: 'rate_limit_exceeded', unit: 'prompt tokens per minute' },
  outputTokensPerMinute: { code: 'rate_limit_exceeded', unit: 'generated tokens per minute' },
  concurrentRequests: { code: 'concurrency_limit_exceeded', unit: 'requests at once' },
  requestsPerDay: { code: 'quota_exceeded', unit: 'requests per day' },
  requestsPerMonth: { code: 'quota_exceeded', unit: 'requests per month' },
  tokensPerDay: { code: 'quota_exceeded', unit: 'tokens per day' },
  tokensPerMonth: { code: 'quota_exceeded', unit: 'tokens per month' },
}

/** Those refused together shall not all come back at once. */
const spreadShare = 0.1
const spreadMsMax = 5_000
/** Clients are told not to come back by themselves after longer waits, which no spread shall make of a shorter one. */
const retryMsMax = 60_000

/** The one that lasts longest, of these and of `other`. */
export function longest(obstacles: readonly Obstacle[], other?: Obstacle): Obstacle | undefined {
  let worst = other
  for (const obstacle of obstacles) if (worst === undefined || obstacle.waitMs > worst.waitMs) worst = obstacle
  return worst
}

/** `ahead`: so many of the same key wait already and go first. */
export function refusal(obstacle: Obstacle, ahead: number, chance: () => number): GatewayError {
  const { limit, most, cost, waitMs } = obstacle
  const { code, unit } = wordings[limit]
  const why = ahead === 0 ? need(limit, cost) : `, and ${ahead} of its requests wait for it already`
  const message = `The limit of ${nameOf(obstacle.owner)} is ${most} ${unit}${why}.${when(limit, waitMs)}`
  return new GatewayError(code, message, { retryAfterMs: Math.ceil(spread(waitMs, chance)), saysWhen: true })
}

/** As many requests as may wait for the limits of their key already. */
export function tooManyWait(most: number, waitMs: number, chance: () => number): GatewayError {
  const message = `Of your requests ${most} wait for your limits already, and no more may.`
  return new GatewayError('concurrency_limit_exceeded', message, { retryAfterMs: Math.ceil(spread(waitMs, chance)) })
}

/** As many requests wait, for whatever it is, as may in all. */
export function lineFull(waitMs: number, chance: () => number): GatewayError {
  const message = 'Your limits would admit this request later, but as many wait already as may in all.'
  return new GatewayError('queue_full', message, { retryAfterMs: Math.ceil(spread(waitMs, chance)) })
}

function spread(waitMs: number, chance: () => number): number {
  const laterMs = waitMs + Math.min(waitMs * spreadShare, spreadMsMax) * chance()
  return waitMs <= retryMsMax ? Math.min(laterMs, retryMsMax) : laterMs
}

function nameOf({ kind, name }: Owner): string {
  return kind === 'address' ? 'clients without a key, for each address,' : `${kind} "${name}"`
}

function need(limit: LimitName, cost: number): string {
  if (limit === 'concurrentRequests') return ', and so many wait or run'
  return wordings[limit].unit.includes('tokens') ? `, and this request needs ${cost}` : ', which are used up'
}

function when(limit: LimitName, waitMs: number): string {
  // When one of the others ends, nobody knows.
  if (limit === 'concurrentRequests') return ''
  return ` It fits in ${Math.ceil(waitMs / 1000)} s.`
}
