/** Where requests for one name may go: hosts that serve it, with room for them where that is known. */
import type { GatewayError } from '../base/errors.ts'
import {
  type ContextAsk,
  type ContextFit,
  ContextNeed,
  type ContextPlace,
  distinctPlaces,
  placeName,
} from './context-length.ts'
import type { Host } from './host.ts'
import type { Candidate, Route } from './route.ts'
import { tooLong } from './too-long.ts'

/** Candidates in groups, in the order of preference. */
export type Groups = readonly (readonly Candidate[])[]

export interface CatalogRouteParts {
  readonly model: string
  readonly endpoint: string
  /** Those that have the endpoint, up or not; asked again at each question, since hosts come and go. */
  readonly groups: () => Groups
  /** What a newcomer is told where no host can be asked. */
  readonly nobody: () => GatewayError
}

export class CatalogRoute implements Route {
  readonly #ofName: string
  readonly #parts: CatalogRouteParts
  readonly #need: ContextNeed | null

  constructor(ofName: string, parts: CatalogRouteParts, need: ContextNeed | null = null) {
    this.#ofName = ofName
    this.#parts = parts
    this.#need = need
  }

  get id(): string {
    return this.#need === null ? this.#ofName : `${this.#ofName} of ${this.#need.groupAmong(this.#contexts())}`
  }

  get contexts(): string | null {
    return this.#need === null ? null : this.#contexts().map(placeName).join(', ')
  }

  get model(): string {
    return this.#parts.model
  }

  candidates(excluded?: ReadonlySet<Host>): readonly Candidate[] {
    const groups = without(excluded, this.#parts.groups())
    const need = this.#need
    if (need === null) return choose(groups).candidates
    const fits = (wanted: ContextFit): Groups =>
      groups.map((group) => group.filter((candidate) => fitOf(need, candidate) === wanted))
    // A host with room for it is better than one that may have none, whatever stands first.
    const sure = choose(fits('sure'))
    if (sure.areSound) return sure.candidates
    const rest = groups.map((group) => group.filter((candidate) => fitOf(need, candidate) !== 'no'))
    return withMostRoom(choose(rest).candidates)
  }

  gone(excluded?: ReadonlySet<Host>): GatewayError | null {
    const { groups, nobody, endpoint } = this.#parts
    const left = without(excluded, groups()).flat()
    const need = this.#need
    if (left.length === 0) return nobody()
    if (need === null || left.some((candidate) => fitOf(need, candidate) !== 'no')) return null
    return tooLong(left, need, endpoint)
  }

  /** The same where only this host can go on. */
  at(keeper: Host): CatalogRoute {
    const groups = (): Groups => this.#parts.groups().map((group) => group.filter(({ host }) => host === keeper))
    return new CatalogRoute(`${this.#ofName} at ${keeper.name}`, { ...this.#parts, groups }, this.#need)
  }

  /** The same for one request, as soon as its length is known. Throws `context_length_exceeded` where it fits no host, up or not. */
  fitting(ask: ContextAsk): Route {
    const places = this.#parts.groups().flat()
    const need = new ContextNeed(ask)
    if (places.length > 0 && places.every((candidate) => fitOf(need, candidate) === 'no')) {
      throw tooLong(places, need, this.#parts.endpoint)
    }
    return new CatalogRoute(this.#ofName, this.#parts, need)
  }

  #contexts(): readonly ContextPlace[] {
    const places = this.#parts.groups().flat()
    return distinctPlaces(places.map(({ host, model }) => host.context(model)))
  }
}

function fitOf(need: ContextNeed, { host, model }: Candidate): ContextFit {
  return need.fits(host.context(model))
}

function without(excluded: ReadonlySet<Host> | undefined, groups: Groups): Groups {
  if (excluded === undefined || excluded.size === 0) return groups
  return groups.map((group) => group.filter(({ host }) => !excluded.has(host)))
}

/** Of those that may have room, one with less would only refuse what another one takes. */
function withMostRoom(candidates: readonly Candidate[]): readonly Candidate[] {
  const contexts = candidates.map(({ host, model }) => host.context(model).contextTokens)
  const most = contexts.reduce<number>((a, b) => Math.max(a, b ?? 0), 0)
  return candidates.filter((_candidate, at) => (contexts[at] ?? most) === most)
}

/** Hosts that refuse the gateway's key are asked only where nobody else is left. */
function trusted(candidates: readonly Candidate[]): readonly Candidate[] {
  const willing = candidates.filter(({ host }) => !host.refusesKey)
  return willing.length > 0 ? willing : candidates
}

/**
 * The first group with a sound host that is up: an ordered alias falls back as a whole, never by load. Where every host
 * that is up was ejected, those of the first such group are better than none; what they get is a trickle.
 */
function choose(groups: Groups): { readonly candidates: readonly Candidate[]; readonly areSound: boolean } {
  let suspects: readonly Candidate[] = []
  for (const group of groups) {
    const available = trusted(group.filter(({ host }) => host.available))
    if (available.some(({ host }) => !host.health.ejected)) {
      const candidates = available.filter(({ host: { health } }) => !health.ejected || health.throttled)
      return { candidates, areSound: true }
    }
    if (suspects.length === 0) suspects = available
  }
  return { candidates: suspects, areSound: false }
}
