/** Of all limits of a request the one that keeps it away for the longest. */
import type { Account, Now, Obstacle } from './account.ts'
import type { Cost } from './held.ts'
import { longest } from './refusal.ts'

/** Each limit that lets a request through later may make another do so. */
const passesMax = 4

/** What fits one limit now, or soon, may not when another lets it through: so each is asked again as of then. */
export function lastOf(asked: AskedLimits): Obstacle | undefined {
  let worst = worstAfter(0, asked)
  for (let again = 0; again < passesMax && worst !== undefined; again++) {
    const worse = worstAfter(worst.waitMs, asked)
    if (worse === undefined || worse.waitMs <= worst.waitMs) break
    worst = worse
  }
  return worst
}

interface AskedLimits {
  readonly accounts: readonly Account[]
  readonly cost: Cost
  readonly who: string
  readonly now: Now
}

/** Of all obstacles the one that lasts longest, if something else keeps the request away for `ms`. */
function worstAfter(ms: number, { accounts, cost, who, now }: AskedLimits): Obstacle | undefined {
  let worst: Obstacle | undefined
  for (const account of accounts) worst = longest(account.obstacles(cost, who, now, ms), worst)
  return worst
}
