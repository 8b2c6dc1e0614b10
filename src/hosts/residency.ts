/**
 * Plans which models hosts hold that cannot hold all at once: pure decisions by a clock, which whoever grants slots asks, and
 * whoever loads by an admin API is told.
 *
 * 1. One load at a time on a host, and one for all who wait for the model.
 * 2. A model is put out only while nothing runs with it. Where a host chooses itself whom to put out, nothing else may run there.
 * 3. One that nothing runs with and nobody waits for gives way at once, as far as `loadShareMax` of the time, some of it saved,
 *    is left for loads. When that is used up it stays for as long as it is used and `keepMsMin`, or twice its load, beyond that.
 * 4. Whoever is wanted elsewhere gives way all the same once its quantum is over: so long after a load that loads take no more
 *    than `loadShareMax` of the time. Then nothing new is begun with it, and the model that was longest away has its turn.
 * 5. Of several hosts the one gives way whose models are missed least: what everybody asks for stays where it is, and the others
 *    take turns elsewhere. A second copy of a model is loaded only over what nobody uses.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Host } from './host.ts'
import type { LoadFailure } from './model-memory.ts'
import { isUsed, ModelPlaces, victimsFor } from './model-places.ts'
import { ModelTurns } from './model-turns.ts'
import { isInTheWay } from './models-elsewhere.ts'
import type { Obstacle } from './obstacles.ts'
import type { Candidate } from './route.ts'
import { awaySinceMs, type Demand, WantedModels } from './wanted-models.ts'

export interface ResidencyOptions {
  readonly keepMsMin: number
  readonly loadShareMax: number
  readonly loadMsDefault: number
  readonly loadsPerHourMax: number
}

export interface ResidencyParts {
  readonly clock: Clock
  /** By time alone something may be given that could not be before. */
  readonly onChange: () => void
  /** How long a load may take; endless where nobody says. */
  readonly loadMsMax?: (host: Host, model: string) => number
  /** Has a model loaded by the admin API of its host; absent where there is none. */
  readonly order?: (order: LoadOrder) => void
}

export interface LoadOrder {
  readonly host: Host
  readonly model: string
  readonly evicts: readonly string[]
  /** By what its host's memory knows the load. */
  readonly by: object
  readonly charge: (ms: number) => void
}

type Readiness =
  | { readonly inMs: 0; readonly evicts: readonly string[] }
  | { readonly inMs: number; readonly obstacle: Obstacle }

/** What is between a request and the model at a host, slots apart. */
export interface ModelAccess {
  /** In memory, or on its way there. */
  readonly isWarm: boolean
  /** A request may be sent now: it is there, or the request has it loaded. */
  readonly admits: boolean
  /** Until it may; 0 where it may. Not known where a model must become idle first: the longest that is told. */
  readonly waitMs: number
  /** Of a load that would come on top. */
  readonly loadMs: number
}

/** What those who wait for a model are told. */
export interface LoadWait {
  readonly host: string
  /** Name there. */
  readonly model: string
  /** Since when it is being loaded; null where it has to wait for that. */
  readonly forMs: number | null
  /** Until it is there, as far as that can be told. */
  readonly expectedMs: number | null
  /** Why it is not being loaded; null where it is. */
  readonly obstacle: Obstacle | null
}

/** How far it is worth waiting beyond patience: so much longer until this is to be asked again, and no longer than a load may take. */
export interface Beyond {
  readonly ms: number
  readonly inAllMsMax: number
}

const there: ModelAccess = { isWarm: true, admits: true, waitMs: 0, loadMs: 0 }
/** Nobody looks farther ahead. */
const waitMsMax = 3_600_000
/** A load that its request gave up, or that an order has lost, may go on at the host: so many times what it should take it is believed to. */
const orphanTimes = 1.5
/**
 * A few loads are many times as long as the others, and the mean of all is about twice what most take. More than that is the
 * work of one that was long of late, for which nobody is to wait ten times as long.
 */
