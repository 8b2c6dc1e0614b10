/** Where models could be that not all hosts hold at once, and what would be missed where they are loaded. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Host } from './host.ts'
import type { ModelMemory } from './model-memory.ts'
import type { Candidate } from './route.ts'

const placesMax = 10_000
/** Of two that are missed about alike neither is spared. */
const missedShare = 0.8

/** What is to be known of all places of a model to tell one of them from the others: reckoned once for all of them. */
interface Weighed {
  /** The two hosts whose models are missed least, of those that could load it. */
  readonly least: readonly { readonly host: Host; readonly missed: number }[]
  /** Two of those that have it in memory, or on its way there. */
  readonly holders: readonly Host[]
}

export class ModelPlaces {
  /** By host and model: of those who waited for it last, all that they could be served with. */
  readonly #places = new BoundedMap<string, readonly Candidate[]>(placesMax)
  /** By the places of a model; null while hosts may change between two questions. */
  #weighed: Map<readonly Candidate[], Weighed> | null = null

  seen(candidates: readonly Candidate[]): void {
    for (const place of candidates) this.#places.set(placeId(place), candidates)
  }

  /** `work` waits for nothing, and tells by `changed` what it changes of hosts: what was reckoned is used again meanwhile. */
  during<Result>(work: () => Result): Result {
    const before = this.#weighed
    this.#weighed ??= new Map()
    try {
      return work()
    } finally {
      this.#weighed = before
    }
  }

  /** Hosts hold other models, or load others, than before. */
  changed(): void {
    this.#weighed?.clear()
  }

  /** Another host could load it, and would put out what is used less. */
  isMissedLessElsewhere(place: Candidate, loadsPerHourMax: number): boolean {
    const missed = missedFor(place)
    if (missed === 0) return false
    const { least } = this.#weigh(place, loadsPerHourMax)
    const other = least.find(({ host }) => host !== place.host)
    return other !== undefined && other.missed < missed * missedShare
  }

  /** Another host has it in memory, or on its way there. */
  isElsewhere(place: Candidate, loadsPerHourMax: number): boolean {
    return this.#weigh(place, loadsPerHourMax).holders.some((host) => host !== place.host)
  }

  /** The host is no more. */
  forget(host: Host): void {
    for (const [id, candidates] of this.#places) {
      if (candidates.some((one) => one.host === host)) this.#places.delete(id)
    }
  }

  #weigh(place: Candidate, loadsPerHourMax: number): Weighed {
    const places = this.#places.get(placeId(place)) ?? []
    let weighed = this.#weighed?.get(places)
    if (weighed === undefined) {
      weighed = weighedOf(places, loadsPerHourMax)
      this.#weighed?.set(places, weighed)
    }
    return weighed
  }
}

function weighedOf(places: readonly Candidate[], loadsPerHourMax: number): Weighed {
  const least = new Map<Host, number>()
  const holders = new Set<Host>()
  for (const place of places) {
    const { host, model } = place
    const { memory } = host
    if (!host.available || host.paused) continue
    if (memory.isResident(model) || memory.loading?.model === model) holders.add(host)
    if (memory.loadsBy === null || memory.failureOf(model) !== null) continue
    if (memory.loads.nextInMs(loadsPerHourMax) > 0) continue
    least.set(host, Math.min(missedFor(place), least.get(host) ?? Number.POSITIVE_INFINITY))
  }
  const sorted = Array.from(least, ([host, missed]) => ({ host, missed })).toSorted((a, b) => a.missed - b.missed)
  return { least: sorted.slice(0, 2), holders: [...holders].slice(0, 2) }
}

/** Requests for it are there, of this gateway or of another. */
export function isUsed(memory: ModelMemory, model: string): boolean {
  return memory.usesOf(model) > 0 || memory.elsewhere.isUsed(model)
}

/** Whom a load would put out: of those that nothing runs with the one that was used least lately first. */
export function victimsFor({ memory }: Host, model: string): readonly string[] {
  const residents = memory.residents.toSorted((a, b) => Number(isUsed(memory, a)) - Number(isUsed(memory, b)))
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
