/** A choice of a host as it is shown: made from what is kept of it. */
import type { DecisionRecord, PlaceRecord } from '../../balancing/events.ts'
import type { ShownDecision } from './decision-schema.ts'

export function shownDecision({ atMs, request, places, hold, came, ...of }: DecisionRecord): ShownDecision {
  const { requestId, key, model, class: ofClass, policy, reason, inputTokens, outputTokens, waitedMs } = of
  return {
    at: new Date(atMs).toISOString(),
    id: request,
    requestId,
    key,
    model,
    class: ofClass,
    policy,
    host: places[0].host,
    reason,
    inputTokens,
    outputTokens,
    waitedMs,
    places: places.map(shownPlace),
    hold: hold && { ...hold, ended: hold.ended && { ...hold.ended } },
    came: came && { ...came },
  }
}

function shownPlace({ isFree, isHome, ...place }: PlaceRecord): ShownDecision['places'][number] {
  return { ...place, free: isFree, home: isHome }
}
