/** Which of the hosts that do not hold all models at once are worth a load, and which are out of the question just now. */

import type { ModelAccess } from '../hosts/residency.ts'
import type { Candidate } from '../hosts/route.ts'
import type { NotTaken } from './decision.ts'
import { firstTokenMs, writeMs } from './place-times.ts'
import type { Ask, Place } from './policy.ts'

/** What is between a request and a model at each of these, slots apart; asked once for all, since they are weighed together. */
export type AccessOf = (candidates: readonly Candidate[]) => readonly ModelAccess[]

export const inMemory: ModelAccess = { isWarm: true, admits: true, waitMs: 0, loadMs: 0 }

/** For hosts that all have their models in memory. */
export const alwaysInMemory: AccessOf = (candidates) => candidates.map(() => inMemory)

/** Places that are in question, those that have the model first, and each other one with why. */
export interface Sorted {
  readonly places: readonly Place[]
  readonly leftOut: readonly NotTaken[]
  /** How many of the places have the model, or are loading it. */
  readonly warm: number
}

const none: readonly NotTaken[] = []

/** Where nothing has to be loaded. */
export function allTaken(places: readonly Place[]): Sorted {
  return { places, leftOut: none, warm: places.length }
}

/**
 * Less those where the model would have to be loaded, while another host, that has it or is loading it, is likely to be
 * done with the request before. One that waits for another model's load, or turn, is no place at all.
 */
export function worthTheirLoads(ask: Ask, all: readonly Place[], access: readonly ModelAccess[]): Sorted {
  const places: Place[] = []
  const cold: Place[] = []
  const leftOut: NotTaken[] = []
  let warmMs = Number.POSITIVE_INFINITY
  for (const [at, place] of all.entries()) {
    const { isWarm, admits } = access[at] ?? inMemory
    if (isWarm) {
      places.push(place)
      warmMs = Math.min(warmMs, doneInMs(ask, place))
    } else if (admits) cold.push(place)
    else leftOut.push({ place, why: 'other_models' })
  }
  const warm = places.length
  for (const place of cold) {
    if (doneInMs(ask, place) < warmMs) places.push(place)
    else leftOut.push({ place, why: 'load' })
  }
  return { places, leftOut, warm }
}

function doneInMs({ tokens }: Ask, place: Place): number {
  return firstTokenMs(place) + writeMs(tokens.output, place)
}
