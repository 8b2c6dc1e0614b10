/** The settings in force, and how every part hears of others while the gateway runs. */
import type { Access } from './access/access.ts'
import type { Balancing } from './balancing/balancing.ts'
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { Overload } from './base/overload.ts'
import { configChange } from './config/changes.ts'
import { type ReloadCause, Reloader, type ReloadResult, type ReloadState, type Taken } from './config/reload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import { FileWatch } from './config/watch-file.ts'
import type { GatewayParts } from './gateway-parts.ts'
import type { CheckedHosts, Fleet } from './hosts/fleet.ts'
import type { ModelCatalog } from './hosts/model-catalog.ts'
import type { Prober } from './hosts/prober.ts'
import { type CostOf, costs } from './metering/prices.ts'
import type { ByteBudget } from './queue/byte-budget.ts'
import type { Dispatcher } from './queue/dispatcher.ts'

/** Who is told of settings; what reads them each time from `config` is not among them. */
export interface ToldParts {
  readonly fleet: Fleet
  readonly catalog: ModelCatalog
  readonly prober: Prober
  readonly dispatcher: Dispatcher
  readonly balancing: Balancing
  readonly budget: ByteBudget
  readonly overload: Overload
  readonly access: Access
}

export interface LiveConfigParts extends Pick<GatewayParts, 'loadConfig' | 'configFile' | 'onConfig'> {
  readonly clock: Clock
  readonly log: Log
  /** Asked once all of them are there. */
  readonly told: () => ToldParts
}

export class LiveConfig {
  readonly #parts: LiveConfigParts
  readonly #reloader: Reloader | null
  readonly #watch: FileWatch | null
  readonly #startedAtMs: number
  #config: ResolvedConfig
  #costOf: CostOf

  constructor(config: ResolvedConfig, parts: LiveConfigParts) {
    const { clock, log, loadConfig, configFile = null } = parts
    this.#config = config
    this.#costOf = costs(config.usage.prices)
    this.#parts = parts
    this.#reloader =
      loadConfig === undefined
        ? null
        : new Reloader({ clock, log, load: loadConfig, file: configFile, apply: (wanted) => this.#adopt(wanted) })
    this.#watch =
      configFile === null ? null : new FileWatch({ clock, path: configFile, onChange: () => this.#fileChanged() })
    this.#startedAtMs = clock.wallMs()
  }

  /** In force: with what a reload has changed, but for what waits for a start. */
  get config(): ResolvedConfig {
    return this.#config
  }

  get state(): ReloadState {
    return this.#reloader?.state ?? { isSuccess: true, takenAtMs: this.#startedAtMs }
  }

  readonly costOf: CostOf = (model, tokens) => this.#costOf(model, tokens)

  /** From now on a change of the file is seen. */
  async watch(): Promise<void> {
    await this.#watch?.start()
  }

  /** No change is seen any more. */
  stop(): void {
    this.#watch?.close()
  }

  /** Null where it was not read from anywhere. */
  reload(cause: ReloadCause): Promise<ReloadResult> | null {
    return this.#reloader?.reload(cause) ?? null
  }

  #fileChanged(): void {
    if (this.#config.server.reloadOnChange) void this.reload('file')
  }

  #adopt(wanted: ResolvedConfig): Taken {
    const { inForce, changed, waiting } = configChange(this.#config, wanted)
    const told = this.#parts.told()
    // All that can fail, before anything has changed.
    const hosts = told.fleet.check(inForce)
    this.#config = inForce
    this.#costOf = costs(inForce.usage.prices)
    const change = tell(inForce, hosts, told)
    this.#parts.onConfig?.(inForce)
    return { changed, waiting, hostsJoined: change.joined, hostsLeft: change.left, hostsChanged: change.changed }
  }
}

function tell(config: ResolvedConfig, hosts: CheckedHosts, told: ToldParts) {
  const { fleet, catalog, prober, dispatcher, balancing, budget, overload, access } = told
  const { limits, teams, queue } = config
  // Before hosts leave: who waits for a name that leads elsewhere now is not to hear that nobody has it.
  catalog.adopt(config.models.aliases)
  budget.bytesMax = queue.bytesMax
  overload.adopt(config.overload)
  prober.adopt(config.probe)
  dispatcher.adopt(queue)
  balancing.balancer.adopt(config.balancing.policy)
  access.adopt({ limits, teams, waitingMax: queue.lengthMaxPerKey })
  const change = fleet.adopt(hosts)
  dispatcher.hostsChanged()
  dispatcher.hostsLeft()
  return change
}
