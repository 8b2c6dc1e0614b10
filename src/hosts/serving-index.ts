/**
 * Which hosts serve which names. Kept from one question to the next, since fleets may have many names and each request asks
 * for one; what changed is found by looking at one number of each host.
 */
import type { Host } from './host.ts'

/** What a host served when it was last looked at: its own lists, which it replaces and never changes. */
interface Seen {
  readonly host: Host
  readonly version: number
  readonly listed: Host['models']
  readonly configured: readonly string[]
}

const nobody: readonly Host[] = []

/** When more hosts than these have changed, making all anew is less work. */
const changedOneByOneMax = 3

export class ServingIndex {
  readonly #hosts: readonly Host[]
  #seen: readonly Seen[] = []
  #byName: ReadonlyMap<string, readonly Host[]> = new Map()
  #sorted: readonly string[] | null = null
  #version = 0

  /** `hosts` may change in place. */
  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts
  }

  /** Another number whenever hosts serve other names, have other endpoints or contexts, or are others. */
  get version(): number {
    this.#refresh()
    return this.#version
  }

  /** In the order of the fleet. */
  hostsOf(name: string): readonly Host[] {
    this.#refresh()
    return this.#byName.get(name) ?? nobody
  }

  /** Sorted; kept until names change. */
  names(): readonly string[] {
    this.#refresh()
    this.#sorted ??= [...this.#byName.keys()].toSorted()
    return this.#sorted
  }

  /** By name, sorted. */
  *all(): Generator<readonly [name: string, hosts: readonly Host[]]> {
    const names = this.names()
    const byName = this.#byName
    for (const name of names) yield [name, byName.get(name) ?? nobody]
  }

  #refresh(): void {
    const hosts = this.#hosts
    const seen = this.#seen
    let isSame = hosts.length === seen.length
    for (let at = 0; isSame && at < hosts.length; at++) {
      const before = seen[at]
      isSame = before?.host === hosts[at] && before?.version === hosts[at]?.servingVersion
    }
    if (!isSame) this.#changed()
  }

  #changed(): void {
    const known = new Map(this.#seen.map((one) => [one.host, one]))
    const seen = this.#hosts.map((host): Seen => {
      const before = known.get(host)
      if (before?.version === host.servingVersion) return before
      return { host, version: host.servingVersion, listed: host.models, configured: host.configuredModels }
    })
    const changed = seen.filter((one) => known.get(one.host) !== one)
    const isSameFleet = seen.length === this.#seen.length && seen.every(({ host }, at) => this.#seen[at]?.host === host)
    this.#seen = seen
    this.#version++
    this.#sorted = null
    if (!isSameFleet || changed.length > changedOneByOneMax) this.#makeAll()
    else for (const one of changed) this.#makeOnly(namesOfEither(known.get(one.host), one))
  }

  #makeAll(): void {
    const byName = new Map<string, Host[]>()
    for (const one of this.#seen) {
      const { host } = one
      for (const name of namesOf(one)) {
        const hosts = byName.get(name)
        if (hosts === undefined) byName.set(name, [host])
        else if (hosts.at(-1) !== host) hosts.push(host)
      }
    }
    this.#byName = byName
  }

  #makeOnly(names: Iterable<string>): void {
    // Whoever goes through the old one is not disturbed.
    const byName = new Map(this.#byName)
    for (const name of names) {
      const hosts = this.#seen.flatMap((one) => (has(one, name) ? [one.host] : []))
      if (hosts.length === 0) byName.delete(name)
      else byName.set(name, hosts)
    }
    this.#byName = byName
  }
}

/** Some more than once. */
function* namesOf({ listed, configured }: Seen): Generator<string> {
  if (listed !== null) yield* listed.keys()
  yield* configured
}

function has({ listed, configured }: Seen, name: string): boolean {
  return listed?.has(name) === true || configured.includes(name)
}

/** Those that one of them has and the other has not. */
function* namesOfEither(before: Seen | undefined, after: Seen): Generator<string> {
  if (before !== undefined) for (const name of namesOf(before)) if (!has(after, name)) yield name
  for (const name of namesOf(after)) if (before === undefined || !has(before, name)) yield name
}
