/** One inference host: who it is, what it serves, whether it may take work now. */
import { AdaptiveSlots, type AnswerSpeed, type SlotChange } from './adaptive-slots.ts'
import { type ClockOverrides, noOverrides } from './clocks.ts'
import type { ContextPlace } from './context-length.ts'
import type { HostState } from './events.ts'
import { Health } from './health.ts'
import { Holders } from './holders.ts'
import { memoryOf } from './host-memory.ts'
import { HostModels } from './host-models.ts'
import type { HostOptions, HostParts, HostRules, HostSettings } from './host-settings.ts'
import type { HostKind, HostModel, ProbeResult } from './kinds/host-kind.ts'
import type { ModelMemory } from './model-memory.ts'
import { HostSignals } from './signals.ts'
import { slotRange } from './slot-range.ts'
import { SlotsElsewhere } from './slots-elsewhere.ts'
import { Transport } from './transport.ts'

/** A key is mended by hand, so a host that refused it is not asked again soon while another one can be. */
const keyRefusedMs = 60_000

/** What it is paused for: for a while, or until nothing runs there, so that it may be switched off. */
export type PauseCause = 'pause' | 'drain'

/** By this process so far, and the numbers of those that are closed: lists by number stay as short as the fleet was large. */
let hostsMade = 0
const numbersFree: number[] = []

export class Host {
  readonly name: string
  /** No other host of this process has it: the place of this one where a list has something for each. */
  readonly number = numbersFree.pop() ?? hostsMade++
  readonly url: URL
  /** Its path in front of `/v1/…`; '' for nearly every host. */
  readonly basePath: string
  readonly transport: Transport
  /** Whoever holds a slot; the load of the host is how many they are and is counted nowhere else. */
  readonly leases = new Holders()
  readonly elsewhere = new SlotsElsewhere()
  readonly health: Health
  /** Which models are in its memory. */
  readonly memory: ModelMemory
  /** One sentence on why the host takes no work, or null. */
  problem: string | null = 'not probed yet'
  /** False until the first probe ended. */
  probed = false
  #settings: HostSettings
  #kind: HostKind | null
  #kindsKnown = 0
  readonly #parts: HostParts
  readonly #adaptive: AdaptiveSlots
  #pausedFor: PauseCause | null = null
  #onIdle: (() => void) | null = null
  #closed = false
  #up = false
  #everUp = false
  #failuresInARow = 0
  #goodInARow = 0
  #slotsReported: number | undefined
  readonly #models: HostModels
  /** What it says of its load. */
  readonly signals: HostSignals
  #keyRefusedAtMs: number | null = null

  constructor(settings: HostSettings, options: HostOptions, parts: HostParts) {
    this.#settings = settings
    this.#parts = parts
    this.name = settings.name
    this.url = new URL(settings.url)
    this.basePath = this.url.pathname.replace(/\/+$/, '')
    this.#kind = settings.kind
    this.transport = new Transport(this.url.origin, {
      ...options,
      keepAliveMs: () => this.#settings.keepAliveMs ?? this.kind?.keepAliveMs,
    })
    this.#models = new HostModels(settings, options.contextsOfModels ?? {})
    this.signals = new HostSignals(parts.clock)
    this.#adaptive = new AdaptiveSlots(slotRange(settings.slots, undefined, settings.kind), options.slo)
    this.health = new Health(options.health, {
      clock: parts.clock,
      chance: parts.chance,
      slots: () => this.slots,
      leases: () => this.heldInAll,
      mayEject: parts.mayEject,
      onEjected: (forMs) => {
        const forSeconds = Math.round(forMs / 1000)
        parts.log('warn', 'requests to a host fail: it is ejected', { host: this.name, forSeconds })
      },
      onBusy: () => this.#slotsAdapted(this.#adaptive.busy(this.heldInAll, parts.clock.now())),
      onChange: parts.onChange,
    })
    this.memory = memoryOf({
      ...parts,
      name: this.name,
      kind: () => this.kind,
      settings: () => this.#settings,
      events: parts.loadEvents,
    })
  }

  /** Null until detected. */
  get kind(): HostKind | null {
    return this.#kind
  }

  set kind(kind: HostKind | null) {
    this.#kind = kind
    this.#kindsKnown++
  }

  /** An environment variable that is set but empty is no key. */
  get apiKey(): string | undefined {
    const { apiKey } = this.#settings
    return apiKey === '' ? undefined : apiKey
  }

