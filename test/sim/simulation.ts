/**
 * One run: the gateway's own line, hosts, limits and estimates on a virtual clock, before machines that are computed.
 *
 * Not modelled: a second model, so that every host serves everybody; answers that are no streams, which some hosts compute
 * to their end although their client is gone; hosts that fail, refuse or load; and whatever the network takes. What follows
 * from these is held by tests of the line and of the whole gateway.
 */
import { Estimates } from '../../src/access/estimates.ts'
import { Limiter } from '../../src/access/limiter.ts'
import { limitsOptions } from '../../src/access/options.ts'
import { OwnLines } from '../../src/access/own-lines.ts'
import type { Host } from '../../src/hosts/host.ts'
import { ModelCatalog, type Route } from '../../src/hosts/model-catalog.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import { queueOptions } from '../../src/queue/options.ts'
import { balancerOf } from '../kit/balancers.ts'
import { knownHost } from '../kit/known-hosts.ts'
import type { Ended, Run, ToldWait } from './ended.ts'
import { FluidHost } from './fluid-host.ts'
import type { HostProfile } from './host-profile.ts'
import { type Gate, KeyGate, openGate } from './key-gate.ts'
import type { SimPolicy } from './policies.ts'
import { Random } from './random.ts'
import { ServiceGap } from './service-gap.ts'
import { type SimGateway, SimRequest } from './sim-request.ts'
import { VirtualClock } from './virtual-clock.ts'
import { type Arrival, endlessMs, largestCost, type Workload } from './workload.ts'

const model = 'm'

/** As large as it takes, so that every order has the same requests to serve. */
const noBounds = { lengthMax: 1_000_000, lengthMaxPerKey: 1_000_000, tokensMax: 1e12, tokensMaxPerKey: 1e12 }

export class Simulation implements SimGateway {
  readonly clock = new VirtualClock(() => this.#flow())
  readonly ownLines: OwnLines
  readonly estimates = new Estimates(10_000)
  readonly dispatcher: Dispatcher
  readonly route: Route
  readonly gate: Gate
  readonly gap: ServiceGap
  readonly running = new Set<SimRequest>()
  readonly #workload: Workload
  readonly #machines = new Map<Host, FluidHost>()
  readonly #keys: readonly string[]
  readonly #open = new Set<SimRequest>()
  readonly #ended: Ended[] = []
  readonly #told: ToldWait[] = []

  constructor(workload: Workload, policy: SimPolicy, seed = 1) {
    const random = new Random(seed)
    this.#workload = workload
    this.#keys = [...new Set(workload.streams.map(({ key }) => key))]
    this.gap = new ServiceGap(this.#keys.length)
    this.gate = policy.perKeyMax === undefined ? openGate : new KeyGate(policy.perKeyMax)
    const { clock } = this
    const limiter = new Limiter({ clock, limits: limitsOptions.parse({}), teams: {}, chance: random.next })
    this.ownLines = new OwnLines({
      clock,
      limiter,
      waitMsMax: Number.POSITIVE_INFINITY,
      lengthMax: noBounds.lengthMaxPerKey,
      mayWait: () => true,
      hasRoom: () => true,
    })
    this.dispatcher = new Dispatcher(queueOptions.parse({ ...noBounds, waitMsMax: endlessMs, order: policy.order }), {
      clock,
      balancer: balancerOf({ clock, chance: random.next }),
      events: {
        waitEnded: () => {},
        rejected: () => {},
        gaveBack: () => {},
        estimateTold: ({ p50Ms, p90Ms, waitMs }) => void this.#told.push({ p50Ms, p90Ms, waitMs }),
      },
      ...(policy.costs === undefined ? {} : { costs: policy.costs }),
    })
    for (const profile of workload.hosts) {
      this.#machines.set(this.#hostOf(profile, random), new FluidHost(profile, clock))
    }
    this.route = new ModelCatalog(this.hosts, {}).route(model, 'chat_completions')
  }

  run(): Run {
    const { durationMs, arrivals } = this.#workload
    for (const arrival of arrivals) this.#arriveLater(arrival)
    this.clock.runUntil(durationMs)
    for (const request of this.#open) request.cutOff()
    for (const { health } of this.hosts) health.stop()
    return {
      ended: this.#ended,
      told: this.#told,
      durationMs,
      written: [...this.#machines.values()].reduce((sum, { written }) => sum + written, 0),
      gapMax: this.gap.max,
      gapBound: this.#slotsMax * largestCost(this.#ended.map(({ arrival }) => arrival)),
      gapMean: this.gap.mean,
      jain: this.gap.jain,
    }
  }

  get #slotsMax(): number {
    return this.#workload.hosts.reduce((sum, { slots, slotBounds }) => sum + (slotBounds?.max ?? slots), 0)
  }

  get hosts(): readonly Host[] {
    return [...this.#machines.keys()]
  }

  machine(host: Host): FluidHost {
    const machine = this.#machines.get(host)
    if (machine === undefined) throw new Error(`${host.name} is no host of this simulation`)
    return machine
  }

  keyNumber(key: string): number {
    return this.#keys.indexOf(key)
  }

  ended(request: SimRequest, ended: Ended): void {
    this.#open.delete(request)
    this.#ended.push(ended)
    const isOver = ended.ending === 'running' || ended.ending === 'waiting'
    const next = isOver ? null : this.#workload.next?.(ended.arrival, this.clock.now())
    if (next != null && next.atMs < this.#workload.durationMs) this.#arriveLater(next)
  }

  #arriveLater(arrival: Arrival): void {
    this.clock.after(arrival.atMs - this.clock.now(), () => {
      const request = new SimRequest(this, arrival)
      this.#open.add(request)
      request.begin()
    })
  }

  /** Whatever was read and written by now is charged before anything is decided. */
  #flow(): void {
    for (const machine of this.#machines.values()) machine.flow()
    for (const request of this.running) request.charge()
    this.gap.observe(this.clock.now())
  }

  #hostOf({ name, slots, slotBounds }: HostProfile, random: Random): Host {
    const onChange = () => this.dispatcher.hostsChanged()
    return knownHost(name, {
      slots: slotBounds ?? slots,
      lists: [model],
      ...(this.#workload.slo === undefined ? {} : { slo: this.#workload.slo }),
      parts: { clock: this.clock, chance: random.next, onChange },
    })
  }
}
