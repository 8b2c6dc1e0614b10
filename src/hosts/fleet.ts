/** All hosts of a gateway, made from its configuration. */
import { authoritiesOf } from './authorities.ts'
import type { ClockOverrides } from './clocks.ts'
import { canSpare, Host, type HostParts, mayEjectOneMore } from './host.ts'
import { hostKind } from './kinds/kinds.ts'
import type { ResolveName } from './name-lookup.ts'
import type { HealthOptions, HostOptions, HostSlo } from './options.ts'

export interface FleetOptions {
  readonly hosts: readonly (HostOptions & { readonly name: string })[]
  readonly health: HealthOptions
  readonly slo: HostSlo
  /** What the relay waits for a connection; models may have times of their own. */
  readonly relay: { readonly connectMsMax: number }
  readonly models: { readonly clocks: Readonly<Record<string, ClockOverrides>> }
}

export interface FleetParts extends Omit<HostParts, 'mayEject' | 'canSpare'> {
  readonly resolveName: ResolveName | undefined
}

/** What the transport waits for a connection beyond the relay's own clock. */
const connectMarginMs = 1_000

export function makeFleet(options: FleetOptions, { resolveName, ...parts }: FleetParts): readonly Host[] {
  const { health, slo } = options
  const hosts: Host[] = []
  const hostParts: HostParts = {
    ...parts,
    mayEject: () => mayEjectOneMore(hosts),
    canSpare: (host) => canSpare(host, hosts),
  }
  for (const { kind, ...host } of options.hosts) {
    const settings = { ...host, kind: kind === undefined ? null : hostKind(kind) }
    const connectMsMax = longestConnectMs(host.clocks, options) + connectMarginMs
    const { clock } = parts
    const transport = { connectMsMax, authorities: authoritiesOf(host), clock, resolveName }
    hosts.push(new Host(settings, { ...transport, health, slo }, hostParts))
  }
  return hosts
}

/** Of all requests to the host: the relay's own clocks, of which a model may have longer ones, are to fire first. */
function longestConnectMs(ofHost: ClockOverrides | undefined, { relay, models }: FleetOptions): number {
  const ofModels = Object.values(models.clocks).map(({ connectMsMax = 0 }) => connectMsMax)
  return Math.max(ofHost?.connectMsMax ?? relay.connectMsMax, ...ofModels)
}
