/**
 * Each host in its turn. For hosts that are alike, where what each of them gets must be plain to see; on unequal ones the
 * slowest sets the pace.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from '../hosts/host.ts'
import { type Chance, freeOf, leastOf, type Policy } from './policy.ts'

/** Each model has turns of its own, or two that are asked for by turns would each have hosts of their own. */
const modelsMax = 10_000

export function roundRobin(chance: Chance): Policy {
  const lastTurns = new BoundedMap<string, WeakMap<Host, number>>(modelsMax)
  let turn = 0
  return {
    // Whose last turn is the longest ago: that is in turn however hosts come, go and are full, and nobody is passed over.
    choose: ({ model }, places) => {
      const turns = lastTurns.get(model) ?? new WeakMap<Host, number>()
      lastTurns.set(model, turns)
      const place = leastOf(freeOf(places), ({ host }) => turns.get(host) ?? 0, chance)
      turns.set(place.host, ++turn)
      return { place, reason: 'next_in_turn' }
    },
  }
}
