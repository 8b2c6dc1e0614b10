/** Which hosts serve a name: models, aliases in their three forms, and what to say when none does. */
import { GatewayError } from '../base/errors.ts'
import { CatalogRoute } from './catalog-route.ts'
import type { Host } from './host.ts'
import type { HostModel } from './kinds/host-kind.ts'
import { type Candidate, unavailable } from './route.ts'
import { type Groups, ServedName } from './served-name.ts'
import { ServingIndex } from './serving-index.ts'

export interface ListedModel extends HostModel {
  /** The most of a host that is up: longer prompts go to those that have room for them. Null where none is known. */
  readonly longestContextTokens: number | null
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
  readonly #serving: ServingIndex
  #aliases: ReadonlyMap<string, Aliases[string]>
  /** By endpoint and name, of names that hosts serve: each request asks for one. */
  readonly #served = new Map<string, Map<string, ServedName>>()
  /** As of which version of what hosts serve. */
  #servedAsOf = -1

  /** `hosts` may change in place. */
  constructor(hosts: readonly Host[], aliases: Aliases) {
    this.#hosts = hosts
    this.#serving = new ServingIndex(hosts)
    this.#aliases = new Map(Object.entries(aliases))
  }

  /** Routes that are out already lead where these say. */
  adopt(aliases: Aliases): void {
    this.#aliases = new Map(Object.entries(aliases))
    this.#served.clear()
  }

