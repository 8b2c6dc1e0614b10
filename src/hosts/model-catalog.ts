/** Which hosts serve a name: models, aliases in their three forms, and what to say when none does. */
import { GatewayError } from '../base/errors.ts'
import type { Host } from './host.ts'
import type { HostModel } from './kinds/host-kind.ts'

/** A host that could serve a request, and the name the model has there. */
export interface Candidate {
  readonly host: Host
  readonly model: string
}

/** Where a request may go; asked again whenever a host is to be chosen, since hosts come and go while it waits. */
export interface Route {
  /** Routes with the same have the same candidates at any time. */
  readonly id: string
  /** The name the client used: a configured alias or a name that a host lists. */
  readonly model: string
  /** Hosts that may take it now, whether a slot is free or not; without those that failed on it, as if they were down. */
  candidates(excluded?: ReadonlySet<Host>): readonly Candidate[]
  /** What a newcomer would be told where none of the other hosts has it any more, up or not; null while one does. */
  gone(excluded?: ReadonlySet<Host>): GatewayError | null
}

export type Aliases = Readonly<Record<string, string | Readonly<Record<string, string>> | readonly string[]>>

/** Which names whoever asks may learn of. */
type Shown = (name: string) => boolean
const anyName: Shown = () => true

/** Names by which LMX leaves the local network, or swaps the model for a stored prompt; also as bare words. */
const offLanName = /^(?:copilot|github-copilot|gemini-cli)(?:\/|$)|^preset:/i

/** Unknown names are answered with what is there, up to this many. */
const namesShownMax = 20

export class ModelCatalog {
  readonly #hosts: readonly Host[]
  #aliases: ReadonlyMap<string, Aliases[string]>

  constructor(hosts: readonly Host[], aliases: Aliases) {
    this.#hosts = hosts
    this.#aliases = new Map(Object.entries(aliases))
  }

  /** Routes that are out already lead where these say. */
  adopt(aliases: Aliases): void {
    this.#aliases = new Map(Object.entries(aliases))
  }

