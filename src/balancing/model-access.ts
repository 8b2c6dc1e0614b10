/** Which of the hosts that do not hold all models at once are worth a load, and which are out of the question just now. */
import type { Candidate } from '../hosts/model-catalog.ts'
import type { ModelAccess } from '../hosts/residency.ts'
import type { Ask, Place } from './policy.ts'
import { prefillMs, stepMs } from './speed.ts'

/** What is between a request and a model at a host, slots apart. */
export type AccessOf = (candidate: Candidate) => ModelAccess

const inMemory: ModelAccess = { isWarm: true, admits: true, waitMs: 0, loadMs: 0 }

/** For hosts that all have their models in memory. */
export const alwaysInMemory: AccessOf = () => inMemory

/**
 * Less those where the model would have to be loaded, while another host, that has it or is loading it, is likely to be
 * done with the request before. One that waits for another model's load, or turn, is no place at all.
 */
export function worthTheirLoads(ask: Ask, places: readonly Place[], accessOf: AccessOf): readonly Place[] {
  if (places.every(({ host }) => host.memory.loadsBy === null)) return places
  const warm: Place[] = []
  const cold: Place[] = []
  for (const place of places) {
    const { isWarm, admits } = accessOf(place)
    if (isWarm) warm.push(place)
    else if (admits) cold.push(place)
  }
  if (cold.length === 0) return warm
  const warmMs = Math.min(...warm.map((place) => doneInMs(ask, place)))
  return [...warm, ...cold.filter((place) => doneInMs(ask, place) < warmMs)]
}

function doneInMs({ tokens }: Ask, place: Place): number {
  const { isFree, slotWaitMs, loadMs, running, inputAhead, uncachedTokens, speed } = place
  const waitMs = isFree ? prefillMs(inputAhead, speed) : slotWaitMs
  const together = isFree ? running + 1 : Math.max(1, running)
  return waitMs + loadMs + prefillMs(uncachedTokens, speed) + tokens.output * stepMs(together, speed)
}
