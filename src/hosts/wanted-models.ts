/** Which models are waited for at which hosts, and by whom: as of the last plan. */
import type { Host } from './host.ts'
import type { Candidate } from './route.ts'

/** Requests that wait for one model, whatever its name is at each host. */
export interface Demand {
  /** Hosts that may take them, but for their slots. */
  readonly candidates: readonly Candidate[]
  readonly waiting: number
  /** How long they are likely to wait where the model is; null where that is not known. */
  readonly waitMs: () => number | null
  /** Whose request it is that a load is for; null where nobody is known. */
  readonly holder: string | null
  /** All of whom requests wait. */
  readonly holders: () => Iterable<string>
  /** So long a host loaded for them. */
  readonly charge: (host: Host, model: string, ms: number) => void
}

export class WantedModels {
  readonly #wanted = new Map<Host, Map<string, Demand[]>>()

  constructor(demands: readonly Demand[] = []) {
    for (const demand of demands) for (const { host, model } of demand.candidates) this.#of(host, model).push(demand)
  }

  has(host: Host, model: string): boolean {
    return this.#wanted.get(host)?.has(model) === true
  }

  /** Of those that it would be of use to. */
  demands(host: Host, model: string): readonly Demand[] {
    return this.#wanted.get(host)?.get(model) ?? []
  }

  /** Requests that it would be of use to. */
  waiting(host: Host, model: string): number {
    return this.demands(host, model).reduce((sum, { waiting }) => sum + waiting, 0)
  }

  /** Null where nobody waits for it. */
  holders(host: Host, model: string): Iterable<string> | null {
    const demands = this.#wanted.get(host)?.get(model)
    return demands === undefined ? null : demands.values().flatMap(({ holders }) => holders())
  }

  #of(host: Host, model: string): Demand[] {
    const models = this.#wanted.get(host) ?? new Map<string, Demand[]>()
    this.#wanted.set(host, models)
    const demands = models.get(model) ?? []
    models.set(model, demands)
    return demands
  }
}

/** Since when none of its hosts has had it: those that were longest without are the first, so that turns go round. */
export function awaySinceMs({ candidates }: Demand): number {
  return Math.max(...candidates.map(({ host, model }) => host.memory.leftAtMs(model)))
}
