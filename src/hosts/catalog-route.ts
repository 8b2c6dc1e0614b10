/** Where requests for one name may go: hosts that serve it, with room for them where that is known. */
import type { GatewayError } from '../base/errors.ts'
import { type ContextAsk, type ContextFit, ContextNeed } from './context-length.ts'
import type { Host } from './host.ts'
import type { Candidate, Route } from './route.ts'
import type { Groups, ServedName, ServedPlace } from './served-name.ts'
import { tooLong } from './too-long.ts'

export interface CatalogRouteParts {
  readonly model: string
  readonly endpoint: string
  /** Asked again at each question, since hosts come and go. */
  readonly served: () => ServedName
  /** What a newcomer is told where no host can be asked. */
  readonly nobody: () => GatewayError
}

export class CatalogRoute implements Route {
  readonly #parts: CatalogRouteParts
  readonly #need: ContextNeed | null

  constructor(parts: CatalogRouteParts, need: ContextNeed | null = null) {
    this.#parts = parts
    this.#need = need
  }

  get id(): string {
    const served = this.#parts.served()
    return this.#need === null ? served.id : served.idOf(this.#need.groupAmong(served.contexts))
  }

  get contexts(): string | null {
    return this.#need === null ? null : this.#parts.served().contextsId
  }

  get model(): string {
    return this.#parts.model
  }

  candidates(excluded?: ReadonlySet<Host>): readonly Candidate[] {
    const groups = without(excluded, this.#parts.served().groups)
    const need = this.#need
    if (need === null) return choose(groups).candidates
    // A host with room for it is better than one that may have none, whatever stands first.
    const sure = choose(narrowed(groups, ({ context }) => need.fits(context) === 'sure'))
    if (sure.areSound) return sure.candidates
    return withMostRoom(choose(narrowed(groups, ({ context }) => need.fits(context) !== 'no')).candidates)
  }

  gone(excluded?: ReadonlySet<Host>): GatewayError | null {
    const { served, nobody, endpoint } = this.#parts
    const left = without(excluded, served().groups).flat()
    const need = this.#need
    if (left.length === 0) return nobody()
    if (need === null || left.some((place) => fitOf(need, place) !== 'no')) return null
    return tooLong(left, need, endpoint)
  }

  /** The same where only this host can go on. */
  at(keeper: Host): CatalogRoute {
    const served = (): ServedName => this.#parts.served().at(keeper)
    return new CatalogRoute({ ...this.#parts, served }, this.#need)
  }

  /** The same for one request, as soon as its length is known. Throws `context_length_exceeded` where it fits no host, up or not. */
  fitting(ask: ContextAsk): Route {
    const { contexts, places } = this.#parts.served()
    const need = new ContextNeed(ask)
    if (contexts.length > 0 && contexts.every((context) => need.fits(context) === 'no')) {
      throw tooLong(places, need, this.#parts.endpoint)
    }
    return new CatalogRoute(this.#parts, need)
  }
}

function fitOf(need: ContextNeed, { context }: ServedPlace): ContextFit {
  return need.fits(context)
}

function without(excluded: ReadonlySet<Host> | undefined, groups: Groups): Groups {
  if (excluded === undefined || excluded.size === 0) return groups
  return narrowed(groups, ({ host }) => !excluded.has(host))
}

type IsMeant = (place: ServedPlace) => boolean

/** Those of each group that are meant. */
function narrowed(groups: Groups, isMeant: IsMeant): Groups {
  return groups.every((group) => group.every(isMeant)) ? groups : groups.map((group) => those(group, isMeant))
}

/** The same list where all are meant: that is nearly always so, and each request asks. */
function those(places: readonly ServedPlace[], isMeant: IsMeant): readonly ServedPlace[] {
  return places.every(isMeant) ? places : places.filter(isMeant)
}

/** Of those that may have room, one with less would only refuse what another one takes. */
function withMostRoom(places: readonly ServedPlace[]): readonly ServedPlace[] {
  const most = places.reduce((sum, { context }) => Math.max(sum, context.contextTokens ?? 0), 0)
  return those(places, ({ context }) => (context.contextTokens ?? most) === most)
}

/** Hosts that refuse the gateway's key are asked only where nobody else is left. */
function trusted(places: readonly ServedPlace[]): readonly ServedPlace[] {
  const willing = those(places, isWilling)
  return willing.length > 0 ? willing : places
}

const isWilling: IsMeant = ({ host }) => !host.refusesKey
const isAvailable: IsMeant = ({ host }) => host.available
const isSound: IsMeant = ({ host }) => !host.health.ejected
const isSoundOrTrickles: IsMeant = ({ host: { health } }) => !health.ejected || health.throttled

const none: readonly ServedPlace[] = []

/**
 * The first group with a sound host that is up: an ordered alias falls back as a whole, never by load. Where every host
 * that is up was ejected, those of the first such group are better than none; what they get is a trickle.
 */
function choose(groups: Groups): { readonly candidates: readonly ServedPlace[]; readonly areSound: boolean } {
  let suspects = none
  for (const group of groups) {
    const available = trusted(those(group, isAvailable))
    if (available.some(isSound)) return { candidates: those(available, isSoundOrTrickles), areSound: true }
    if (suspects.length === 0) suspects = available
  }
  return { candidates: suspects, areSound: false }
}
