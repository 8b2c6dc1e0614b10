/** The hosts of a simulation with the machines behind them: what befalls those, and how the gateway learns of it. */
import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Host } from '../../src/hosts/host.ts'
import { hostKind } from '../../src/hosts/kinds/kinds.ts'
import { probeOptions } from '../../src/hosts/options.ts'
import type { LoadOrder } from '../../src/hosts/residency.ts'
import { mayEjectOneMore } from '../../src/hosts/spare-hosts.ts'
import { knownHost, knownModel } from '../kit/known-hosts.ts'
import type { Run } from './ended.ts'
import { FluidHost } from './fluid-host.ts'
import type { HostProfile } from './host-profile.ts'
import type { Random } from './random.ts'
import type { Fault, Models, Workload } from './workload.ts'

export interface SimHostsParts {
  readonly clock: Clock
  readonly chance: () => number
  /** Of loads. */
  readonly random: Random
  /** That all hosts have, where the workload names none. */
  readonly model: string
  readonly onChange: () => void
  /** The host has nothing any more of what it had read. */
  readonly onForgotten: (host: Host) => void
}

/** Hosts of each kind, as they are configured. */
const loaders = {
  request: { kind: hostKind('lm-studio') },
  admin: { kind: hostKind('lmx'), adminKey: 'key', allowModelLoads: true },
}
const probes = probeOptions.parse({})
/** As the prober asks a host that is down: soon at first, then at doubled distances. */
const downAgainMs = 250

export class SimHosts {
  readonly #parts: SimHostsParts
  readonly #machines = new Map<Host, FluidHost>()
  readonly #models: Models | undefined
  readonly #probing = new Map<Host, Timer>()

  constructor({ hosts, blockTokens, slo, models, faults = [] }: Workload, parts: SimHostsParts) {
    this.#parts = parts
    this.#models = models
    const { clock, random } = parts
    const memory = models && { ...models, modelsMax: models.loadedMax, loadMs: () => loadMsOf(models, random) }
    for (const profile of hosts) {
      const machine = new FluidHost(profile, clock, {
        ...(blockTokens === undefined ? {} : { blockTokens }),
        ...(memory === undefined ? {} : { memory }),
      })
      const host = this.#hostOf(profile, slo)
      this.#machines.set(host, machine)
      if (models !== undefined) this.#lists(host, 0)
    }
    for (const fault of faults) this.#later(fault)
  }

  get all(): readonly Host[] {
    return [...this.#machines.keys()]
  }

  get machines(): readonly FluidHost[] {
    return [...this.#machines.values()]
  }

  machine(host: Host): FluidHost {
    const machine = this.#machines.get(host)
    if (machine === undefined) throw new Error(`${host.name} is no host of this simulation`)
    return machine
  }

  /** What hosts have loaded so far; NaN where nothing has to be. */
  get loads(): Pick<Run, 'loads' | 'loadingMs' | 'killed'> {
    if (this.#models === undefined) return { loads: Number.NaN, loadingMs: Number.NaN, killed: Number.NaN }
    const sumOf = (valueOf: (machine: FluidHost) => number) =>
      this.machines.reduce((sum, machine) => sum + valueOf(machine), 0)
    return {
      loads: sumOf(({ shelf }) => shelf?.loads ?? 0),
      loadingMs: sumOf(({ shelf }) => shelf?.loadingMs ?? 0),
      killed: sumOf(({ killed }) => killed),
    }
  }

  /** As by an admin API: first what is put out, then the load. */
  order({ host, model, evicts, by, charge }: LoadOrder): void {
    const { clock } = this.#parts
    const beganMs = clock.now()
    for (const out of evicts) host.memory.unloaded(out)
    const ready = (): void => {
      host.memory.loaded(by)
      charge(clock.now() - beganMs)
    }
    if (this.machine(host).shelf?.use(model, ready) === true) ready()
  }

  /** A request could not connect: the host takes no more until a probe says otherwise. */
  connectFailed(host: Host): void {
    host.connectFailed('connection refused')
    this.#parts.onForgotten(host)
    this.#parts.onChange()
    this.#probe(host, downAgainMs)
  }

  stop(): void {
    for (const { health } of this.all) health.stop()
  }

  #hostOf({ name, slots, slotBounds, weight }: HostProfile, slo: Workload['slo']): Host {
    const { clock, chance, model, onChange } = this.#parts
    const mayEject = () => mayEjectOneMore(this.all)
    const loading = this.#models && {
      ...loaders[this.#models.loadsBy],
      modelsLoadedMax: this.#models.loadedMax,
      lists: null,
    }
    return knownHost(name, {
      slots: slotBounds ?? slots,
      lists: [model],
      ...loading,
      weight,
      ...(slo === undefined ? {} : { slo }),
      parts: { clock, chance, onChange, mayEject },
    })
  }

  /** Its models, and which of them are in memory, from then on. */
  #lists(host: Host, inMs: number): void {
    const { clock, onChange } = this.#parts
    const { shelf } = this.machine(host)
    const all = this.#models?.names.map((name) => knownModel(name, shelf?.has(name))) ?? []
    const listsAll = this.#models?.loadsBy === 'request'
    const list = (): boolean => {
      const models = listsAll ? all : all.filter(({ resident }) => resident)
      return host.probeSucceeded({ models }, probes.rise, clock.now())
    }
    if (!listsAll) host.toldLoadable(all.map((model) => ({ ...model, resident: false })))
    if (inMs === 0) list()
    else if (list()) onChange()
    clock.after(probes.everyMs, () => this.#lists(host, probes.everyMs))
  }

  #later({ atMs, forMs, host: name, slower }: Fault): void {
    const { clock } = this.#parts
    const host = this.all.find((one) => one.name === name)
    if (host === undefined) throw new Error(`${name} is no host of this simulation`)
    const machine = this.machine(host)
    clock.after(atMs, () => {
      if (slower !== undefined) machine.slowDown(slower)
      else {
        machine.crash()
        this.#probe(host, chanceWithin(probes.everyMs, this.#parts.chance))
      }
    })
    clock.after(atMs + forMs, () => {
      if (slower !== undefined) machine.slowDown(1)
      else machine.comeBack()
    })
  }

  #probe(host: Host, inMs: number): void {
    this.#probing.get(host)?.cancel()
    this.#probing.set(
      host,
      this.#parts.clock.after(inMs, () => this.#probed(host, inMs)),
    )
  }

  #probed(host: Host, afterMs: number): void {
    if (this.machine(host).isDown) {
      if (host.up) this.connectFailed(host)
      else {
        host.probeFailed('connection refused', 1)
        this.#probe(host, Math.min(probes.everyMs, 2 * afterMs))
      }
      return
    }
    if (host.probeSucceeded({ models: [knownModel(this.#parts.model)] }, probes.rise)) this.#parts.onChange()
    if (!host.up) this.#probe(host, downAgainMs)
  }
}

function loadMsOf({ loads: { medianMs, sigma, longShare, longTimes } }: Models, random: Random): number {
  const times = random.next() < longShare ? longTimes : 1
  return medianMs * Math.exp(sigma * random.normal()) * times
}

function chanceWithin(ms: number, chance: () => number): number {
  return ms * chance()
}
