/** A name as hosts serve it at one endpoint, up or not: what all requests for it have in common, made once for each change of what hosts serve. */
import { type ContextPlace, distinctPlaces, placeName } from './context-length.ts'
import type { Host } from './host.ts'
import type { Candidate } from './route.ts'

/** A candidate, and how long prompt and answer may be there. */
export interface ServedPlace extends Candidate {
  readonly context: ContextPlace
}

/** In the order of preference. */
export type Groups = readonly (readonly ServedPlace[])[]

export class ServedName {
  readonly id: string
  readonly groups: Groups
  /** Of all groups. */
  readonly places: readonly ServedPlace[]
  /** Contexts that differ, in an order of their own. */
  readonly contexts: readonly ContextPlace[]
  /** Another one where these are others. */
  readonly contextsId: string
  readonly #idsByFit = new Map<string, string>()

  constructor(id: string, groups: Groups) {
    this.id = id
    this.groups = groups
    this.places = groups.flat()
    this.contexts = distinctPlaces(this.places.map(({ context }) => context))
    this.contextsId = this.contexts.map(placeName).join(', ')
  }

  /** Of the requests that fit its contexts alike. */
  idOf(fit: string): string {
    const known = this.#idsByFit.get(fit)
    if (known !== undefined) return known
    const id = `${this.id} of ${fit}`
    this.#idsByFit.set(fit, id)
    return id
  }

  /** The same where only this host can go on. */
  at(keeper: Host): ServedName {
    const groups = this.groups.map((group) => group.filter(({ host }) => host === keeper))
    return new ServedName(`${this.id} at ${keeper.name}`, groups)
  }
}