  get adminKey(): string | undefined {
    const { adminKey } = this.#settings
    return adminKey === '' ? undefined : adminKey
  }

  /** Non-streamed chat and completions are run as streams here, and put together. */
  get streamUpstream(): boolean {
    return this.#settings.streamUpstream ?? false
  }

  get tier(): number {
    return this.#settings.tier ?? 1
  }

  get weight(): number {
    return this.#settings.weight ?? 1
  }

  get onDisconnect(): 'cancel' | 'drain' {
    return this.#settings.onDisconnect ?? this.kind?.onDisconnect ?? 'cancel'
  }

  get clocks(): ClockOverrides {
    return this.#settings.clocks ?? noOverrides
  }

  get up(): boolean {
    return this.#up
  }

  /** Whether it may be given work at all; whether a slot is free is another question. */
  get available(): boolean {
    return this.#up && this.problem === null && !this.draining
  }

  /** How many requests it may work on at once while it is well; see `health.limit` for those it may just now. */
  get slots(): number {
    return this.#adaptive.slots
  }

  get hasFreeSlot(): boolean {
    const { limit, busyForMs } = this.health
    const own = this.leases.size
    return !this.paused && own < limit && busyForMs === 0 && this.elsewhere.leavesOne(own, limit)
  }

  /** Slots that are held by this gateway and by others. */
  get heldInAll(): number {
    return this.leases.size + this.elsewhere.held
  }

  /** Somebody wants it to take no new requests; it is not down for that. */
  get paused(): boolean {
    return this.#pausedFor !== null
  }

  /** Requests at the host go on, and so do probes; no other gets a slot. */
  pause(cause: PauseCause = 'pause'): void {
    this.#pausedFor = cause
  }

  /** Null where it is not paused. */
  get pausedFor(): PauseCause | null {
    return this.#pausedFor
  }

  resume(): void {
    if (!this.paused) return
    this.#pausedFor = null
    this.#parts.onChange()
  }

