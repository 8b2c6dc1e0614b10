/**
 * The host with the fewest requests in flight. For hosts that are alike and prompts that have little in common: it needs
 * to know nothing, and so has nothing to learn wrongly.
 */
import { type Chance, freeOf, leastOf, type Policy } from './policy.ts'

export function leastBusy(chance: Chance): Policy {
  return {
    choose: (_ask, places) => {
      const place = leastOf(freeOf(places), ({ running }) => running, chance)
      return { place, reason: 'least_busy', scores: places.map(({ running }) => running) }
    },
  }
}
