/** Which models a host has in memory: by its lists, by what it was sent, and by what came of that. */
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock } from '../base/clock.ts'
import type { LoadResult, Residency } from './events.ts'
import { Holders } from './holders.ts'
import type { HostModel, LoadRules, ProbeResult } from './kinds/host-kind.ts'
import type { Load, LoadBeginning } from './load.ts'
import { LoadBudget } from './load-budget.ts'
import { LoadTimes } from './load-times.ts'
import { LoadsOfHour } from './loads-of-hour.ts'
import { MemoryRoom } from './memory-room.ts'
import { ModelsElsewhere } from './models-elsewhere.ts'

/** How models come into the memory of a host: by a request that names one, or by its admin API at the gateway's wish. */
export type LoadsBy = 'request' | 'admin'

export interface MemoryParts {
  readonly clock: Clock
  /** Null where all that it lists is in memory at any time. */
  readonly loadsBy: () => LoadsBy | null
  readonly rules: () => LoadRules | undefined
  /** As configured. */
  readonly modelsMax: () => number | undefined
  /** What it may be given has changed. */
  readonly onChange: () => void
  readonly events: {
    loadBegan(model: string): void
    loadEnded(model: string, result: LoadResult, ms: number): void
    evicted(model: string): void
  }
}

interface Resident {
  /** Monotonic; never used by this gateway: long ago. */
  usedAtMs: number
}

export interface LoadFailure {
  readonly model: string
  readonly problem: string
  /** Monotonic: it is not tried again before. */
  readonly untilMs: number
  readonly times: number
}

/** How an attempt that began a load ended without an answer, as far as it tells of the load. */
export type LoadVerdict = 'failed' | 'lost' | 'not_begun' | 'given_up'

/** How soon it may be known that there is more room. */
const roomLookMs = 60_000
const againMsMin = 10_000
const againMsMax = 600_000
const failuresMax = 1_000
/** About as long as models take turns, so that what is gone for a turn is not forgotten meanwhile. */
const useHalfLifeMs = 600_000
const longAgo = Number.NEGATIVE_INFINITY

export class ModelMemory {
  readonly times = new LoadTimes()
  readonly loads: LoadsOfHour
  readonly budget: LoadBudget
  readonly room: MemoryRoom
  readonly elsewhere: ModelsElsewhere
  readonly #parts: MemoryParts
  readonly #resident = new Map<string, Resident>()
  readonly #uses = new Map<string, Holders>()
  readonly #use = new BoundedMap<string, { readonly count: number; readonly atMs: number }>(failuresMax)
  readonly #failures = new BoundedMap<string, LoadFailure>(failuresMax)
  /** Taken to be put out by a load, until a list says so. */
  readonly #presumedOut = new Set<string>()
  readonly #leftAtMs = new BoundedMap<string, number>(failuresMax)
  /** That its lists name; null while none was read. */
  #named: ReadonlySet<string> | null = null
  #loading: Load | null = null
  #version = 0
  #modelsMaxTold: number | undefined
  #seenMost = 0
  #changedAtMs = longAgo
  #lastLoad: { readonly model: string; readonly endedAtMs: number } | null = null