const medianTimes = 2
/** What others run at a host is known by its probes. */
const foreignLookMs = 1_000
const hourMs = 3_600_000
/** A load that takes longer than expected is looked at only so often: its end is told. */
const overdueMs = 1_000
/** The clock counts whole milliseconds, and a timer may fire a little early. */
const marginMs = 1

export class ResidencyPlanner {
  readonly #options: () => ResidencyOptions
  readonly #parts: ResidencyParts
  readonly turns = new ModelTurns()
  #wanted = new WantedModels()
  readonly #places = new ModelPlaces()
  #timer: Timer | null = null
  #timerAtMs = Number.POSITIVE_INFINITY

  /** `options`: as they are now. */
  constructor(options: () => ResidencyOptions, parts: ResidencyParts) {
    this.#options = options
    this.#parts = parts
  }

  access(host: Host, model: string): ModelAccess {
    const { memory } = host
    if (memory.loadsBy === null) return there
    if (memory.elsewhere.refused.has(model)) return waiting(overdueMs, 0)
    if (memory.isResident(model)) return this.#accessToResident(host, model)
    const load = memory.loading
    const loadMs = this.loadMs(host, model)
    if (load?.model === model && load.by !== null) return { ...waiting(this.#restMs(host), 0), isWarm: true }
    if (memory.elsewhere.loading?.model === model) return { ...waiting(loadMs, 0), isWarm: true }
    const { inMs } = this.#readiness(host, model)
    if (memory.loadsBy === 'admin') return waiting(Math.min(waitMsMax, inMs + loadMs), 0)
    return { isWarm: load?.model === model, admits: inMs === 0, waitMs: Math.min(waitMsMax, inMs), loadMs }
  }

  #accessToResident(host: Host, model: string): ModelAccess {
    const { loading, elsewhere } = host.memory
    if (isInTheWay(loading, model)) return waiting(this.#restMs(host), 0)
    if (isInTheWay(elsewhere.loading, model)) return waiting(overdueMs, 0)
    return this.turns.isOut(host, model) ? waiting(waitMsMax, 0) : there
  }

  /** As `access`, of each of them: what all have in common is reckoned once. */
  readonly accessOf = (candidates: readonly Candidate[]): readonly ModelAccess[] =>
    this.#places.during(() => candidates.map(({ host, model }) => this.access(host, model)))

  /** What loading it there is expected to take. */
  loadMs(host: Host, model: string): number {
    const { loadMsDefault } = this.#options()
    return host.memory.times.expectedMs(model, loadMsDefault) ?? loadMsDefault
  }

  /** Unless it would have to be loaded there, and loads of this hour are left for others alone: those who wait for it, if any, have a say. */
  mayLoadFor(holder: string, { host, model }: Candidate): boolean {
    const { memory } = host
    if (!memory.mayHaveToLoad(model) || memory.loading?.model === model) return true
    const holders = [holder, ...(this.#wanted.holders(host, model) ?? [])]
    return memory.loads.nextInMs(this.#options().loadsPerHourMax, holders) === 0
  }

  /** The model whose turn it is there, for which others are let run out; null where none is. */
  turnAt(host: Host): string | null {
    return this.turns.at(host)?.model ?? null
  }

  /** To be called when others wait, or wait no more, and when a host may be ready for another model. */
  plan(demands: readonly Demand[]): void {
    this.#wanted = new WantedModels(demands)
    for (const { candidates } of demands) this.#places.seen(candidates)
    this.#endTurns()
    const inTurn = demands.toSorted((a, b) => awaySinceMs(a) - awaySinceMs(b))
    const inMs = this.#places.during(() => inTurn.map((demand) => this.#planFor(demand)))
    this.#wakeIn(Math.min(Number.POSITIVE_INFINITY, ...inMs))
  }

  /** Null unless loading it failed lately at each of those that could take the request. */
  failureOf(candidates: readonly Candidate[]): { readonly problem: string; readonly inMs: number } | null {
    let soonest: LoadFailure | null = null
    for (const { host, model } of candidates) {
      const { memory } = host
      const isOnItsWay = memory.loading?.model === model && memory.loading.by !== null
      const failure = memory.isResident(model) || isOnItsWay ? null : memory.failureOf(model)
      if (failure === null) return null
      if (soonest === null || failure.untilMs < soonest.untilMs) soonest = failure
    }
    return soonest && { problem: soonest.problem, inMs: soonest.untilMs - this.#parts.clock.now() }
  }

  /** Null where the end of what they wait for is not known: where it may be in vain. */
  beyondOf(candidates: readonly Candidate[]): Beyond | null {
    const wait = this.waitOf(candidates)
    const at = candidates.find(({ host, model }) => host.name === wait?.host && model === wait.model)
    if (wait === null || at === undefined || wait.obstacle === 'failed') return null
    const inAllMsMax = this.#parts.loadMsMax?.(at.host, at.model) ?? waitMsMax
    // A load that takes longer than it should, and a turn that begins when the last answer there has ended.
    const mayBeSoon = wait.forMs !== null || this.turnAt(at.host) === at.model
    const ms = Math.max(wait.expectedMs ?? 0, mayBeSoon ? overdueMs : 0)
    return ms === 0 ? null : { ms, inAllMsMax }
  }

  /** What those wait for that could go to these; null where one of these has the model in memory. */
  waitOf(candidates: readonly Candidate[]): LoadWait | null {
    let soonest: LoadWait | null = null
    for (const { host, model } of candidates) {
      if (host.memory.isResident(model) && !this.turns.isOut(host, model)) return null
      const wait = this.#waitAt(host, model)
      if (soonest === null || (wait.expectedMs ?? waitMsMax) < (soonest.expectedMs ?? waitMsMax)) soonest = wait
    }
    return soonest
  }

  forget(host: Host): void {
    this.#places.forget(host)
    this.turns.end(host)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #waitAt(host: Host, model: string): LoadWait {
    const load = host.memory.loading
    const at = { host: host.name, model }
    if (load?.model === model) {
      return { ...at, forMs: this.#parts.clock.now() - load.sinceMs, expectedMs: this.#restMs(host), obstacle: null }
    }
    const readiness = this.#readiness(host, model)
    const expectedMs = readiness.inMs >= waitMsMax ? null : readiness.inMs + this.loadMs(host, model)
    return { ...at, forMs: null, expectedMs, obstacle: 'obstacle' in readiness ? readiness.obstacle : null }
  }

  /** The time until the demand should be looked at again. */
  #planFor({ candidates, waitMs, holder, charge }: Demand): number {
    const open = candidates.filter(({ host }) => host.memory.loadsBy !== null && host.available && !host.paused)
    const areWarm = candidates.some((one) => this.#isServing(one))
    const cold = open.filter((one) => !this.#isServing(one))
    if (cold.length === 0) return Number.POSITIVE_INFINITY
    const readiness = cold.map(({ host, model }) => ({ host, model, ...this.#readiness(host, model) }))
    const nextMs = Math.min(...readiness.map(lookInMs).filter((inMs) => inMs > 0), waitMsMax)
    const ready = readiness.find((one) => one.inMs === 0 && one.host.memory.loadsBy === 'admin')
    if (ready !== undefined && 'evicts' in ready && this.#parts.order !== undefined) {
      const { host, model, evicts } = ready
      if (areWarm && (waitMs() ?? 0) <= this.loadMs(host, model)) return nextMs
      host.memory.begin(model, ready, { evicts, isAlone: false, holder })
      this.#places.changed()
      this.turns.end(host)
      this.#parts.order({ host, model, evicts, by: ready, charge: (ms) => charge(host, model, ms) })
      return nextMs
    }
    if (areWarm || readiness.some(({ inMs }) => inMs === 0)) return nextMs
    if (cold.some(({ host, model }) => this.turnAt(host) === model)) return nextMs
    this.#beginTurn(readiness.filter((one) => 'obstacle' in one && one.obstacle === 'busy'))
    return nextMs
  }

  /** At the one that is likely to be done first with what runs there. */
  #beginTurn(busy: readonly Candidate[]): void {
    const first = busy.toSorted((a, b) => a.host.leases.size - b.host.leases.size)[0]
    if (first === undefined) return
    const { host, model } = first
    const isAdmin = host.memory.loadsBy === 'admin'
    this.turns.begin(host, { model, out: isAdmin ? new Set(victimsFor(host, model)) : null })
  }

  /** It takes requests, and has the model in memory, or on its way there. */
  #isServing({ host, model }: Candidate): boolean {
    return host.available && !host.paused && this.access(host, model).isWarm && !this.turns.isOut(host, model)
  }

  /** Those that nobody waits for any more, and those that have come to their end. */
  #endTurns(): void {
    for (const [host, { model }] of this.turns.own()) {
      const isOver = host.memory.isResident(model) || host.memory.failureOf(model) !== null
      // Nobody is kept out for what cannot begin: what others run there may go on for long.
      const isBlocked = host.signals.strangersRunning > 0 || this.#cannotBegin(host, model)
      if (isOver || isBlocked || !this.#isNeeded(host, model) || !host.available) this.turns.end(host)
    }
  }

  /** Somebody waits for it whom no other host serves by now: what begins no turn keeps none going. */
  #isNeeded(host: Host, model: string): boolean {
    const isElsewhere = (one: Candidate): boolean => one.host !== host && this.#isServing(one)
    return this.#wanted.demands(host, model).some(({ candidates }) => !candidates.some(isElsewhere))
  }

  /** Not for what runs there: another host is the better one for it by now, or has it, or loads have used up the hour. */
  #cannotBegin(host: Host, model: string): boolean {
    const readiness = this.#readiness(host, model)
    return 'obstacle' in readiness && (readiness.obstacle === 'kept' || readiness.obstacle === 'loads_per_hour')
  }

  #readiness(host: Host, model: string): Readiness {
    const { memory } = host
    const held = this.#heldUp(host, model)
    if (held !== null) return held
    if (memory.room.fits(model, memory.residents.length, [])) return { inMs: 0, evicts: [] }
    const turn = this.turnAt(host)
    if (turn !== null && turn !== model) return { inMs: waitMsMax, obstacle: 'turn_of_another' }
    if (this.#places.isMissedLessElsewhere({ host, model }, this.#options().loadsPerHourMax)) {
      return { inMs: waitMsMax, obstacle: 'kept' }
    }
    return this.#readinessOver(host, model, turn === null ? this.#quantumRestMs(host) : 0)
  }

  /** Where something must be put out for it; of what is wanted not before so long. */
  #readinessOver(host: Host, model: string, quantumMs: number): Readiness {
    const { memory } = host
    const evicts = victimsFor(host, model)
    const isBusy = memory.loadsBy === 'request' ? memory.hasOthers(model) : evicts.some((one) => isUsed(memory, one))
    // With which model is not told.
    const isForeign = host.signals.strangersRunning > 0
    if ((isBusy || isForeign) && quantumMs > 0) return { inMs: quantumMs, obstacle: 'quantum' }
    if (isForeign) return { inMs: waitMsMax, obstacle: 'foreign' }
    if (isBusy) return { inMs: waitMsMax, obstacle: 'busy' }
    if (this.#isOutnumbered(host, model, evicts)) return { inMs: 0, evicts }
    const { loadsPerHourMax, loadShareMax } = this.#options()
    const isElsewhere = this.#places.isElsewhere({ host, model }, loadsPerHourMax)
    const savedInMs = isElsewhere ? waitMsMax : memory.budget.nextInMs(this.loadMs(host, model), loadShareMax)
    const mostMs = { wanted: isElsewhere ? waitMsMax : quantumMs, idle: savedInMs }
    const keptMs = Math.max(0, ...evicts.map((one) => this.#keptMs(host, one, mostMs)))
    return keptMs > 0 ? { inMs: keptMs, obstacle: 'kept' } : { inMs: 0, evicts }
  }

  /**
   * More wait for the model than its slots take at once on top of all that was asked of late of those it would put out, with
   * which nothing runs just now: these give way before their quantum is over, as far as the loads of an hour take no more of it
   * than they may.
   */
  #isOutnumbered(host: Host, model: string, evicts: readonly string[]): boolean {
    const { memory } = host
    const used = evicts.reduce((sum, one) => sum + memory.useOf(one) + memory.elsewhere.waiting(one), 0)
    if (this.#wanted.waiting(host, model) <= used + host.slots) return false
    return memory.loads.totalMs + this.loadMs(host, model) <= this.#options().loadShareMax * hourMs
  }

  /** What stands against a load whatever else is in memory. */
  #heldUp(host: Host, model: string): Readiness | null {
    const { memory } = host
    const load = memory.loading
    if (load !== null) {
      // Whoever takes up a load that was given up begins none.
      if (load.model === model && load.by === null && memory.loadsBy === 'request') return { inMs: 0, evicts: [] }
      if (load.by !== null || this.#restMs(host) > 0) {
        return { inMs: Math.max(overdueMs, this.#restMs(host)), obstacle: 'another_load' }
      }
      memory.forgetLoad()
    } else if (memory.elsewhere.loading !== null) return { inMs: overdueMs, obstacle: 'another_load' }
    const failure = memory.failureOf(model)
    if (failure !== null) return { inMs: failure.untilMs - this.#parts.clock.now(), obstacle: 'failed' }
    const inMs = memory.loads.nextInMs(this.#options().loadsPerHourMax, this.#wanted.holders(host, model))
    return inMs > 0 ? { inMs, obstacle: 'loads_per_hour' } : null
  }

  /** Of the load that is under way; of one that takes longer than expected nobody knows. */
  #restMs(host: Host): number {
    const load = host.memory.loading
    if (load === null) return 0
    const orphanMs = orphanTimes * Math.max(this.loadMs(host, load.model), load.bySinceMs - load.sinceMs)
    const expectedMs = load.by === null ? orphanMs : this.loadMs(host, load.model)
    return Math.max(0, load.sinceMs + expectedMs - this.#parts.clock.now())
  }

  /** Until another model may have its turn there although this one is wanted. */
  #quantumRestMs(host: Host): number {
    const last = host.memory.lastLoad
    if (last === null) return 0
    const { loadMsDefault, loadShareMax: share } = this.#options()
    const { times } = host.memory
    const loadMs = Math.max(times.meanMs(loadMsDefault), this.loadMs(host, last.model))
    const quantumMs = (Math.min(loadMs, medianTimes * times.medianMs(loadMsDefault)) * (1 - share)) / share
    return Math.max(0, last.endedAtMs + quantumMs - this.#parts.clock.now())
  }

  /** Until this one, which nothing runs with, may be put out: no longer than so, while it is waited for and while it is not. */
  #keptMs(host: Host, model: string, { wanted, idle }: { readonly wanted: number; readonly idle: number }): number {
    if (wanted === 0) return 0
    if (this.#wanted.has(host, model) || host.memory.elsewhere.waiting(model) > 0) return wanted
    const keepMs = Math.max(this.#options().keepMsMin, 2 * this.loadMs(host, model))
    return Math.min(wanted, idle, Math.max(0, host.memory.usedAtMs(model) + keepMs - this.#parts.clock.now()))
  }

  #wakeIn(ms: number): void {
    const atMs = this.#parts.clock.now() + ms
    if (ms >= waitMsMax || (this.#timer !== null && Math.abs(this.#timerAtMs - atMs) < marginMs)) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.#parts.clock.after(Math.ceil(ms) + marginMs, () => {
      this.#timer = null
      this.#parts.onChange()
    })
  }
}

function waiting(waitMs: number, loadMs: number): ModelAccess {
  return { isWarm: false, admits: false, waitMs, loadMs }
}

/** What others run may be over at any time, which no timer knows. */
function lookInMs(readiness: Readiness): number {
  const isForeign = 'obstacle' in readiness && readiness.obstacle === 'foreign'
  return isForeign ? foreignLookMs : readiness.inMs
}
