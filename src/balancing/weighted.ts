/**
 * Each host by its share, `hosts[].weight`. For whoever knows better than what can be learned which host is to do how much:
 * the turns of each are spread as evenly as they can be, as nginx does it.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'
import { type Chance, freeOf, leastOf, type Policy } from './policy.ts'

/** Each model has turns of its own. */
const modelsMax = 10_000

export function weighted(chance: Chance): Policy {
  const creditsByModel = new BoundedMap<string, WeakMap<Host, number>>(modelsMax)
  return {
    choose: ({ model }, places) => {
      const credits = creditsByModel.get(model) ?? new WeakMap<Host, number>()
      creditsByModel.set(model, credits)
      const free = freeOf(places)
      // Each gets its weight, and who goes pays for all: so the credits of those that take part add up to what they were.
      let paid = 0
      for (const { host } of free) {
        credits.set(host, (credits.get(host) ?? 0) + host.weight)
        paid += host.weight
      }
      const place = leastOf(free, ({ host }) => -(credits.get(host) ?? 0), chance)
      credits.set(place.host, (credits.get(place.host) ?? 0) - paid)
      return { place, reason: 'weight' }
    },
  }
}
