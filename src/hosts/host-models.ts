/** What one host serves: the models of its last list, and the names it is configured to have beside them. */
import { type ConfiguredContext, contextTokensOf } from './context-length.ts'
import type { HostModel } from './kinds/host-kind.ts'

interface Configured {
  readonly models: readonly string[]
  readonly contextTokensMax?: ConfiguredContext
}

export class HostModels {
  #configured: Configured
  #contextsOfModels: Readonly<Record<string, number>>
  #listed: ReadonlyMap<string, HostModel> | null = null
  /** As it told them last, and those that the gateway may have it load beside them. */
  #told: readonly HostModel[] | null = null
  #loadable: readonly HostModel[] = []
  /** It did not have a model that its list shows. */
  #isDoubted = false
  #version = 0

  constructor(configured: Configured, contextsOfModels: Readonly<Record<string, number>>) {
    this.#configured = configured
    this.#contextsOfModels = contextsOfModels
  }

  adopt(configured: Configured, contextsOfModels: Readonly<Record<string, number>>): void {
    this.#configured = configured
    this.#contextsOfModels = contextsOfModels
    this.#version++
  }

  /** Another number whenever `serves` or `contextTokens` may say something else of any name. */
  get version(): number {
    return this.#version
  }

  serves(model: string): boolean {
    return this.#listed?.has(model) === true || this.#configured.models.includes(model)
  }

  /** Of its last list, by id; null while none was ever read. */
  get listed(): ReadonlyMap<string, HostModel> | null {
    return this.#listed
  }

  get configured(): readonly string[] {
    return this.#configured.models
  }

  /** It can be relied on to say that a model is not there. */
  get areKnown(): boolean {
    return this.#listed !== null && !this.#isDoubted
  }

  /** Prompt and answer together; null where it is not known. */
  contextTokens(model: string): number | null {
    const configured = { ofHost: this.#configured.contextTokensMax, ofModels: this.#contextsOfModels }
    return contextTokensOf(model, configured, this.#listed?.get(model)?.contextTokens)
  }

  /** Takes in a list; true when its names or their contexts are others. */
  take(models: readonly HostModel[]): boolean {
    this.#told = models
    const before = this.#listed
    const all = [...this.#loadable, ...models]
    const after = new Map(all.map((model) => [model.id, withContext(model, before?.get(model.id))]))
    this.#listed = after
    this.#isDoubted = false
    const isSame =
      before?.size === after.size &&
      [...after].every(([id, { contextTokens }]) => before.has(id) && before.get(id)?.contextTokens === contextTokens)
    if (!isSame) this.#version++
    return !isSame
  }

  /** What the gateway may have it load; true as `take` is. */
  takeLoadable(models: readonly HostModel[]): boolean {
    this.#loadable = models
    return this.#told !== null && this.take(this.#told)
  }

  /** The host said itself that it does not have this one: the list is wrong until the next one was read. */
  gone(model: string): void {
    if (this.#listed?.has(model) !== true) return
    this.#told = this.#told?.filter(({ id }) => id !== model) ?? null
    const loadable = this.#loadable.find(({ id }) => id === model)
    if (loadable !== undefined) {
      this.#listed = new Map([...this.#listed, [model, loadable]])
      this.#version++
      return
    }
    this.#isDoubted = true
    this.#listed = new Map([...this.#listed].filter(([id]) => id !== model))
    this.#version++
  }
}

/** A model that stays in memory has the context it had, though the host does not tell this time. */
function withContext(model: HostModel, before: HostModel | undefined): HostModel {
  const isKept = model.contextTokens === undefined && model.resident && before?.contextTokens !== undefined
  return isKept ? { ...model, contextTokens: before.contextTokens } : model
}
