/** Where models could be that not all hosts hold at once, and what would be missed where they are loaded. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from './host.ts'
import type { Candidate } from './model-catalog.ts'

const placesMax = 10_000
/** Of two that are missed about alike neither is spared. */
const missedShare = 0.8

export class ModelPlaces {
  /** By host and model: of those who waited for it last, all that they could be served with. */
  readonly #places = new BoundedMap<string, readonly Candidate[]>(placesMax)

  seen(candidates: readonly Candidate[]): void {
    for (const place of candidates) this.#places.set(placeId(place), candidates)
  }

  /** Another host could load it, and would put out what is used less. */
  isMissedLessElsewhere(place: Candidate, loadsPerHourMax: number): boolean {
    const missed = missedFor(place)
    if (missed === 0) return false
    return this.#others(place).some((other) => {
      const { memory } = other.host
      if (memory.loadsBy === null || memory.failureOf(other.model) !== null) return false
      if (memory.loads.nextInMs(loadsPerHourMax) > 0) return false
      return missedFor(other) < missed * missedShare
    })
  }

  /** Another host has it in memory, or on its way there. */
  isElsewhere(place: Candidate): boolean {
    return this.#others(place).some(({ host: { memory }, model }) => {
      return memory.isResident(model) || memory.loading?.model === model
    })
  }

  /** The host is no more. */
  forget(host: Host): void {
    for (const [id, candidates] of this.#places) {
      if (candidates.some((one) => one.host === host)) this.#places.delete(id)
    }
  }

  #others(place: Candidate): readonly Candidate[] {
    const places = this.#places.get(placeId(place)) ?? []
    return places.filter(({ host }) => host !== place.host && host.available && !host.paused)
  }
}

/** Whom a load would put out: of those that nothing runs with the one that was used least lately first. */
export function victimsFor({ memory }: Host, model: string): readonly string[] {
  const residents = memory.residents.toSorted((a, b) => Number(memory.usesOf(a) > 0) - Number(memory.usesOf(b) > 0))
  const out: string[] = []
  for (const resident of residents) {
    if (memory.room.fits(model, residents.length - out.length, out)) break
    out.push(resident)
  }
  return out
}

/** How much what a load would put out is used there. */
function missedFor({ host, model }: Candidate): number {
  return victimsFor(host, model).reduce((sum, one) => sum + host.memory.useOf(one), 0)
}

function placeId({ host, model }: Candidate): string {
  return `${host.number} ${model}`
}