  constructor(parts: MemoryParts) {
    this.#parts = parts
    this.loads = new LoadsOfHour(parts.clock)
    this.budget = new LoadBudget(parts.clock)
    this.elsewhere = new ModelsElsewhere(parts.clock)
    this.room = new MemoryRoom({
      clock: parts.clock,
      modelsMaxKnown: () => parts.modelsMax() ?? this.#modelsMaxTold,
      modelsMaxGuessed: () => {
        const { modelsMax = 1, growsBySight = false } = parts.rules() ?? {}
        return growsBySight ? Math.max(modelsMax, this.#seenMost) : modelsMax
      },
    })
  }

  get loadsBy(): LoadsBy | null {
    return this.#parts.loadsBy()
  }

  get loading(): Load | null {
    return this.#loading
  }

  /** The last one that ended well. */
  get lastLoad(): { readonly model: string; readonly endedAtMs: number } | null {
    return this.#lastLoad
  }

  /** The one that was used least lately first. */
  get residents(): readonly string[] {
    return [...this.#resident].toSorted(([, a], [, b]) => a.usedAtMs - b.usedAtMs).map(([model]) => model)
  }

  /** One that it does not list is not for the gateway to load, and never in the way. */
  isResident(model: string): boolean {
    return this.loadsBy === null || this.#resident.has(model) || this.#named?.has(model) === false
  }

  /** It may have to be loaded before it can answer. */
  mayHaveToLoad(model: string): boolean {
    return (
      this.loadsBy !== null &&
      !this.#resident.has(model) &&
      (this.loadsBy === 'request' || this.#named?.has(model) === true)
    )
  }

  stateOf(model: string): Residency | null {
    if (this.loadsBy === null) return null
    if (this.#loading?.model === model) return 'loading'
    return this.#resident.has(model) ? 'resident' : 'absent'
  }

  /** Requests for the model that are there. */
  usesOf(model: string): number {
    return this.#uses.get(model)?.size ?? 0
  }

  /** What requests are there for, of this gateway. */
  uses(): Iterable<readonly [string, number]> {
    return this.#uses.entries().map(([model, { size }]) => [model, size])
  }

  /** Whether requests for others than this model are there, of whichever gateway. */
  hasOthers(model: string): boolean {
    return (
      this.elsewhere.hasOthers(model) || this.#uses.entries().some(([other, { size }]) => other !== model && size > 0)
    )
  }

  /** Requests for it so far, the older the less: how much it would be missed. */
  useOf(model: string): number {
    const use = this.#use.get(model)
    return use === undefined ? 0 : use.count * 2 ** (-(this.#nowMs - use.atMs) / useHalfLifeMs)
  }

  usedAtMs(model: string): number {
    return this.#resident.get(model)?.usedAtMs ?? longAgo
  }

  /** When it was last in memory; long ago where it never was. */
  leftAtMs(model: string): number {
    return this.#leftAtMs.get(model) ?? longAgo
  }

  /** Those that the host lists or could load. */
  names(names: Iterable<string>): void {
    this.#named = new Set(names)
  }

  failureOf(model: string): LoadFailure | null {
    const failure = this.#failures.get(model)
    if (failure !== undefined && failure.untilMs > this.#nowMs) return failure
    const others = [...this.#resident.keys(), ...(this.#loading === null ? [] : [this.#loading.model])]
    const problem = this.loadsBy === 'admin' && !others.includes(model) ? this.room.problemOf(model, others) : null
    return problem === null ? null : { model, problem, untilMs: this.#nowMs + roomLookMs, times: 0 }
  }

  /** Takes in a probe, and the names that the host lists or could load; true when it changed what is in memory, or on its way there. */
  probed(result: ProbeResult, names: Iterable<string>, askedAtMs: number): boolean {
    const { models, modelsMax, toldResidency = true } = result
    this.names(names)
    const before = this.#version
    this.#modelsMaxTold = modelsMax ?? this.#modelsMaxTold
    if (models !== null && toldResidency && this.loadsBy !== null) this.#told(models, askedAtMs)
    return this.#version !== before
  }

  /** A request for the model has a slot there. Where it is not in memory, the request is what has it loaded. */
  began(model: string, use: object, holder: string | null = null): void {
    const uses = this.#uses.get(model) ?? new Holders()
    uses.add(use)
    this.#uses.set(model, uses)
    this.#use.set(model, { count: this.useOf(model) + 1, atMs: this.#nowMs })
    const resident = this.#resident.get(model)
    if (resident !== undefined) resident.usedAtMs = this.#nowMs
    else if (this.loadsBy !== 'request') return
    else if (this.#loading === null) this.begin(model, use, { holder })
    else if (this.#loading.model === model && this.#loading.by === null) {
      this.#loading.by = use
      this.#loading.bySinceMs = this.#nowMs
    }
  }

  /** A load begins; `evicts` are put out for it, as far as the gateway can say. */
  begin(model: string, by: object, { evicts = this.#likelyOut(model), holder, ...rest }: LoadBeginning): void {
    const { isAlone = evicts.length > 0 } = rest
    const nowMs = this.#nowMs
    this.#loading = { model, by, sinceMs: nowMs, bySinceMs: nowMs, evicts, isAlone }
    this.#changedAtMs = nowMs
    this.loads.began(holder)
    this.#parts.events.loadBegan(model)
    if (this.loadsBy === 'request') for (const out of evicts) this.#presumeOut(out)
  }

  /** It gave the first content for this request, which it had to read for so long: how long it loaded for it, else 0. */
  content(model: string, use: object, readMs: number): number {
    const load = this.#loading
    if (load?.model === model) {
      const forMs = load.by === use ? this.#nowMs - load.bySinceMs : 0
      this.#loaded(this.#nowMs - load.sinceMs - readMs)
      this.#parts.onChange()
      return forMs
    }
    if (this.loadsBy === 'request') this.#comes(model)
    return 0
  }

  /** The request is over; null where it brought a whole answer. Returns as `content` does; whoever calls looks for what has changed. */
  ended(model: string, use: object, verdict: LoadVerdict | null): number {
    const uses = this.#uses.get(model)
    uses?.delete(use)
    if (uses?.size === 0) this.#uses.delete(model)
    const resident = this.#resident.get(model)
    if (resident !== undefined) resident.usedAtMs = this.#nowMs
    const load = this.#loading
    if (load?.by !== use) return 0
    const forMs = this.#nowMs - load.bySinceMs
    if (verdict === null) this.#loaded(null)
    else if (verdict === 'given_up') load.by = null
    else if (verdict === 'not_begun') this.#endLoad(load, 'refused')
    else this.#failed(load, verdict, 'the request that should have had it loaded failed')
    return forMs
  }

  /** An order to load by the admin API went well. */
  loaded(by: object): void {
    if (this.#loading?.by !== by) return
    this.room.changed(this.#loading.model, 'came')
    this.#loaded(this.#nowMs - this.#loading.sinceMs)
    this.#parts.onChange()
  }

  /** The order came to nothing; where nobody knows what became of it, the host may go on. */
  failed(by: object, result: Exclude<LoadResult, 'ok'>, problem: string): void {
    const load = this.#loading
    if (load?.by !== by) return
    this.#failed(load, result, problem)
    this.#parts.onChange()
  }

  /** The order was not carried out: what it would have put out is in use. */
  postponed(by: object): void {
    const load = this.#loading
    if (load?.by !== by) return
    this.#endLoad(load, 'refused')
    this.loads.takeBack()
    this.#parts.onChange()
  }

  /** There was no room beside what is in memory: some of that must go first. */
  noRoom(by: object, problem: string): void {
    const load = this.#loading
    if (load?.by !== by) return
    if (this.#resident.size === 0) {
      this.room.refusedAlone(load.model)
      this.#failed(load, 'refused', problem)
    } else {
      this.room.refused(this.#resident.size)
      this.#endLoad(load, 'refused')
    }
    this.#parts.onChange()
  }

  /** The load that was given up is not waited for any longer. */
  forgetLoad(): void {
    if (this.#loading !== null) this.#endLoad(this.#loading, 'lost')
  }

  /** Put out by the admin API, or the host says that it does not have it. */
  unloaded(model: string): void {
    if (!this.#leaves(model)) return
    this.room.changed(model, 'left')
    this.#changedAtMs = this.#nowMs
    this.#parts.events.evicted(model)
  }

  /** It was down: what it had in memory is gone, and so is what it was loading. */
  cleared(): void {
    if (this.loadsBy === null) return
    if (this.#loading !== null) this.#endLoad(this.#loading, 'lost')
    for (const model of this.#resident.keys()) this.#leaves(model)
    this.#presumedOut.clear()
  }

  get #nowMs(): number {
    return this.#parts.clock.now()
  }

  /** A list asked for at `askedAtMs`: what has changed here since then is not taken back. */
  #told(models: readonly HostModel[], askedAtMs: number): void {
    const inMemory = new Set(models.filter(({ resident }) => resident).map(({ id }) => id))
    for (const model of inMemory) this.#toldResident(model, askedAtMs)
    for (const model of this.#presumedOut) {
      if (askedAtMs < this.#changedAtMs) continue
      this.#presumedOut.delete(model)
      if (!inMemory.has(model)) this.#parts.events.evicted(model)
    }
    for (const model of this.#resident.keys()) {
      const isInUse = this.usesOf(model) > 0 || this.usedAtMs(model) >= askedAtMs
      if (inMemory.has(model) || isInUse || askedAtMs < this.#changedAtMs) continue
      this.#leaves(model)
      this.#parts.events.evicted(model)
    }
    if (this.#loading === null) this.#seenMost = Math.max(this.#seenMost, inMemory.size)
  }

  #toldResident(model: string, askedAtMs: number): void {
    const load = this.#loading
    if (load?.model === model) {
      const isSure = this.#parts.rules()?.listsEarly !== true && askedAtMs > load.sinceMs
      if (isSure) this.#loaded(this.#nowMs - load.sinceMs)
      return
    }
    if (askedAtMs < this.#changedAtMs || (load?.isAlone === true && this.#presumedOut.has(model))) return
    this.#presumedOut.delete(model)
    if (this.#resident.has(model)) return
    this.#version++
    this.#resident.set(model, { usedAtMs: longAgo })
  }

  #loaded(ms: number | null): void {
    const load = this.#loading
    if (load === null) return
    if (ms !== null) this.times.add(load.model, ms)
    this.#failures.delete(load.model)
    this.#lastLoad = { model: load.model, endedAtMs: this.#nowMs }
    this.#comes(load.model)
    this.#endLoad(load, 'ok')
  }

  /** It is not tried again soon, the longer the more often it failed. */
  #failed(load: Load, result: Exclude<LoadResult, 'ok'>, problem: string): void {
    const times = (this.#failures.get(load.model)?.times ?? 0) + 1
    const forMs = Math.min(againMsMax, againMsMin * 2 ** (times - 1))
    this.#failures.set(load.model, { model: load.model, problem, times, untilMs: this.#nowMs + forMs })
    if (result !== 'lost' || this.loadsBy !== 'admin') return this.#endLoad(load, result)
    load.by = null
    load.bySinceMs = this.#nowMs
  }

  #endLoad(load: Load, result: LoadResult): void {
    this.#loading = null
    this.#version++
    this.#changedAtMs = this.#nowMs
    const ms = this.#nowMs - load.sinceMs
    this.loads.ended(ms)
    this.budget.spend(ms)
    this.#parts.events.loadEnded(load.model, result, ms)
  }

  #comes(model: string): void {
    this.#version++
    this.#resident.set(model, { usedAtMs: this.#nowMs })
    this.#presumedOut.delete(model)
  }

  #leaves(model: string): boolean {
    if (!this.#resident.delete(model)) return false
    this.#version++
    this.#leftAtMs.set(model, this.#nowMs)
    return true
  }

  /** Whom a host puts out that does so by its own rules: those that were used least lately. */
  #likelyOut(model: string): readonly string[] {
    const out: string[] = []
    for (const resident of this.residents) {
      if (this.room.fits(model, this.#resident.size - out.length, out)) break
      out.push(resident)
    }
    return out
  }

  #presumeOut(model: string): void {
    this.#leaves(model)
    if (this.#parts.rules()?.tells === false) this.#parts.events.evicted(model)
    else this.#presumedOut.add(model)
  }
}
