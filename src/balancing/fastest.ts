/**
 * Where it is likely to be done first, by what each host has to do and how fast it is: the default, and right for hosts
 * that are unlike. A conversation returns to the host that has read it, and may wait there for a slot, for as long as
 * reading it again elsewhere would take longer.
 */
import type { RequestClass } from '../base/request-class.ts'
import type { Host } from '../hosts/host.ts'
import { firstTokenMs, writeMs } from './place-times.ts'
import {
  type Ask,
  type Chance,
  type Choice,
  leastOf,
  narrowed,
  type Place,
  type Places,
  type Policy,
  type RoutingReason,
} from './policy.ts'
import { assumedSpeed, prefillMs, stepMs } from './speed.ts'

/** How much of the time that an answer takes counts: whoever reads along waits for its beginning, bulk for its end. */
const decodeShare: Readonly<Record<RequestClass, number>> = { interactive: 0.3, default: 0.3, bulk: 1 }
/** How much it counts that the answers which are there get slower. */
const othersShare = 0.3
/** Speeds are learned, and never known better than so: what lies so close together is equal. */
const equalShare = 0.05
/** Nor does anybody notice less: what quick hosts are believed to differ by is noise. */
const equalMs = 25
/** How far answers of one host differ by chance, and how many times the error that this leaves of a mean still is chance. */
const noise = 0.3
const errors = 1.5
/** However few answers there are behind a speed. */
const equalShareMax = 0.2
/**
 * Of equal hosts one may look slower by chance, and would be given nothing that could put it right: passed over so often in
 * turn, one that is not far behind has a try.
 */
const passedMax = 8
const tryShare = 0.5
/** Of what hosts were given the last fifty or so requests count: one that has just come is not to make up for all before. */
const newestGrowth = 1.02
/** Beyond, it is counted anew. */
const newestMax = 1e150
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
      if (places.length === 1) {
        ties.chosen(ask, places[0], places)
        return { place: places[0], reason: 'fastest', scores }
      }
      const equal = ties.equals(places, scores)
      const { place, reason } = ties.among(equal, (home) => isDecidedByPrompt(ask, home, { places, scores }))
      const waiting = worthWaitingFor(ask, { places, scores }, scores[places.indexOf(place)] ?? msMax)
      if (waiting !== null) return { ...waiting, scores }
      ties.chosen(ask, place, places)
      return { place, reason, scores }
    },
  }
}

/** Until it is done there, in ms, and what others lose by it; each part counts as much as it is felt. */
function finishMs({ class: ofClass, tokens }: Ask, place: Place): number {
  const { running, outputAhead, speed } = place
  const othersMs = outputAhead * (stepMs(running + 1, speed) - stepMs(running, speed))
  return finite(firstTokenMs(place) + decodeShare[ofClass] * writeMs(tokens.output, place) + othersShare * othersMs)
}

function finite(ms: number): number {
  return ms < msMax ? ms : msMax
}

/** The place of the first that is free with the least score; of places one is free at least. */
function leastFree(places: Places, scores: readonly number[]): number {
  let best = -1
  for (let at = 0; at < places.length; at++) {
    if (places[at]?.isFree === true && (best < 0 || (scores[at] ?? msMax) < (scores[best] ?? msMax))) best = at
  }
  return best
}

/** How far apart, as a share, two are that may well be equal. */
function errorShare({ speed: { samples: one } }: Place, { speed: { samples: other } }: Place): number {
  if (one === 0 || other === 0) return equalShare
  return Math.min(equalShareMax, Math.max(equalShare, errors * noise * Math.sqrt(1 / one + 1 / other)))
}

/** A place owes it to the prompt that its host has kept: it would not be the best if it had to read all of it. */
function isDecidedByPrompt(ask: Ask, home: Place, { places, scores }: Scored): boolean {
  if (!home.isHome) return false
  const coldMs = finishMs(ask, { ...home, uncachedTokens: ask.tokens.input })
  // Of two that are as good it would have been chance.
  const most = equalTo(coldMs)
  return places.some((other, at) => other.isFree && other !== home && (scores[at] ?? msMax) <= most)
}

