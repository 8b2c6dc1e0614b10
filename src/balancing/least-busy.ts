/** The host with the fewest requests in flight; among equals any, or the first in the list would get all the light load. */
import type { Chance, Policy } from './policy.ts'

export function leastBusy(chance: Chance): Policy {
  return (candidates) => {
    let best = candidates[0]
    let ties = 1
    for (const candidate of candidates.slice(1)) {
      const difference = candidate.host.leases.size - best.host.leases.size
      if (difference < 0) {
        best = candidate
        ties = 1
      } else if (difference === 0 && chance() * ++ties < 1) {
        // The k-th equal one replaces the best so far with probability 1/k, so each is equally likely.
        best = candidate
      }
    }
    return { candidate: best, reason: candidates.length === 1 ? 'only_free_host' : 'least_busy' }
  }
}
