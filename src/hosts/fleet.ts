/**
 * All hosts of a gateway: made from its configuration, and changed while it runs. One that goes is given nothing more, and is
 * closed and forgotten when what runs there has ended.
 */
import { isIP } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { authoritiesOf } from './authorities.ts'
import type { ClockOverrides } from './clocks.ts'
import { Host } from './host.ts'
import type { HostParts, HostSettings } from './host-settings.ts'
import { hostKind } from './kinds/kinds.ts'
import type { ResolveName } from './name-lookup.ts'
import type { HealthOptions, HostOptions, HostSlo } from './options.ts'
import { canSpare, mayEjectOneMore } from './spare-hosts.ts'

export type NamedHost = HostOptions & { readonly name: string }

export interface FleetOptions {
  readonly hosts: readonly NamedHost[]
  readonly health: HealthOptions
  readonly slo: HostSlo
  /** What the relay waits for a connection; models may have times of their own. */
  readonly relay: { readonly connectMsMax: number }
  readonly models: {
    readonly clocks: Readonly<Record<string, ClockOverrides>>
    readonly contextTokensMax?: Readonly<Record<string, number>>
  }
}

export interface FleetParts extends Omit<HostParts, 'mayEject' | 'canSpare'> {
  readonly resolveName: ResolveName | undefined
  /** Whether a host that an operator added may have this address; those of the configuration may have any. */
  readonly mayConnectTo?: (address: string) => boolean
  /** Nothing is known of it yet. */
  readonly onJoined?: (host: Host) => void
  /** It is given nothing more. */
  readonly onLeaving?: (host: Host) => void
  /** Those have been told that left: what waits for them alone waits in vain. */
  readonly onShrunk?: () => void
  /** Nothing runs there any more: what is kept of it is of no use. */
  readonly onLeft?: (host: Host) => void
}

/** Of a change: names of hosts. */
export interface FleetChange {
  readonly joined: readonly string[]
  readonly left: readonly string[]
  /** With other settings: what runs there goes on. */
  readonly changed: readonly string[]
}

/** Who wants a host: the configuration, or an operator while the gateway runs. */
export type HostSource = 'configuration' | 'operator'

interface Member {
  readonly host: Host
  readonly source: HostSource
  readonly options: NamedHost
  readonly authorities: string | undefined
}

/** A host as it is wanted, its files read. */
type Wanted = Omit<Member, 'host'>

/** Hosts as a configuration has them, with all read and looked at that can fail. */
export interface CheckedHosts {
  readonly options: FleetOptions
  readonly hosts: readonly Wanted[]
}

/** What the transport waits for a connection beyond the relay's own clock. */
const connectMarginMs = 1_000

export class Fleet {
  /** Those that may be given work: one list for good, changed in place, so that whoever has it sees them as they are. */
  readonly hosts: readonly Host[]
  readonly #hosts: Host[] = []
  readonly #members = new Map<Host, Member>()
  readonly #leaving = new Map<Host, Member>()
  /** Of hosts of the configuration that an operator took out: it still has them, and they stay away. */
  readonly #takenOut = new Set<string>()
  readonly #closing = new Set<Promise<void>>()
  readonly #parts: FleetParts
  #options: FleetOptions

