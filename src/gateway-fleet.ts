/** The fleet of a gateway, and who hears of what happens to its hosts; all of those are made later, and asked once they are there. */
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { ResolvedConfig } from './config/schema.ts'
import { Fleet } from './hosts/fleet.ts'
import type { Host } from './hosts/host.ts'
import type { ResolveName } from './hosts/name-lookup.ts'
import type { Prober } from './hosts/prober.ts'
import { isInside } from './http/client-address.ts'
import type { MetricEvents } from './observe/metrics.ts'
import type { Dispatcher } from './queue/dispatcher.ts'
import type { ZombieSlots } from './queue/zombie-slots.ts'

/** Who hears of hosts. */
interface Hearing {
  readonly config: ResolvedConfig
  readonly dispatcher: Dispatcher
  readonly events: MetricEvents
  readonly prober: Prober
  readonly zombies: ZombieSlots
  /** Nothing runs there any more: nothing of it is kept. */
  readonly forget: (host: Host) => void
}

export interface FleetPartsGiven {
  readonly clock: Clock
  readonly log: Log
  readonly resolveName: ResolveName | undefined
  readonly hearing: () => Hearing
}

export function fleetOf(config: ResolvedConfig, { hearing, ...parts }: FleetPartsGiven): Fleet {
  return new Fleet(config, {
    ...parts,
    chance: Math.random,
    mayConnectTo: (address) => isInside(address, hearing().config.admin.hostNetworks),
    onChange: () => hearing().dispatcher.hostsChanged(),
    onLimitChange: ({ name }, direction, reason) => hearing().events.limitChanged(name, direction, reason),
    loadEvents: {
      loadBegan: (host, model) => hearing().events.loadBegan(host, model),
      loadEnded: (host, model, result, ms) => hearing().events.loadEnded(host, model, result, ms),
      evicted: (host, model) => hearing().events.evicted(host, model),
    },
    onJoined: (host) => void hearing().prober.probe(host),
    onLeaving: (host) => {
      const { prober, zombies } = hearing()
      prober.forget(host)
      zombies.forget(host)
    },
    onShrunk: () => hearing().dispatcher.hostsLeft(),
    onLeft: (host) => hearing().forget(host),
  })
}
