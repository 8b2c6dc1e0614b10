/** The hosts of a simulation with the machines behind them: what befalls those, and how the gateway learns of it. */
import type { Clock, Timer } from '../../src/base/clock.ts'
import type { Host } from '../../src/hosts/host.ts'
import { probeOptions } from '../../src/hosts/options.ts'
import { mayEjectOneMore } from '../../src/hosts/spare-hosts.ts'
import { knownHost, knownModel } from '../kit/known-hosts.ts'
import { FluidHost } from './fluid-host.ts'
import type { HostProfile } from './host-profile.ts'
import type { Fault, Workload } from './workload.ts'

export interface SimHostsParts {
  readonly clock: Clock
  readonly chance: () => number
  readonly model: string
  readonly onChange: () => void
  /** The host has nothing any more of what it had read. */
  readonly onForgotten: (host: Host) => void
}

const probes = probeOptions.parse({})
/** As the prober asks a host that is down: soon at first, then at doubled distances. */
const downAgainMs = 250

export class SimHosts {
  readonly #parts: SimHostsParts
  readonly #machines = new Map<Host, FluidHost>()
  readonly #probing = new Map<Host, Timer>()

  constructor({ hosts, blockTokens, slo, faults = [] }: Workload, parts: SimHostsParts) {
    this.#parts = parts
    for (const profile of hosts) {
      this.#machines.set(this.#hostOf(profile, slo), new FluidHost(profile, parts.clock, blockTokens))
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
    return knownHost(name, {
      slots: slotBounds ?? slots,
      lists: [model],
      weight,
      ...(slo === undefined ? {} : { slo }),
      parts: { clock, chance, onChange, mayEject },
    })
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

function chanceWithin(ms: number, chance: () => number): number {
  return ms * chance()
}
