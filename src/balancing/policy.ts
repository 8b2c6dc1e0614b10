/** What a balancing policy is: a choice among the places where a request could go, by what is known of each. */
import type { RequestClass } from '../base/request-class.ts'
import type { Candidate } from '../hosts/route.ts'
import type { Prompt } from './prompt.ts'
import type { Speed } from './speed.ts'

/** What is known of a request when a host is chosen for it. */
export interface Ask {
  /** The name its client used. */
  readonly model: string
  readonly class: RequestClass
  /** As estimated. */
  readonly tokens: { readonly input: number; readonly output: number }
  readonly prompt: Prompt
}

/** One host that could take it, and what is expected of it there. */
export interface Place extends Candidate {
  /** It could be given a slot there at once. */
  readonly isFree: boolean
  /** Until it could be given one; 0 where it is free. */
  readonly slotWaitMs: number
  /** Until the host has the model in memory; 0 where it has. */
  readonly loadMs: number
  /** Requests at the host: those of the gateway, and those of others as far as the host tells of them. */
  readonly running: number
  /** Tokens of prompts at the host that are yet to be read. */
  readonly inputAhead: number
  /** Tokens that the host has yet to generate for those that are there. */
  readonly outputAhead: number
  /** Of its prompt, what must be read there: the host is likely to have kept the rest. */
  readonly uncachedTokens: number
  /** Of its prompt, what was sent there before, whether the host has kept it or not. */
  readonly sentTokens: number
  /** What the host has kept is more than many requests have in common: this conversation was there before. */
  readonly isHome: boolean
  /** The last request of what its client calls the conversation was given to it: see `sessions.ts`. */
  readonly lastHere: boolean
  readonly speed: Speed
}

/** Why a host was chosen, in one word: of the response header and of metrics. */
export const routingReasons = [
  'only_host',
  'only_free_host',
  'prefix',
  'session',
  'fastest',
  'least_prefill',
  'least_busy',
  'less_busy_of_two',
  'next_in_turn',
  'weight',
  'sticky',
  'overflow',
  'load',
  'in_memory',
] as const
export type RoutingReason = (typeof routingReasons)[number]

export interface Choice {
  readonly place: Place
  readonly reason: RoutingReason
  /**
   * Of each place, in their order, the less the better; null where it was not looked at, absent where the policy has none.
   * Of `fastest` ms, of `lmetric` tokens times requests, of the others requests.
   */
  readonly scores?: readonly (number | null)[]
  /** Of a place that is not free: no longer than so is waiting for it better than one that is. */
  readonly waitMsMax?: number
}

export interface Policy {
  /**
   * `places` are all up, and at least one is free. Where one is chosen that is not, the request waits for it; a policy that
   * never waits looks at `freeOf(places)` alone. When the request has waited, it is asked again with free ones only.
   */
  choose(ask: Ask, places: Places): Choice
}

export type Places = readonly [Place, ...Place[]]

/** A number in [0, 1), as Math.random; a parameter, so that a test can own chance. */
export type Chance = () => number

/** Those that could take it at once. */
export function freeOf(places: Places): Places {
  return narrowed(places, ({ isFree }) => isFree)
}

/** Those that are meant, of which there is one at least; the same list where all are, as most often. */
export function narrowed(places: Places, isMeant: (place: Place, at: number) => boolean): Places {
  if (places.every(isMeant)) return places
  const meant = places.filter(isMeant)
  return areAny(meant) ? meant : places
}

export function areAny(places: readonly Place[]): places is Places {
  return places.length > 0
}

/** The place with the least score; among equals any, or the first in the list would get all the light load. */
export function leastOf(places: Places, scoreOf: (place: Place) => number, chance: Chance): Place {
  let best = places[0]
  let least = scoreOf(best)
  let ties = 1
  for (let at = 1; at < places.length; at++) {
    const place = places[at]
    if (place === undefined) break
    const score = scoreOf(place)
    if (score < least) {
      best = place
      least = score
      ties = 1
    } else if (score === least && chance() * ++ties < 1) {
      // The k-th equal one replaces the best so far with probability 1/k, so each is equally likely.
      best = place
    }
  }
  return best
}
