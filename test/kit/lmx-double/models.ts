/** The models a double has loaded, and the names that lead to them. */
import type { Clock } from '../../../src/base/clock.ts'

interface LoadedModel {
  readonly id: string
  readonly loadedAtMs: number
  requestCount: number
  lastUsedAtMs: number
}

export class LoadedModels {
  readonly #loaded = new Map<string, LoadedModel>()
  readonly #aliases: Readonly<Record<string, readonly string[]>>
  readonly #clock: Clock
  /** Told of every load and unload: the source of `/admin/events`. */
  onChange: (event: 'model_loaded' | 'model_unloaded', id: string) => void = () => {}
  /** Models that it was told to load, those it did not among them. */
  readonly ordered: string[] = []
  /** Models that it was told to unload. */
  readonly unloaded: string[] = []
  readonly #held: (() => void)[] = []

  constructor(ids: readonly string[], aliases: Readonly<Record<string, readonly string[]>>, clock: Clock) {
    this.#aliases = aliases
    this.#clock = clock
    for (const id of ids) this.load(id)
  }

  get ids(): string[] {
    return [...this.#loaded.keys()]
  }

  get all(): LoadedModel[] {
    return [...this.#loaded.values()]
  }

  has(id: string): boolean {
    return this.#loaded.has(id)
  }

  load(id: string): void {
    if (this.#loaded.has(id)) return
    const nowMs = this.#clock.wallMs()
    this.#loaded.set(id, { id, loadedAtMs: nowMs, requestCount: 0, lastUsedAtMs: nowMs })
    this.onChange('model_loaded', id)
  }

  /** The loads that are held end, well. */
  endLoads(): void {
    for (const end of this.#held.splice(0)) end()
  }

  /** Resolves when `endLoads` is called. */
  held(): Promise<void> {
    return new Promise((resolve) => this.#held.push(resolve))
  }

  /** Does not wait for running answers, as LMX does not. */
  unload(id: string): void {
    if (this.#loaded.delete(id)) this.onChange('model_unloaded', id)
  }

  used(id: string): void {
    const model = this.#loaded.get(id)
    if (model === undefined) return
    model.requestCount += 1
    model.lastUsedAtMs = this.#clock.wallMs()
  }

  /** The loaded model that a name leads to, or null. */
  resolve(name: string): string | null {
    if (this.#loaded.has(name)) return name
    if (name === 'auto') return this.ids.toSorted()[0] ?? null
    return this.#aliases[name]?.find((id) => this.#loaded.has(id)) ?? null
  }
}