/** Up to which a score is as good as this one. */
function equalTo(ms: number): number {
  return Math.max(ms * (1 + equalShare), ms + equalMs)
}

/**
 * A host without a slot that is waited for all the same, or null: the one that has read this conversation, while that
 * costs less than reading it again where a slot is free. Nobody waits for a host that is only faster: a slot that is
 * there is worth more than a guess of when another one will be.
 */
function worthWaitingFor(ask: Ask, { places, scores }: Scored, bestMs: number): Choice | null {
  let choice: Choice | null = null
  let least = bestMs
  for (let at = 0; at < places.length; at++) {
    const place = places[at]
    const score = scores[at] ?? msMax
    if (place === undefined || place.isFree || !place.isHome || score >= least) continue
    // Beyond what is gained there at the most, waiting on is a loss however soon the slot may come.
    const waitMsMax = bestMs - finishMs(ask, { ...place, slotWaitMs: 0 })
    if (place.slotWaitMs >= waitMsMax) continue
    least = score
    choice = { place, reason: 'prefix', waitMsMax }
  }
  return choice
}

/** Which one of those that are equal: the host of the conversation, or the one that was given the least of late that it had not read. */
class Ties {
  readonly #chance: Chance
  /** What each host was given that it had not read, by how long it takes an assumed one: the older the less. */
  #coldMs = new WeakMap<Host, number>()
  /** How often in turn each was free, not far behind, and not chosen. */
  readonly #passed = new WeakMap<Host, number>()
  /** The newest counts so much more than the first did. */
  #newest = 1

  constructor(chance: Chance) {
    this.#chance = chance
  }

  /** Those among which the scores do not decide. */
  equals(places: Places, scores: readonly number[]): Places {
    const at = leastFree(places, scores)
    const best = places[at] ?? places[0]
    const leastMs = scores[at] ?? msMax
    return narrowed(places, (place, index) => {
      const ms = scores[index] ?? msMax
      if (!place.isFree) return false
      if (ms <= leastMs + Math.max(equalMs, leastMs * errorShare(place, best))) return true
      return ms <= leastMs * (1 + tryShare) && this.#passedOver(place.host)
    })
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
    // So what the hosts have kept grows evenly, and with it the choice of later ones; by turns alone work would not.
    const place = leastOf(equal, ({ host }) => this.#coldMs.get(host) ?? 0, this.#chance)
    return { place, reason: 'fastest' }
  }

  chosen({ tokens }: Ask, { host, isHome, uncachedTokens }: Place, places: Places): void {
    if (isHome) return
    this.#count(host, prefillMs(uncachedTokens, assumedSpeed) + tokens.output * stepMs(1, assumedSpeed))
    for (const { host: other, isFree } of places) {
      if (other === host) this.#passed.delete(other)
      else if (isFree) this.#passed.set(other, (this.#passed.get(other) ?? 0) + 1)
    }
  }

  #count(host: Host, ms: number): void {
    this.#newest *= newestGrowth
    if (this.#newest > newestMax) {
      this.#newest = 1
      this.#coldMs = new WeakMap()
    }
    this.#coldMs.set(host, (this.#coldMs.get(host) ?? 0) + this.#newest * ms)
  }

  #passedOver(host: Host): boolean {
    return (this.#passed.get(host) ?? 0) >= passedMax
  }
}

/** The one that what its client calls the conversation went to last. */
function lastOf(places: Places): Place | null {
  return places.find(({ lastHere }) => lastHere) ?? null
}

/** Those of them where the conversation was before and the least is to be read again; null where there is none. */
function homeOf(places: Places): Places | null {
  if (!places.some(({ isHome }) => isHome)) return null
  const homes = narrowed(places, ({ isHome }) => isHome)
  let least = Number.POSITIVE_INFINITY
  for (const { uncachedTokens } of homes) least = Math.min(least, uncachedTokens)
  return narrowed(homes, ({ uncachedTokens }) => uncachedTokens <= least)
}
