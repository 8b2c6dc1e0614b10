/** Hosts that cannot hold all models, a line of requests before them, and the planner between: played in virtual time. */
import type { Host } from '../../../src/hosts/host.ts'
import { hostKind } from '../../../src/hosts/kinds/kinds.ts'
import { type ResidencyOptions, ResidencyPlanner } from '../../../src/hosts/residency.ts'
import type { Candidate } from '../../../src/hosts/route.ts'
import type { Demand } from '../../../src/hosts/wanted-models.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { knownHost, knownModel } from '../../kit/known-hosts.ts'

export const residencyDefaults: ResidencyOptions = {
  keepMsMin: 60_000,
  loadShareMax: 0.1,
  loadMsDefault: 30_000,
  loadsPerHourMax: 1_000,
}

interface Ask {
  readonly model: string
  readonly holder?: string | undefined
  readonly atMs: number
}

interface Running extends Ask {
  readonly host: Host
  readonly use: object
  /** When it gives its first content. */
  contentAtMs: number
  endsAtMs: number
  isThere: boolean
}

export interface WorldOptions extends Partial<ResidencyOptions> {
  readonly hosts?: number
  readonly slots?: number
  readonly models?: readonly string[]
  readonly modelsLoadedMax?: number
  readonly loadMs?: () => number
}

const stepMs = 500

export class ResidencyWorld {
  readonly clock = new FakeClock()
  readonly hosts: readonly Host[]
  readonly planner: ResidencyPlanner
  readonly waiting: Ask[] = []
  readonly running = new Set<Running>()
  /** What broke a promise. */
  readonly faults: string[] = []
  readonly waitsMs = new Map<string, number[]>()
  loads = 0
  loadedMs = 0
  readonly #loadMs: () => number
  readonly #slots: number

  constructor(options: WorldOptions = {}) {
    const { hosts = 1, slots = 2, models = ['a', 'b', 'c'], modelsLoadedMax = 1, loadMs = () => 30_000 } = options
    this.#slots = slots
    this.#loadMs = loadMs
    const parts = { clock: this.clock, onChange: () => this.serve() }
    this.hosts = Array.from({ length: hosts }, (_, at) => {
      const kind = hostKind('lm-studio')
      const host = knownHost(`h${at}`, { kind, slots, lists: null, modelsLoadedMax, parts })
      host.probeSucceeded({ models: models.map((id) => knownModel(id, false)) })
      return host
    })
    this.planner = new ResidencyPlanner(() => ({ ...residencyDefaults, ...options }), parts)
  }

  ask(model: string, holder?: string): void {
    this.waiting.push({ model, holder, atMs: this.clock.now() })
    this.serve()
  }

  /** Grants in the order of arrival, as far as slots and models allow. */
  serve(): void {
    this.planner.plan(this.demands())
    for (let at = 0; at < this.waiting.length; ) {
      const ask = this.waiting[at]
      const host = ask && this.#hostFor(ask.model)
      if (ask === undefined || host === undefined) at++
      else {
        this.waiting.splice(at, 1)
        this.#begin(ask, host)
      }
    }
  }

  demands(): Demand[] {
    const models = new Set(this.waiting.map(({ model }) => model))
    return [...models].map((model) => {
      const asks = this.waiting.filter((one) => one.model === model)
      return {
        candidates: this.candidates(model),
        waiting: asks.length,
        waitMs: () => null,
        holder: asks[0]?.holder ?? null,
        holders: () => asks.flatMap(({ holder = [] }) => holder),
        charge: () => {},
      }
    })
  }

  candidates(model: string): Candidate[] {
    return this.hosts.map((host) => ({ host, model }))
  }

  /** Moves on to the next thing that happens, or by so much. */
  step(ms: number): void {
    const untilMs = this.clock.now() + ms
    for (;;) {
      const next = [...this.running].map((one) => (one.isThere ? one.endsAtMs : one.contentAtMs))
      // By no more than so much: what a timer of the planner begins goes on from there.
      const nextMs = Math.min(untilMs, this.clock.now() + stepMs, ...next)
      this.clock.advanceSync(Math.max(0, nextMs - this.clock.now()))
      for (const one of this.running) this.#move(one)
      this.#check()
      if (nextMs >= untilMs) return
    }
  }

  get residents(): readonly string[] {
    return this.hosts.map(({ memory }) => memory.residents.join(' '))
  }

  longestWaitMs(): number {
    const now = this.clock.now()
    return Math.max(0, ...[...this.waitsMs.values()].flat(), ...this.waiting.map(({ atMs }) => now - atMs))
  }

  #hostFor(model: string): Host | undefined {
    const free = this.hosts.filter((host) => host.leases.size < this.#slots)
    const admitting = free.filter((host) => this.planner.access(host, model).admits)
    return admitting.find(({ memory }) => memory.isResident(model)) ?? admitting[0]
  }

  #begin(ask: Ask, host: Host): void {
    const now = this.clock.now()
    this.waitsMs.set(ask.model, [...(this.waitsMs.get(ask.model) ?? []), now - ask.atMs])
    const use = {}
    const isLoad = !host.memory.isResident(ask.model)
    const loadMs = isLoad ? this.#loadMs() : 0
    if (isLoad) {
      this.loads++
      this.loadedMs += loadMs
      if (host.memory.loading?.by != null) this.faults.push(`two loads at once on ${host.name}`)
      if (host.memory.residents.length >= 1 && host.memory.room.modelsMax === 1 && host.leases.size > 0) {
        this.faults.push(`${ask.model} ends what runs on ${host.name}`)
      }
    }
    host.leases.add(use)
    host.memory.began(ask.model, use, ask.holder)
    const contentAtMs = now + loadMs
    this.running.add({ ...ask, host, use, contentAtMs, endsAtMs: contentAtMs + 5_000, isThere: false })
  }

  #move(one: Running): void {
    const now = this.clock.now()
    if (!one.isThere && one.contentAtMs <= now) {
      one.isThere = true
      one.host.memory.content(one.model, one.use, 0)
    }
    if (!one.isThere || one.endsAtMs > now) return
    this.running.delete(one)
    one.host.leases.delete(one.use)
    one.host.memory.ended(one.model, one.use, null)
    this.serve()
  }

  #check(): void {
    for (const { model, host, isThere } of this.running) {
      if (isThere && !host.memory.isResident(model))
        this.faults.push(`${model} was put out of ${host.name} while it ran`)
    }
    for (const host of this.hosts) {
      const { memory } = host
      if (memory.residents.length > memory.room.modelsMax) this.faults.push(`${host.name} holds too many`)
    }
  }
}
