/** All that keeps models in the memory of hosts: what is planned, and what is loaded by admin APIs. */
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { type ClockOverrides, type Clocks, loadMsMax } from './clocks.ts'
import type { Host } from './host.ts'
import { type LoadLeases, ModelLoads } from './model-loads.ts'
import { ModelsTold, type ModelsToldParts } from './models-told.ts'
import { type ResidencyOptions, ResidencyPlanner } from './residency.ts'

export interface KeeperOptions {
  readonly relay: Clocks
  readonly models: {
    readonly residency: ResidencyOptions
    readonly clocks: Readonly<Record<string, ClockOverrides>>
  }
}

export interface KeeperParts {
  readonly clock: Clock
  readonly log: Log
  readonly userAgent: string
  /** Something may be given that could not be before. */
  readonly onChange: () => void
  /** Asks the host anew what it has. */
  readonly probe: (host: Host) => void
  /** Absent where no other gateway stands before the same hosts. */
  readonly leases?: LoadLeases | undefined
}

export class ModelKeeper {
  readonly planner: ResidencyPlanner
  readonly loads: ModelLoads

  readonly #parts: KeeperParts

  /** `options`: as they are now. */
  constructor(options: () => KeeperOptions, parts: KeeperParts) {
    this.#parts = parts
    const within = { ...parts, loadMsMax: (host: Host, model: string) => loadMsMax(options(), host, model) }
    this.loads = new ModelLoads(within)
    this.planner = new ResidencyPlanner(() => options().models.residency, { ...within, order: this.loads.order })
  }

  /** What other gateways before the same hosts are told of models, and what is heard of them. */
  toldWith(others: Pick<ModelsToldParts, 'id' | 'hosts' | 'waitingAt'>): ModelsTold {
    return new ModelsTold({ ...this.#parts, ...others, planner: this.planner })
  }

  /** Nothing is begun by time any more; what is being loaded is given up. */
  async close(): Promise<void> {
    this.planner.stop()
    await this.loads.stop()
  }
}