  constructor(options: FleetOptions, parts: FleetParts) {
    this.hosts = this.#hosts
    this.#options = options
    this.#parts = parts
    for (const wanted of this.#prepared(options.hosts)) this.#take({ ...wanted, host: this.#made(wanted) })
  }

  /** Those that go, and are given nothing more. */
  get leaving(): Iterable<Host> {
    return this.#leaving.keys()
  }

  sourceOf(host: Host): HostSource {
    return this.#members.get(host)?.source ?? this.#leaving.get(host)?.source ?? 'configuration'
  }

  /** Throws a StartError where a file that a host names cannot be used; nothing has changed then. */
  check(options: FleetOptions): CheckedHosts {
    return { options, hosts: this.#prepared(options.hosts) }
  }

  /** As the configuration has it now; nothing of it can fail any more. What an operator added stays, unless it has a host of that name or place, too. */
  adopt({ options, hosts: inFile }: CheckedHosts): FleetChange {
    this.#options = options
    for (const name of this.#takenOut) if (!inFile.some((one) => one.options.name === name)) this.#takenOut.delete(name)
    const wanted = inFile.filter((one) => !this.#takenOut.has(one.options.name))
    const added = [...this.#members.values()].filter(
      ({ source, options: own }) =>
        source === 'operator' && !inFile.some((one) => isAlike(one.options, own)) && this.#mayStay(own),
    )
    return this.#become([...wanted, ...added])
  }

  /** Throws a StartError, as `check`. */
  add(options: NamedHost): Host {
    const [wanted] = this.#prepared([options])
    this.#takenOut.delete(options.name)
    this.#become([
      ...this.#members.values(),
      ...(wanted === undefined ? [] : [{ ...wanted, source: 'operator' as const }]),
    ])
    const host = this.#hosts.find(({ name }) => name === options.name)
    if (host === undefined) throw new Error('a host that was added is not there')
    return host
  }

  /** The host that has this name or is at this place already. */
  like(options: Pick<NamedHost, 'name' | 'url'>): Host | undefined {
    for (const [host, member] of this.#members) if (isAlike(member.options, options)) return host
    return undefined
  }

  remove(host: Host): void {
    if (this.sourceOf(host) === 'configuration') this.#takenOut.add(host.name)
    this.#become([...this.#members.values()].filter((member) => member.host !== host))
  }

  /** Once for each host that is still there; what was leaving is closed with the others. */
  async close(): Promise<void> {
    const hosts = [...this.#members.keys(), ...this.#leaving.keys()]
    await Promise.all([...hosts.map((host) => host.close()), ...this.#closing])
  }

  #prepared(hosts: readonly NamedHost[]): Wanted[] {
    return hosts.map((options) => ({ options, source: 'configuration', authorities: authoritiesOf(options) }))
  }

  #become(wanted: readonly Wanted[]): FleetChange {
    const joined: Host[] = []
    const changed: string[] = []
    const before = new Map(this.#members)
    this.#members.clear()
    this.#hosts.length = 0
    for (const one of wanted) {
      const known = [...before.values()].find((member) => isSameServer(member, one))
      if (known === undefined) {
        const host = this.#returning(one) ?? this.#made(one)
        this.#take({ ...one, host })
        joined.push(host)
        continue
      }
      before.delete(known.host)
      if (!isDeepStrictEqual(known.options, one.options)) changed.push(known.host.name)
      this.#set(known.host, one)
      this.#take({ ...one, host: known.host })
    }
    for (const [host, member] of before) this.#leave(host, member)
    for (const host of joined) this.#parts.onJoined?.(host)
    if (joined.length + before.size + changed.length > 0) this.#parts.onChange()
    if (before.size > 0) this.#parts.onShrunk?.()
    return { joined: joined.map(({ name }) => name), left: [...before.keys()].map(({ name }) => name), changed }
  }

  #take(member: Member): void {
    this.#members.set(member.host, member)
    this.#hosts.push(member.host)
  }

  #made({ options, authorities }: Wanted): Host {
    const { clock, resolveName, mayConnectTo = () => true } = this.#parts
    const { health, slo } = this.#options
    const transport = {
      connectMsMax: this.#connectMsMax(options),
      authorities,
      clock,
      resolveName,
      mayConnectTo: (address: string) => this.sourceOf(host) === 'configuration' || mayConnectTo(address),
    }
    const host: Host = new Host(
      settingsOf(options),
      { ...transport, health, slo, contextsOfModels: this.#options.models.contextTokensMax ?? {} },
      {
        ...this.#parts,
        mayEject: () => mayEjectOneMore(this.hosts),
        canSpare: (one) => canSpare(one, this.hosts),
      },
    )
    return host
  }

  #set(host: Host, { options }: Wanted): void {
    const { health, slo, models } = this.#options
    const contextsOfModels = models.contextTokensMax ?? {}
    host.adopt(settingsOf(options), { health, slo, connectMsMax: this.#connectMsMax(options), contextsOfModels })
  }

  /** One that was to go and has not gone yet: what still runs there counts. */
  #returning(wanted: Wanted): Host | null {
    const member = [...this.#leaving.values()].find((leaving) => isSameServer(leaving, wanted))
    if (member === undefined) return null
    this.#leaving.delete(member.host)
    member.host.stay()
    this.#set(member.host, wanted)
    return member.host
  }

  #leave(host: Host, member: Member): void {
    this.#leaving.set(host, member)
    this.#parts.onLeaving?.(host)
    host.leave(() => this.#gone(host))
  }

  #gone(host: Host): void {
    if (!this.#leaving.delete(host)) return
    this.#parts.onLeft?.(host)
    const closing = host.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }

  /** The networks in which an operator may add hosts may be others now. */
  #mayStay({ url }: NamedHost): boolean {
    const { mayConnectTo = () => true } = this.#parts
    const address = addressIn(url)
    return address === null || mayConnectTo(address)
  }

  /** Of all requests to the host: the relay's own clocks, of which a model may have longer ones, are to fire first. */
  #connectMsMax({ clocks }: NamedHost): number {
    const { relay, models } = this.#options
    const ofModels = Object.values(models.clocks).map(({ connectMsMax = 0 }) => connectMsMax)
    return Math.max(clocks?.connectMsMax ?? relay.connectMsMax, ...ofModels) + connectMarginMs
  }
}

/** The address that a URL names itself; null for a name, whose addresses are looked at when it is connected to. */
export function addressIn(url: string): string | null {
  const name = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return isIP(name) === 0 ? null : name
}

function settingsOf({ kind, ...options }: NamedHost): HostSettings {
  return { ...options, kind: kind === undefined ? null : hostKind(kind) }
}

/** Whatever else may have changed, connections to it and what it was found to be still hold. */
function isSameServer(one: Wanted, other: Wanted): boolean {
  return (
    one.options.name === other.options.name &&
    placeOf(one.options) === placeOf(other.options) &&
    one.options.kind === other.options.kind &&
    one.authorities === other.authorities
  )
}

function isAlike(one: Pick<NamedHost, 'name' | 'url'>, other: Pick<NamedHost, 'name' | 'url'>): boolean {
  return one.name === other.name || placeOf(one) === placeOf(other)
}

function placeOf({ url }: Pick<NamedHost, 'url'>): string {
  return new URL(url).href.replace(/\/+$/, '')
}
