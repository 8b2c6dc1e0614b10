/**
 * The least product of what must be read of the prompt and of the requests that share the host, as LMetric has it. For
 * hosts that are alike and conversations that come again: it weighs what a host has kept against how busy it is, and has
 * no figure to set or to learn. The product is a plain number: divided by the speed of the host it would count that twice,
 * since a faster host is already less busy.
 */
import { type Chance, freeOf, leastOf, type Place, type Policy } from './policy.ts'

export function lmetric(chance: Chance): Policy {
  return {
    choose: (_ask, places) => {
      const place = leastOf(freeOf(places), productOf, chance)
      return { place, reason: 'least_prefill', scores: places.map(productOf) }
    },
  }
}

/** One token at the least, or a host that has kept all of a prompt would be chosen however busy it is. */
function productOf({ uncachedTokens, running }: Place): number {
  return Math.max(1, uncachedTokens) * (running + 1)
}
