/**
 * Of two hosts that are drawn, the one with fewer requests in flight. For several gateways before the same hosts: each
 * sees its own requests alone, and the host that is the least busy to all of them would get what all of them have.
 */
import { type Chance, freeOf, leastOf, type Place, type Places, type Policy } from './policy.ts'

export function randomTwo(chance: Chance): Policy {
  return {
    choose: (_ask, places) => {
      const drawn = twoOf(freeOf(places), chance)
      const place = leastOf(drawn, ({ running }) => running, chance)
      const scores = places.map((one) => (drawn.includes(one) ? one.running : null))
      return { place, reason: 'less_busy_of_two', scores }
    },
  }
}

/** Each pair is equally likely; the only one where there is one. */
function twoOf(places: Places, chance: Chance): Places {
  const first = at(places, chance() * places.length)
  const others = places.filter((place) => place !== first)
  const [other, ...more] = others
  return other === undefined ? [first] : [first, at([other, ...more], chance() * others.length)]
}

function at(places: Places, index: number): Place {
  return places[Math.floor(index)] ?? places[0]
}
