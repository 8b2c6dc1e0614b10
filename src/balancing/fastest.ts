/**
 * Where it is likely to be done first, by what each host has to do and how fast it is: the default, and right for hosts
 * that are unlike. A conversation returns to the host that has read it, and may wait there for a slot, for as long as
 * reading it again elsewhere would take longer.
 */
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import {
  type Ask,
  areAny,
  type Chance,
  type Choice,
  leastOf,
  narrowed,
  type Place,
  type Places,
  type Policy,
  type RoutingReason,
} from './policy.ts'
import { prefillMs, stepMs } from './speed.ts'

/** How much of the time that an answer takes counts: whoever reads along waits for its beginning, bulk for its end. */
const decodeShare: Readonly<Record<RequestClass, number>> = { interactive: 0.3, default: 0.3, bulk: 1 }
/** How much it counts that the answers which are there get slower. */
const othersShare = 0.3
/** Speeds are learned, and never known better than so: what lies so close together is equal. */
const equalShare = 0.05
/** Longer than anything takes: of a host that is as good as standing still. */
const msMax = 1e12

interface Scored {
  readonly places: Places
  /** Of each place, in their order. */
  readonly scores: readonly number[]
}

export function fastest(chance: Chance): Policy {
  const ties = new Ties(chance)
  return {
    choose(ask, places) {
      const scores = places.map((place) => finishMs(ask, place))
      const equalMs = leastFree(places, scores) * (1 + equalShare)
      const equal = narrowed(places, ({ isFree }, at) => isFree && (scores[at] ?? msMax) <= equalMs)
      const { place, reason } = ties.among(equal, (home) => isDecidedByPrompt(ask, home, { places, scores }))
      const waiting = worthWaitingFor(ask, { places, scores }, scores[places.indexOf(place)] ?? msMax)
      if (waiting !== null) return { ...waiting, scores }
      ties.chosen(place)
      return { place, reason, scores }
    },
  }
}

/** Until it is done there, in ms, and what others lose by it; each part counts as much as it is felt. */
function finishMs({ class: ofClass, tokens }: Ask, place: Place, uncachedTokens = place.uncachedTokens): number {
  const { isFree, slotWaitMs, loadMs, running, inputAhead, outputAhead, speed } = place
  // While it waits for a slot, its host reads what is ahead of it.
  const waitMs = Math.max(slotWaitMs, prefillMs(inputAhead, speed))
  const together = isFree ? running + 1 : Math.max(1, running)
  const decodeMs = tokens.output * stepMs(together, speed)
  const othersMs = outputAhead * (stepMs(running + 1, speed) - stepMs(running, speed))
  const readMs = prefillMs(uncachedTokens, speed)
  return finite(waitMs + loadMs + readMs + decodeShare[ofClass] * decodeMs + othersShare * othersMs)
}

function finite(ms: number): number {
  return ms < msMax ? ms : msMax
}

function leastFree(places: Places, scores: readonly number[]): number {
  let least = msMax
  for (const [at, { isFree }] of places.entries()) if (isFree) least = Math.min(least, scores[at] ?? msMax)
  return least
}

/** A place owes it to the prompt that its host has kept: it would not be the best if it had to read all of it. */
function isDecidedByPrompt(ask: Ask, home: Place, { places, scores }: Scored): boolean {
  if (!home.isHome) return false
  const coldMs = finishMs(ask, home, ask.tokens.input)
  // Of two that are as good it would have been chance.
  const equalMs = coldMs * (1 + equalShare)
  return places.some((other, at) => other.isFree && other !== home && (scores[at] ?? msMax) <= equalMs)
}

/**
 * A host without a slot that is waited for all the same, or null: the one that has read this conversation, while that
 * costs less than reading it again where a slot is free. Nobody waits for a host that is only faster: a slot that is
 * there is worth more than a guess of when another one will be.
 */
function worthWaitingFor(ask: Ask, { places, scores }: Scored, bestMs: number): Choice | null {
  let choice: Choice | null = null
  let least = bestMs
  for (const [at, place] of places.entries()) {
    const score = scores[at] ?? msMax
    if (place.isFree || !place.isHome || score >= least) continue
    // Beyond what is gained there at the most, waiting on is a loss however soon the slot may come.
    const waitMsMax = bestMs - finishMs(ask, { ...place, slotWaitMs: 0 })
    if (place.slotWaitMs >= waitMsMax) continue
    least = score
    choice = { place, reason: 'prefix', waitMsMax }
  }
  return choice
}

/** Which one of those that are equal: the host of the conversation, or the one that has read nothing new for longest. */
class Ties {
  readonly #chance: Chance
  /** When each host was last given a prompt that it had not read, in turns. */
  readonly #coldTurns = new WeakMap<Host, number>()
  #turn = 0

  constructor(chance: Chance) {
    this.#chance = chance
  }

  among(equal: Places, isDecided: (place: Place) => boolean): { place: Place; reason: RoutingReason } {
    const home = homeOf(equal)
    if (home !== null) {
      const place = lastOf(home) ?? leastOf(home, () => 0, this.#chance)
      const decided = home.length < equal.length || isDecided(place)
      return { place, reason: decided ? 'prefix' : 'fastest' }
    }
    const ofSession = lastOf(equal)
    if (ofSession !== null) return { place: ofSession, reason: equal.length > 1 ? 'session' : 'fastest' }
    // So what the hosts have kept grows evenly, and with it the choice of later ones.
    const place = leastOf(equal, ({ host }) => this.#coldTurns.get(host) ?? 0, this.#chance)
    return { place, reason: 'fastest' }
  }

  chosen({ host, isHome }: Place): void {
    if (!isHome) this.#coldTurns.set(host, ++this.#turn)
  }
}

/** The one that what its client calls the conversation went to last. */
function lastOf(places: Places): Place | null {
  return places.find(({ lastHere }) => lastHere) ?? null
}

/** Those of them where the conversation was before and the least is to be read again; null where there is none. */
function homeOf(places: Places): Places | null {
  const homes = places.filter(({ isHome }) => isHome)
  if (!areAny(homes)) return null
  let least = Number.POSITIVE_INFINITY
  for (const { uncachedTokens } of homes) least = Math.min(least, uncachedTokens)
  return narrowed(homes, ({ uncachedTokens }) => uncachedTokens <= least)
}