  /**
   * The route of a name; `shown` tells which others may be named to whoever asks. Throws `model_not_allowed` for a name that leaves the LAN and is not configured, `model_not_found`
   * only when every host's catalogue is known, else `no_upstream_available`.
   */
  route(name: string, endpoint: string, shown: Shown = anyName): Route {
    const missing = this.#missing(name, endpoint, shown)
    if (missing !== null) throw missing
    const candidates = (excluded?: ReadonlySet<Host>): readonly Candidate[] =>
      choose(without(excluded, this.#capable(name, endpoint)))
    const gone = (excluded?: ReadonlySet<Host>): GatewayError | null => {
      const left = without(excluded, this.#capable(name, endpoint))
      if (left.some((group) => group.length > 0)) return null
      return this.#missing(name, endpoint, shown) ?? unavailable(name)
    }
    return { id: `${endpoint} ${name}`, model: name, candidates, gone }
  }

  #missing(name: string, endpoint: string, shown: Shown): GatewayError | null {
    if (this.#targets(name).length === 0) return this.#unknown(name, shown)
    if (this.#capable(name, endpoint).length > 0) return null
    return new GatewayError('not_found', `No host that serves "${name}" offers this endpoint.`)
  }

  /** Whether the name is an alias or listed by a host: only such names become label values. */
  knows(name: string): boolean {
    return this.#aliases.has(name) || this.#hosts.some((host) => host.serves(name))
  }

  /** All names that a host which is up serves, aliases included, sorted; the first host that lists a model describes it. */
  list(shown: Shown = anyName): HostModel[] {
    const models = new Map<string, HostModel>()
    for (const host of this.#hosts) if (host.up) addModels(host, models)
    for (const [alias] of this.#aliases) {
      if (this.#targets(alias).some((group) => group.some(({ host }) => host.up))) models.set(alias, ownModel(alias))
    }
    return [...models.values()].filter(({ id }) => shown(id)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Names that requests may use, aliases included, with the hosts that have them, whether they are up or not. */
  *placesByName(): Generator<{
    readonly model: string
    readonly isAlias: boolean
    readonly places: readonly Candidate[]
  }> {
    const names = new Set(this.#aliases.keys())
    for (const { models, configuredModels } of this.#hosts) {
      for (const name of models?.keys() ?? []) if (!offLanName.test(name)) names.add(name)
      for (const name of configuredModels) names.add(name)
    }
    for (const model of names) {
      yield { model, isAlias: this.#aliases.has(model), places: this.#targets(model).flat() }
    }
  }

  /** One of `list`, or the error a request for it would meet. */
  describe(name: string, shown: Shown = anyName): HostModel {
    const found = this.list(shown).find((model) => model.id === name)
    if (found !== undefined) return found
    throw shown(name) && this.#targets(name).length > 0 ? unavailable(name) : this.#unknown(name, shown)
  }

  #capable(name: string, endpoint: string): Candidate[][] {
    return this.#targets(name)
      .map((group) => group.filter(({ host }) => host.kind?.lacks.has(endpoint) !== true))
      .filter((group) => group.length > 0)
  }

  /** Groups in order of preference, without empty ones; a host is in a group when it was last seen to serve the name. */
  #targets(name: string): Candidate[][] {
    const alias = this.#aliases.get(name)
    let groups: Candidate[][]
    if (alias === undefined) groups = [this.#serving(name)]
    else if (typeof alias === 'string') groups = [this.#serving(alias)]
    else if (isList(alias)) groups = alias.map((target) => this.#serving(target))
    else groups = [Object.entries(alias).flatMap(([host, target]) => this.#serving(target, host))]
    return groups.filter((group) => group.length > 0)
  }

  #serving(model: string, hostName?: string): Candidate[] {
    const configured = (host: Host): boolean => host.configuredModels.includes(model)
    return this.#hosts
      .filter((host) => (hostName === undefined || host.name === hostName) && host.serves(model))
      .filter((host) => !offLanName.test(model) || configured(host))
      .map((host) => ({ host, model }))
  }

  #unknown(name: string, shownNames: Shown): GatewayError {
    if (offLanName.test(name)) {
      return new GatewayError(
        'model_not_allowed',
        `"${name}" would leave the local network; to allow it, name it in the models of a host.`,
        { param: 'model' },
      )
    }
    if (this.#hosts.some((host) => !host.catalogueKnown)) return unavailable(name)
    const names = this.list(shownNames).map((model) => model.id)
    const shown = names.slice(0, namesShownMax).join(', ')
    const more = names.length > namesShownMax ? ` and ${names.length - namesShownMax} more (GET /v1/models)` : ''
    const there = names.length === 0 ? 'No host lists a model.' : `There are: ${shown}${more}.`
    const what =
      this.#aliases.has(name) && shownNames(name)
        ? `The alias "${name}" names a model that no host lists.`
        : `The model "${name}" does not exist.`
    return new GatewayError('model_not_found', `${what} ${there}`, { param: 'model' })
  }
}

/** Whether it may be given a request now, but for its slots. */
export function isAble({ available, paused, health }: Host): boolean {
  return available && !paused && !health.ejected
}

/** Hosts that refuse the gateway's key are asked only where nobody else is left. */
function trusted(candidates: readonly Candidate[]): readonly Candidate[] {
  const willing = candidates.filter(({ host }) => !host.refusesKey)
  return willing.length > 0 ? willing : candidates
}

function without(excluded: ReadonlySet<Host> | undefined, groups: Candidate[][]): Candidate[][] {
  if (excluded === undefined || excluded.size === 0) return groups
  return groups.map((group) => group.filter(({ host }) => !excluded.has(host)))
}

/**
 * The first group with a sound host that is up: an ordered alias falls back as a whole, never by load. Where every host
 * that is up was ejected, those of the first such group are better than none; what they get is a trickle.
 */
function choose(groups: readonly (readonly Candidate[])[]): readonly Candidate[] {
  let suspects: readonly Candidate[] = []
  for (const group of groups) {
    const available = trusted(group.filter(({ host }) => host.available))
    if (available.some(({ host }) => !host.health.ejected)) {
      return available.filter(({ host: { health } }) => !health.ejected || health.throttled)
    }
    if (suspects.length === 0) suspects = available
  }
  return suspects
}

function addModels(host: Host, models: Map<string, HostModel>): void {
  for (const model of host.models?.values() ?? []) {
    if (!models.has(model.id) && !offLanName.test(model.id)) models.set(model.id, model)
  }
  for (const id of host.configuredModels) if (!models.has(id)) models.set(id, ownModel(id))
}

export function unavailable(name: string): GatewayError {
  return new GatewayError('no_upstream_available', `No host that serves "${name}" can be reached now.`)
}

function ownModel(id: string): HostModel {
  return { id, created: null, ownedBy: 'lmx-gateway', resident: true }
}

function isList(alias: Aliases[string]): alias is readonly string[] {
  return Array.isArray(alias)
}
