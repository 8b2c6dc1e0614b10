/** One inference host: who it is, what it serves, whether it may take work now. */
import type { HostState } from './events.ts'
import type { HostKind, HostModel, ProbeResult } from './kinds/host-kind.ts'
import { Transport, type TransportOptions } from './transport.ts'

export interface HostSettings {
  readonly name: string
  readonly url: string
  readonly kind: HostKind | null
  /** Configured number of slots; it wins over what the host and its kind say. */
  readonly slots?: number | undefined
  readonly apiKey?: string | undefined
  /** Names it serves beyond those it lists. */
  readonly models: readonly string[]
  /** Non-streamed chat and completions are run as streams. */
  readonly streamUpstream?: boolean
}

/** Slots while neither configuration, host nor kind has said a number. */
const slotsUnknown = 4

export class Host {
  readonly name: string
  readonly url: URL
  /** Its path in front of `/v1/…`; '' for nearly every host. */
  readonly basePath: string
  readonly apiKey: string | undefined
  /** Non-streamed chat and completions are run as streams here, and put together. */
  readonly streamUpstream: boolean
  readonly transport: Transport
  /** Whoever holds a slot; the host's load is the size of this set and is counted nowhere else. */
  readonly leases = new Set<object>()
  /** Null until detected. */
  kind: HostKind | null
  /** One sentence on why the host takes no work, or null. */
  problem: string | null = 'not probed yet'
  /** False until the first probe ended. */
  probed = false
  readonly #settings: HostSettings
  #up = false
  #failuresInARow = 0
  #slotsReported: number | undefined
  #models: ReadonlyMap<string, HostModel> | null = null

  constructor(settings: HostSettings, options: TransportOptions) {
    this.#settings = settings
    this.name = settings.name
    this.url = new URL(settings.url)
    this.basePath = this.url.pathname.replace(/\/+$/, '')
    // An environment variable that is set but empty is no key.
    this.apiKey = settings.apiKey === '' ? undefined : settings.apiKey
    this.streamUpstream = settings.streamUpstream ?? false
    this.kind = settings.kind
    this.transport = new Transport(this.url.origin, options)
  }

  get up(): boolean {
    return this.#up
  }

  /** Whether it may be given work at all; whether a slot is free is another question. */
  get available(): boolean {
    return this.#up && this.problem === null
  }

  get slots(): number {
    return this.#settings.slots ?? this.#slotsReported ?? this.kind?.slotsDefault ?? slotsUnknown
  }

  get hasFreeSlot(): boolean {
    return this.leases.size < this.slots
  }

  get failuresInARow(): number {
    return this.#failuresInARow
  }

  /** The models of its last list, by id; null while no list was ever read. */
  get models(): ReadonlyMap<string, HostModel> | null {
    return this.#models
  }

  /** Whether it was last seen to serve the name, or is configured to. */
  serves(model: string): boolean {
    return this.#models?.has(model) === true || this.#settings.models.includes(model)
  }

  /** The host's catalogue can be relied on to say that a model is not there. */
  get catalogueKnown(): boolean {
    return this.#models !== null
  }

  get configuredModels(): readonly string[] {
    return this.#settings.models
  }

  /** True when the model must be loaded before it can answer. */
  mustLoad(model: string): boolean {
    return this.kind?.loadsOnDemand === true && this.#models?.get(model)?.resident !== true
  }

  /** Takes in a probe; true when anything changed that waiting requests care about. */
  probeSucceeded(result: ProbeResult): boolean {
    const slotsBefore = this.slots
    const availableBefore = this.available
    this.probed = true
    this.#up = true
    this.#failuresInARow = 0
    this.problem = result.shedding ?? null
    this.#slotsReported = result.slots ?? this.#slotsReported
    const modelsChanged = result.models !== null && this.#takeModels(result.models)
    return modelsChanged || this.slots !== slotsBefore || this.available !== availableBefore
  }

  /** `fall` failures in a row take a host down; one that never was up is down at the first. */
  probeFailed(problem: string, fall: number): void {
    this.probed = true
    this.#failuresInARow++
    if (this.#up && this.#failuresInARow < fall) return
    this.#up = false
    this.problem = problem
  }

  /** A request could not even connect: the host is down until a probe says otherwise. */
  connectFailed(problem: string): void {
    this.#up = false
    this.problem = problem
  }

  state(): HostState {
    return {
      name: this.name,
      up: this.#up,
      inFlight: this.leases.size,
      slots: this.slots,
      models: this.#models?.size ?? 0,
    }
  }

  #takeModels(models: readonly HostModel[]): boolean {
    const before = this.#models
    const after = new Map(models.map((model) => [model.id, model]))
    this.#models = after
    return before === null || before.size !== after.size || [...after.keys()].some((id) => !before.has(id))
  }
}
