/**
 * Which hosts serve which names. Kept from one question to the next, since fleets may have many names and each request asks
 * for one; what changed is found by looking at one number of each host.
 */
import type { Host } from './host.ts'

interface Seen {
  readonly host: Host
  readonly version: number
  readonly names: ReadonlySet<string>
}

const nobody: readonly Host[] = []

/** When more hosts than these have changed, making all anew is less work. */
const changedOneByOneMax = 3

export class ServingIndex {
  readonly #hosts: readonly Host[]
  #seen: readonly Seen[] = []
  #byName = new Map<string, readonly Host[]>()
  #sorted: readonly string[] | null = null

  /** `hosts` may change in place. */
  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts
  }

  /** In the order of the fleet. */
  hostsOf(name: string): readonly Host[] {
    this.#refresh()
    return this.#byName.get(name) ?? nobody
  }

  /** Sorted; kept until names change. */
  names(): readonly string[] {
    this.#refresh()
    this.#sorted ??= [...this.#byName.keys()].sort()
    return this.#sorted
  }

  #refresh(): void {
    const hosts = this.#hosts
    const seen = this.#seen
    let isSame = hosts.length === seen.length
    for (let at = 0; isSame && at < hosts.length; at++) {
      const before = seen[at]
      isSame = before?.host === hosts[at] && before?.version === hosts[at]?.namesVersion
    }
    if (!isSame) this.#changed()
  }

  #changed(): void {
    const known = new Map(this.#seen.map((one) => [one.host, one]))
    const seen = this.#hosts.map((host): Seen => {
      const before = known.get(host)
      if (before?.version === host.namesVersion) return before
      return { host, version: host.namesVersion, names: new Set(host.names()) }
    })
    const changed = seen.filter((one) => known.get(one.host) !== one)
    const isSameFleet = seen.length === this.#seen.length && seen.every(({ host }, at) => this.#seen[at]?.host === host)
    this.#seen = seen
    this.#sorted = null
    if (!isSameFleet || changed.length > changedOneByOneMax) this.#makeAll()
    else for (const one of changed) this.#makeOnly(namesOfEither(known.get(one.host)?.names, one.names))
  }

  #makeAll(): void {
    const byName = new Map<string, Host[]>()
    for (const { host, names } of this.#seen) {
      for (const name of names) {
        const hosts = byName.get(name)
        if (hosts === undefined) byName.set(name, [host])
        else hosts.push(host)
      }
    }
    this.#byName = byName
  }

  #makeOnly(names: Iterable<string>): void {
    for (const name of names) {
      const hosts = this.#seen.flatMap((one) => (one.names.has(name) ? [one.host] : []))
      if (hosts.length === 0) this.#byName.delete(name)
      else this.#byName.set(name, hosts)
    }
  }
}

/** Those that one of them has and the other has not. */
function* namesOfEither(before: ReadonlySet<string> | undefined, after: ReadonlySet<string>): Generator<string> {
  for (const name of before ?? []) if (!after.has(name)) yield name
  for (const name of after) if (before?.has(name) !== true) yield name
}
