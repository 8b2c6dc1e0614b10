/** A decision as it is kept: what was known of each place in whole numbers, without the hosts themselves. */
import type { Considered, Decision } from './decision.ts'
import type { DecisionRecord, PlaceRecord } from './events.ts'
import { firstTokenMs, readMs } from './place-times.ts'
import type { Ask } from './policy.ts'

/** Whose decision it is. */
export type Decided = Pick<DecisionRecord, 'atMs' | 'request' | 'requestId' | 'key' | 'waitedMs'>

export function decisionRecord(decision: Decision, ask: Ask, of: Decided): DecisionRecord {
  const { place: chosen, policy, reason, waitMsMax } = decision
  return {
    atMs: Math.round(of.atMs),
    request: of.request,
    requestId: of.requestId,
    key: of.key,
    model: ask.model,
    class: ask.class,
    policy,
    reason,
    inputTokens: Math.round(ask.tokens.input),
    outputTokens: Math.round(ask.tokens.output),
    waitedMs: Math.round(of.waitedMs),
    places: placesOf(decision, ask),
    hold: chosen.isFree ? null : { waitMsMax: Math.round(waitMsMax), ended: null },
    came: null,
  }
}

/** Each slot that is given makes them: in one pass, and without lists on the way. */
function placesOf({ place: chosen, considered }: Decision, ask: Ask): DecisionRecord['places'] {
  const ofChosen = considered.find(({ place }) => place === chosen)
  const places: [PlaceRecord, ...PlaceRecord[]] = [
    placeRecord(ofChosen ?? { place: chosen, score: null, leftOut: null }, ask),
  ]
  for (const one of considered) if (one !== ofChosen) places.push(placeRecord(one, ask))
  return places
}

/** Whole numbers take half of the memory that others do. */
function placeRecord({ place, score, leftOut }: Considered, { tokens }: Ask): PlaceRecord {
  const { slotWaitMs, loadMs, inputAhead, uncachedTokens, speed } = place
  return {
    host: place.host.name,
    model: place.model,
    isFree: place.isFree,
    slotWaitMs: Math.round(slotWaitMs),
    loadMs: Math.round(loadMs),
    prefillMs: Math.round(readMs(place)),
    firstTokenMs: Math.round(firstTokenMs(place)),
    cachedTokens: Math.max(0, Math.round(tokens.input - uncachedTokens)),
    isHome: place.isHome,
    running: place.running,
    inputAhead: Math.round(inputAhead),
    outputAhead: Math.round(place.outputAhead),
    prefillTokensPerSecond: Math.round(speed.prefillTokensPerSecond),
    decodeTokensPerSecond: Math.round(speed.decodeTokensPerSecond),
    samples: Math.ceil(speed.samples),
    score: score === null ? null : Math.round(score),
    leftOut,
  }
}