  /** It is the same server with other settings: what runs there goes on. */
  adopt(settings: HostSettings, { health, slo, connectMsMax, contextsOfModels = {} }: HostRules): void {
    if (settings.apiKey !== this.#settings.apiKey) this.#keyRefusedAtMs = null
    this.#settings = settings
    this.#models.adopt(settings, contextsOfModels)
    this.#adaptive.judgeBy(slo)
    this.#adaptive.keepTo(slotRange(settings.slots, this.#slotsReported, this.kind))
    this.health.adopt(health)
    this.transport.connectWithin(connectMsMax)
  }

  /** It belongs to the fleet no more: nothing new begins there. */
  get draining(): boolean {
    return this.#onIdle !== null
  }

  /** From now on only what runs there goes on; `onIdle` is called when nothing does. */
  leave(onIdle: () => void): void {
    this.#onIdle = onIdle
    this.leaseEnded()
  }

  /** It belongs to the fleet again. */
  stay(): void {
    this.#onIdle = null
  }

  /** To be called when one was given back and all of that is done. */
  leaseEnded(): void {
    if (this.leases.size === 0) this.#onIdle?.()
  }

  /** To be called when a request that had to wait was given a slot here; the number of slots grows only after that. */
  heldBack(): void {
    // With fewer leases than slots it waited for another reason, such as a pause.
    if (this.heldInAll >= this.slots) this.#adaptive.heldBack()
  }

  /** To be called once for each attempt that went well, with when it was granted its slot. */
  answered(speed: AnswerSpeed, grantedAtMs: number): void {
    this.#slotsAdapted(this.#adaptive.answered(speed, { grantedAtMs, nowMs: this.#parts.clock.now() }))
  }

  /** How long a host that fell during its slow start still stays down, however well it answers. */
  get provenInMs(): number {
    return this.#parts.canSpare(this) ? this.health.unprovenForMs : 0
  }

  get failuresInARow(): number {
    return this.#failuresInARow
  }

  get goodInARow(): number {
    return this.#goodInARow
  }

  /** The models of its last list, by id; null while no list was ever read. */
  get models(): ReadonlyMap<string, HostModel> | null {
    return this.#models.listed
  }

  /** Another number whenever it may serve other names, or these at other endpoints or with other contexts. */
  get servingVersion(): number {
    return this.#models.version + this.#kindsKnown
  }

  /** Whether it was last seen to serve the name, or is configured to. */
  serves(model: string): boolean {
    return this.#models.serves(model)
  }

  /** The host's catalogue can be relied on to say that a model is not there. */
  get catalogueKnown(): boolean {
    return this.#models.areKnown
  }

  /** How long prompt and answer may be there, and what becomes of longer ones. */
  context(model: string): ContextPlace {
    return { rule: this.kind?.overlong ?? 'refuses_both', contextTokens: this.#models.contextTokens(model) }
  }

  /** It refused the gateway's key a short while ago, so that others are asked first. */
  get refusesKey(): boolean {
    return this.#keyRefusedAtMs !== null && this.#parts.clock.now() - this.#keyRefusedAtMs < keyRefusedMs
  }

  keyRefused(): void {
    this.#keyRefusedAtMs = this.#parts.clock.now()
  }

  get configuredModels(): readonly string[] {
    return this.#models.configured
  }

  /** True when the model must be loaded before it can answer. */
  mustLoad(model: string): boolean {
    return this.memory.mayHaveToLoad(model)
  }

  /**
   * Takes in a probe; true when anything changed that waiting requests care about. `rise` good ones in a row bring a
   * host back that was down, unless it fell so soon after its last return that it must wait; the first time one is enough.
   */
  probeSucceeded(result: ProbeResult, rise = 1, askedAtMs = this.#parts.clock.now()): boolean {
    const slotsBefore = this.slots
    const availableBefore = this.available
    this.probed = true
    this.#failuresInARow = 0
    this.#goodInARow++
    this.#slotsReported = result.slots ?? this.#slotsReported
    this.#adaptive.keepTo(slotRange(this.#settings.slots, this.#slotsReported, this.kind))
    if (this.#up || this.#mayRise(rise)) this.#rise(result.shedding ?? null)
    if (this.slots !== slotsBefore) this.health.reschedule()
    const modelsChanged = this.#takeModels(result, askedAtMs)
    return modelsChanged || this.slots !== slotsBefore || this.available !== availableBefore
  }

  /** `fall` failures in a row take a host down; one that never was up is down at the first. */
  probeFailed(problem: string, fall: number): void {
    this.probed = true
    this.#goodInARow = 0
    this.#failuresInARow++
    if (this.#up && this.#failuresInARow < fall) return
    this.#falls(problem)
  }

  /** A request could not even connect: the host is down until probes say otherwise. */
  connectFailed(problem: string): void {
    this.#goodInARow = 0
    this.#falls(problem)
  }

  /** It said itself that it does not have this model: the list is wrong until the next one was read. */
  modelGone(model: string): void {
    this.#models.gone(model)
    this.memory.unloaded(model)
  }

  /** What its admin API can have it load. */
  toldLoadable(models: readonly HostModel[]): void {
    if (!this.#models.takeLoadable(models)) return
    this.memory.names(this.models?.keys() ?? [])
    this.#parts.onChange()
  }

  async close(): Promise<void> {
    if (!this.#closed) numbersFree.push(this.number)
    this.#closed = true
    this.health.stop()
    await this.transport.close()
  }

  state(): HostState {
    return {
      name: this.name,
      up: this.#up,
      inFlight: this.leases.size,
      slots: this.slots,
      limit: this.health.limit,
      ejected: this.health.ejected,
      paused: this.paused,
      models: this.models?.size ?? 0,
      tier: this.tier,
      draining: this.draining,
      telemetry: this.#up ? this.signals.telemetry : null,
    }
  }

  #takeModels(result: ProbeResult, askedAtMs: number): boolean {
    const haveChanged = result.models !== null && this.#models.take(result.models)
    return this.memory.probed(result, this.models?.keys() ?? [], askedAtMs) || haveChanged
  }

  #slotsAdapted(change: SlotChange | null): void {
    if (change === null) return
    this.health.reschedule()
    this.#parts.onLimitChange?.(this, change.direction, change.reason)
    if (change.direction === 'up') this.#parts.onChange()
  }

  #falls(problem: string): void {
    if (this.#up) this.memory.cleared()
    this.#up = false
    this.problem = problem
  }

  #mayRise(rise: number): boolean {
    return !this.#everUp || (this.#goodInARow >= rise && this.provenInMs === 0)
  }

  #rise(problem: string | null): void {
    if (!this.#up && this.#everUp) this.health.cameBack()
    this.#everUp = true
    this.#up = true
    this.problem = problem
  }
}
