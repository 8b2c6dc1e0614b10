/** What a host is made with: its own settings, the rules for all hosts, and what it needs of its surroundings. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { ClockOverrides } from './clocks.ts'
import type { ConfiguredContext } from './context-length.ts'
import type { LimitDirection, LimitReason, LoadEvents } from './events.ts'
import type { Host } from './host.ts'
import type { LoadSettings } from './host-memory.ts'
import type { HostKind } from './kinds/host-kind.ts'
import type { HealthOptions, HostSlo } from './options.ts'
import type { ConfiguredSlots } from './slot-range.ts'
import type { TransportOptions } from './transport.ts'

export interface HostSettings extends LoadSettings {
  readonly name: string
  readonly url: string
  readonly kind: HostKind | null
  readonly slots?: ConfiguredSlots | undefined
  readonly apiKey?: string | undefined
  /** Of its admin API. */
  readonly adminKey?: string | undefined
  /** Prompt and answer together, of all its models or by their names there; default: what it says. */
  readonly contextTokensMax?: ConfiguredContext
  /** Names it serves beyond those it lists. */
  readonly models: readonly string[]
  /** Non-streamed chat and completions are run as streams. */
  readonly streamUpstream?: boolean
  /** What to do when a client leaves; default: by its kind. */
  readonly onDisconnect?: 'cancel' | 'drain' | undefined
  /** How long an idle connection to it is kept; default: by its kind. */
  readonly keepAliveMs?: number | undefined
  /** Clocks that differ from those for all. */
  readonly clocks?: ClockOverrides | undefined
  /** Those of a lower one are filled before; default: 1. */
  readonly tier?: number | undefined
  /** Its share beside others where hosts are weighted; default: 1. */
  readonly weight?: number | undefined
}

export interface HostOptions extends TransportOptions {
  readonly health: HealthOptions
  /** What the number of slots is adapted to. */
  readonly slo: HostSlo
  /** Prompt and answer together, by the name of a model, where the host itself has no number configured. */
  readonly contextsOfModels?: Readonly<Record<string, number>>
}

/** What may become another while the host is there. */
export type HostRules = Pick<HostOptions, 'health' | 'slo' | 'connectMsMax' | 'contextsOfModels'>

export interface HostParts {
  readonly clock: Clock
  readonly log: Log
  /** A number in [0, 1), as Math.random. */
  readonly chance: () => number
  /** Whether one more host may be ejected; see `mayEjectOneMore`. */
  readonly mayEject: () => boolean
  /** Whether the fleet can do without the host while it proves itself; see `canSpare`. */
  readonly canSpare: (host: Host) => boolean
  /** What the host may be given has changed by itself or by how a request ended. */
  readonly onChange: () => void
  /** Its number of slots was adapted. */
  readonly onLimitChange?: (host: Host, direction: LimitDirection, reason: LimitReason) => void
  readonly loadEvents?: LoadEvents
}