  /**
   * The route of a name; `shown` tells which others may be named to whoever asks. Throws `model_not_allowed` for a name that leaves the LAN and is not configured, `model_not_found`
   * only when every host's catalogue is known, else `no_upstream_available`; but where a host was not asked yet what it has,
   * the route leads there as soon as it turns out to have it.
   */
  route(name: string, endpoint: string, shown: Shown = anyName): CatalogRoute {
    const missing = this.#missing(name, endpoint, shown)
    if (missing !== null && !(missing.code === 'no_upstream_available' && this.#hosts.some(isUnknown))) throw missing
    return new CatalogRoute({
      model: name,
      endpoint,
      served: () => this.#servedAt(endpoint, name),
      nobody: () => this.#missing(name, endpoint, shown) ?? unavailable(name),
    })
  }

  #missing(name: string, endpoint: string, shown: Shown): GatewayError | null {
    if (this.#servedAt(endpoint, name).places.length > 0) return null
    if (this.#targets(name).length === 0) return this.#unknown(name, shown)
    return new GatewayError('not_found', `No host that serves "${name}" offers this endpoint.`)
  }

  /** Whether the name is an alias or listed by a host: only such names become label values. */
  knows(name: string): boolean {
    return this.#aliases.has(name) || this.#serving.hostsOf(name).length > 0
  }

  /** All names that a host which is up serves, aliases included, sorted; the first host that lists a model describes it. */
  list(shown: Shown = anyName): ListedModel[] {
    const models: ListedModel[] = []
    for (const [name, hosts] of this.#serving.all()) {
      if (this.#aliases.has(name) || !shown(name)) continue
      const model = listing(name, hosts)
      if (model !== null) models.push(model)
    }
    const aliases = [...this.#aliases.keys()].flatMap((alias) => (shown(alias) ? (this.#listing(alias) ?? []) : []))
    return aliases.length === 0 ? models : [...models, ...aliases].toSorted((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Names that requests may use, aliases included, with the hosts that have them, whether they are up or not. */
  *placesByName(): Generator<{
    readonly model: string
    readonly isAlias: boolean
    readonly places: readonly Candidate[]
  }> {
    for (const model of this.#names()) {
      const isAlias = this.#aliases.has(model)
      const places = this.#targets(model).flat()
      if (isAlias || places.length > 0) yield { model, isAlias, places }
    }
  }

  /** One of `list`, or the error a request for it would meet. */
  describe(name: string, shown: Shown = anyName): ListedModel {
    const found = shown(name) ? this.#listing(name) : null
    if (found !== null) return found
    throw shown(name) && this.#targets(name).length > 0 ? unavailable(name) : this.#unknown(name, shown)
  }

  /** Sorted. */
  #names(): readonly string[] {
    const names = this.#serving.names()
    const aliases = [...this.#aliases.keys()].filter((alias) => this.#serving.hostsOf(alias).length === 0)
    return aliases.length === 0 ? names : [...names, ...aliases].toSorted()
  }

  /** Null while no host that serves it is up. */
  #listing(name: string): ListedModel | null {
    if (!this.#aliases.has(name)) return listing(name, this.#serving.hostsOf(name))
    const up = this.#targets(name).flatMap((group) => group.filter(({ host }) => host.up))
    if (up.length === 0) return listing(name, this.#serving.hostsOf(name))
    const contexts = up.map(({ host, model }) => host.context(model).contextTokens ?? 0)
    return listed(ownModel(name), Math.max(...contexts))
  }

  #servedAt(endpoint: string, name: string): ServedName {
    const { version } = this.#serving
    if (version !== this.#servedAsOf) {
      this.#served.clear()
      this.#servedAsOf = version
    }
    const known = this.#served.get(endpoint)?.get(name)
    if (known !== undefined) return known
    const served = new ServedName(`${endpoint} ${name}`, this.#capable(name, endpoint))
    // Whatever clients make up is not kept.
    if (served.places.length > 0) {
      const ofEndpoint = this.#served.get(endpoint) ?? new Map<string, ServedName>()
      this.#served.set(endpoint, ofEndpoint.set(name, served))
    }
    return served
  }

  #capable(name: string, endpoint: string): Groups {
    return this.#targets(name)
      .map((group) => group.filter(({ host }) => host.kind?.lacks.has(endpoint) !== true))
      .filter((group) => group.length > 0)
      .map((group) => group.map(({ host, model }) => ({ host, model, context: host.context(model) })))
  }

  /** Groups in order of preference, without empty ones; a host is in a group when it was last seen to serve the name. */
  #targets(name: string): Candidate[][] {
    const alias = this.#aliases.get(name)
    let groups: Candidate[][]
    if (alias === undefined) groups = [this.#servedBy(name)]
    else if (typeof alias === 'string') groups = [this.#servedBy(alias)]
    else if (isList(alias)) groups = alias.map((target) => this.#servedBy(target))
    else groups = [Object.entries(alias).flatMap(([host, target]) => this.#servedBy(target, host))]
    return groups.filter((group) => group.length > 0)
  }

  #servedBy(model: string, hostName?: string): Candidate[] {
    const isOffLan = offLanName.test(model)
    const candidates: Candidate[] = []
    for (const host of this.#serving.hostsOf(model)) {
      if (hostName !== undefined && host.name !== hostName) continue
      if (!isOffLan || host.configuredModels.includes(model)) candidates.push({ host, model })
    }
    return candidates
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

/** It was not asked yet whether it is there, and what it has. */
export function isUnknown({ probed }: Host): boolean {
  return !probed
}

/** As the first host describes it that lists it and is up; null where none that serves it is. */
function listing(name: string, hosts: readonly Host[]): ListedModel | null {
  const isOffLan = offLanName.test(name)
  let described: HostModel | undefined
  let isUp = false
  let most = 0
  for (const host of hosts) {
    if (!host.up || (isOffLan && !host.configuredModels.includes(name))) continue
    isUp = true
    described ??= host.models?.get(name)
    most = Math.max(most, host.context(name).contextTokens ?? 0)
  }
  return isUp ? listed(described ?? ownModel(name), most) : null
}

function listed(model: HostModel, contextTokens: number): ListedModel {
  return { ...model, longestContextTokens: contextTokens > 0 ? contextTokens : null }
}

function ownModel(id: string): HostModel {
  return { id, created: null, ownedBy: 'lmx-gateway', resident: true }
}

function isList(alias: Aliases[string]): alias is readonly string[] {
  return Array.isArray(alias)
}
