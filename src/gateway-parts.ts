/** What a gateway is made with, and what it can do: the port of whoever runs one. */
import type { Secret } from './access/secret.ts'
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { PressureSource } from './base/pressure.ts'
import type { LoadedConfig } from './config/load.ts'
import type { ReloadCause, ReloadResult } from './config/reload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import type { HostReport } from './hosts/host-report.ts'
import type { ResolveName } from './hosts/name-lookup.ts'
import type { UsageSink } from './metering/usage-record.ts'
import type { Store } from './stores/store.ts'

export interface GatewayParts {
  readonly version: string
  readonly log: Log
  /** Log lines that could not be written so far. */
  readonly logDropped?: () => number
  readonly clock?: Clock
  /** What is kept, where that is being opened already: the gateway closes it. By default it opens it at its start. */
  readonly store?: Promise<Store>
  /** How short of memory and processor time this process is. */
  readonly pressure?: PressureSource
  /** Called once in the life of a store, at its first start: this is the only time that the admin token is told. */
  readonly onAdminToken?: (token: Secret) => void
  /** Gets one record of each request, at its end. */
  readonly usage?: UsageSink
  /** Reads the configuration again, with the flags and the environment of the start; without it, it stays as it is. */
  readonly loadConfig?: () => Promise<LoadedConfig>
  /** The file that it was read from; null where there was none. */
  readonly configFile?: string | null
  /** Other settings hold from now on. */
  readonly onConfig?: (config: ResolvedConfig) => void
  /** Where the addresses of hosts come from; the system's resolver by default. */
  readonly resolveName?: ResolveName
}

/** What a start found, for the operator's eyes. */
export interface Started {
  /** The real addresses. */
  readonly dataUrl: string
  readonly adminUrl: string
  readonly liveKeys: number
  /** Clients without a key are served. */
  readonly isAnonymous: boolean
}

export interface Gateway {
  /** Opens what is kept and binds both listeners, or throws a StartError; does not wait for hosts. */
  start(): Promise<Started>
  /** Resolves after the first probe of every host has ended, well or not; probing goes on. */
  firstProbes(): Promise<readonly HostReport[]>
  /** Takes the configuration anew, if it is good: never rejects, and tells in the log what came of it. Null where there is none to be read again. */
  reload(cause: ReloadCause): Promise<ReloadResult> | null
  /** Drains (newcomers get 503, the others are served for drainMsMax) and resolves when all is closed; `now` ends running streams at once, honestly. */
  stop(options?: { now?: boolean }): Promise<void>
}
