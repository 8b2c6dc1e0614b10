/** What is left of limits, one by one: for whoever administers them, and for metrics. */
import type { Account, Now, Owner } from './account.ts'
import type { LimitRest } from './events.ts'
import type { LimitName } from './limits.ts'

export interface LimitLeft {
  readonly limit: LimitName
  readonly of: Owner['kind']
  readonly maximum: number
  readonly remaining: number
  /** Until all of it is there again, when nothing is used meanwhile; null where that hangs on when requests end. */
  readonly resetMs: number | null
}

export function limitsLeft(account: Account, now: Now, who: string): LimitLeft[] {
  const of = account.owner.kind
  const left: LimitLeft[] = account.rests(now, who).map(({ name, limit, remaining, resetMs }) => {
    return { limit: name, of, maximum: limit, remaining: Math.max(0, remaining), resetMs: Math.ceil(resetMs) }
  })
  const atOnce = account.atOnce()
  if (atOnce === null) return left
  const { limit, live } = atOnce
  const remaining = Math.max(0, limit - live)
  return [...left, { limit: 'concurrentRequests', of, maximum: limit, remaining, resetMs: live === 0 ? 0 : null }]
}

export function limitRests(key: string, accounts: readonly Account[], now: Now, who: string): LimitRest[] {
  return accounts.flatMap((account) => {
    const atOnce = account.atOnce()
    const shares = account.rests(now, who).map(({ name, share }) => [name, share] as const)
    const all = atOnce === null ? shares : [...shares, ['concurrentRequests', 1 - atOnce.live / atOnce.limit] as const]
    // One that was lowered lately may be exceeded.
    return all.map(([limit, share]) => ({ key, limit, share: Math.min(1, Math.max(0, share)) }))
  })
}
