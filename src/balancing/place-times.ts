/**
 * How long a request takes at a place, part by part: the one reckoning by which hosts are chosen (`fastest`), by which a load is
 * held against a host that has the model, and which is told of a decision.
 */
import type { Place } from './policy.ts'
import { prefillMs, stepMs } from './speed.ts'

/** From now until its first token is there. */
export function firstTokenMs(place: Place): number {
  return waitMs(place) + place.loadMs + readMs(place)
}

/** Until the host comes to its prompt: while it waits for a slot, what is ahead of it is read. */
export function waitMs({ slotWaitMs, inputAhead, speed }: Place): number {
  return Math.max(slotWaitMs, prefillMs(inputAhead, speed))
}

/** What must be read of its own prompt. */
export function readMs({ uncachedTokens, speed }: Place): number {
  return prefillMs(uncachedTokens, speed)
}

/** All of its answer, beside those that are there then: whoever waits for a slot takes the place of one of them. */
export function writeMs(outputTokens: number, { isFree, running, speed }: Place): number {
  return outputTokens * stepMs(isFree ? running + 1 : Math.max(1, running), speed)
}
