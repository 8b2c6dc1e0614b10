/** What other gateways do with the models of a host: what runs there, what is waited for, what is loaded, whose turn it is. */
import type { Clock } from '../base/clock.ts'

export interface LoadElsewhere {
  readonly model: string
  readonly evicts: readonly string[]
  /** Nothing else may run there meanwhile. */
  readonly isAlone: boolean
}

/** It is this model's turn, for which nothing new is begun with those of `out`. */
export interface ModelTurn {
  readonly model: string
  /** Null: with all others. */
  readonly out: ReadonlySet<string> | null
}

/** Of one gateway. */
export interface ModelsAt {
  /** Requests, by model. */
  readonly uses: ReadonlyMap<string, number>
  readonly waits: ReadonlyMap<string, number>
  readonly loading: LoadElsewhere | null
  readonly turn: ModelTurn | null
}

/** What was told with some beats in a row, and no more with those after them, counts no longer. */
const staleAfterMs = 3_000

export class ModelsElsewhere {
  readonly #clock: Clock
  readonly #told = new Map<string, ModelsAt & { readonly atMs: number }>()
  /** For which a slot was asked for in vain, because of what others do there with theirs; until it is asked for again. */
  readonly refused = new Set<string>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Null: it has nothing there any more. */
  told(replica: string, models: ModelsAt | null): void {
    if (models === null) this.#told.delete(replica)
    else this.#told.set(replica, { ...models, atMs: this.#clock.now() })
  }

  isUsed(model: string): boolean {
    for (const { uses } of this.#live()) if ((uses.get(model) ?? 0) > 0) return true
    return false
  }

  /** Whether requests for others than this model are there. */
  hasOthers(model: string): boolean {
    for (const { uses } of this.#live())
      for (const [other, count] of uses) if (other !== model && count > 0) return true
    return false
  }

  /** Requests that wait for it. */
  waiting(model: string): number {
    let waiting = 0
    for (const { waits } of this.#live()) waiting += waits.get(model) ?? 0
    return waiting
  }

  get loading(): LoadElsewhere | null {
    for (const { loading } of this.#live()) if (loading !== null) return loading
    return null
  }

  /** Of those that began one at once that of the first by name: all agree on whose it is. */
  get turn(): { readonly replica: string; readonly turn: ModelTurn } | null {
    if (this.#told.size === 0) return null
    let first: { readonly replica: string; readonly turn: ModelTurn } | null = null
    for (const [replica, { turn, atMs }] of this.#told) {
      const counts = turn !== null && this.#clock.now() - atMs <= staleAfterMs
      if (counts && (first === null || replica < first.replica)) first = { replica, turn }
    }
    return first
  }

  *#live(): Iterable<ModelsAt> {
    for (const models of this.#told.values()) if (this.#clock.now() - models.atMs <= staleAfterMs) yield models
  }
}

/** Nothing is begun with the model while that is loaded. */
export function isInTheWay(load: LoadElsewhere | null, model: string): boolean {
  return load !== null && (load.isAlone || load.evicts.includes(model))
}
