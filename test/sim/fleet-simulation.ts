/**
 * One run with several gateways before the same machines: each has a line, hosts and estimates of its own, as in a simulation of
 * one. Slots are given out by the rule that the script of Redis follows; counters are told with beats. Nothing is lost on the
 * way, and everything takes as long as over a network.
 */
import { Estimates } from '../../src/access/estimates.ts'
import type { OwnLines } from '../../src/access/own-lines.ts'
import type { Balancing } from '../../src/balancing/balancing.ts'
import type { Host } from '../../src/hosts/host.ts'
import { ModelCatalog } from '../../src/hosts/model-catalog.ts'
import { RetryBudget } from '../../src/hosts/retry-budget.ts'
import type { Route } from '../../src/hosts/route.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import { queueOptions } from '../../src/queue/options.ts'
import { ServedElsewhere } from '../../src/queue/served-elsewhere.ts'
import { beatEveryMs } from '../../src/replicas/replicas.ts'
import { knownHost } from '../kit/known-hosts.ts'
import { PlainReplica, PlainSlots } from '../kit/plain-slots.ts'
import type { Ended } from './ended.ts'
import { FluidHost } from './fluid-host.ts'
import { costPerSecondMax } from './host-profile.ts'
import { type Gate, openGate } from './key-gate.ts'
import { Random } from './random.ts'
import { ServiceGap } from './service-gap.ts'
import { type SimGateway, SimRequest } from './sim-request.ts'
import { balancingOf, noBounds, ownLinesOf } from './simulation.ts'
import { VirtualClock } from './virtual-clock.ts'
import { type Arrival, endlessMs, largestCost, type Workload } from './workload.ts'

const model = 'm'
const blockTokens = 64
/** Between a gateway and Redis, one way; and from a beat to whoever hears it, over Redis. */
const transitMs = 0.5
const goneAfterMs = 3_000
const chanceOfPlaces = 32_452_843

/**
 * Which gateway a request comes to: any; that of its key, so that no gateway has to choose between keys that others do not have;
 * or, for every second key, one and the same, while those of the others come to any.
 */
export const placements = ['random', 'by_key', 'mixed'] as const
export type Placement = (typeof placements)[number]

export interface FleetOptions {
  readonly replicas: number
  readonly placement?: Placement
  /** False: whoever asks first is given a slot, whatever its key was served; the test that this matters. */
  readonly claims?: boolean
  /** False: gateways do not tell each other what they served; likewise. */
  readonly counters?: boolean
}

export interface FleetRun {
  readonly ended: readonly Ended[]
  /** Tokens of answers, by all hosts. */
  readonly written: number
  readonly durationMs: number
  /** The largest difference in service of two keys from what it was when both began to wait. */
  readonly leadMax: number
  /** What the README of the line promises it to be at the most. */
  readonly leadBound: number
  /** Requests that a host had at once beyond its slots; 0 where none ever had too many. */
  readonly excess: number
}

export class FleetSimulation {
  readonly clock = new VirtualClock(() => this.#flow())
  readonly #workload: Workload
  readonly #options: Required<FleetOptions>
  readonly #machines: ReadonlyMap<string, FluidHost>
  readonly #keys: readonly string[]
  readonly #gap: ServiceGap
  readonly #running = new Set<SimRequest>()
  readonly #open = new Set<SimRequest>()
  readonly #ended: Ended[] = []
  readonly #gateways: readonly SimReplica[]
  readonly #random: Random
  #excess = 0

  constructor(workload: Workload, options: FleetOptions, seed = 1) {
    if (workload.models !== undefined || workload.faults !== undefined) {
      throw new Error('Several gateways are simulated before hosts that have all models and never fail.')
    }
    this.#workload = workload
    this.#options = { placement: 'random', claims: true, counters: true, ...options }
    this.#random = new Random(seed + chanceOfPlaces)
    this.#machines = new Map(workload.hosts.map((profile) => [profile.name, new FluidHost(profile, this.clock)]))
    this.#keys = [...new Set(workload.streams.map(({ key }) => key))]
    this.#gap = new ServiceGap(this.#keys.length)
    const slots = new PlainSlots({
      nowMs: () => this.clock.now(),
      goneAfterMs,
      free: (id, host, elsewhere) => this.#gateways.find((one) => one.id === id)?.slots.freed(host, elsewhere),
    })
    this.#gateways = Array.from(
      { length: options.replicas },
      (_, at) => new SimReplica(`gateway${at + 1}`, slots, this.#partsOf(seed * 101 + at)),
    )
    for (const [at, gateway] of this.#gateways.entries()) {
      this.#beat(gateway, slots, (beatEveryMs * (at + 1)) / (options.replicas + 1))
    }
  }

  run(): FleetRun {
    const { durationMs, arrivals, hosts } = this.#workload
    for (const arrival of arrivals) this.#arriveLater(arrival)
    this.clock.runUntil(durationMs)
    for (const request of this.#open) request.cutOff()
    for (const gateway of this.#gateways) gateway.stop()
    const slots = hosts.reduce((sum, profile) => sum + profile.slots, 0)
    const perSecond = hosts.reduce((sum, profile) => sum + costPerSecondMax(profile), 0)
    const stalenessMs = this.#options.replicas === 1 ? 0 : beatEveryMs + 2 * transitMs
    const dearest = largestCost(this.#ended.map(({ arrival }) => arrival))
    return {
      ended: this.#ended,
      written: [...this.#machines.values()].reduce((sum, { written }) => sum + written, 0),
      durationMs,
      leadMax: this.#gap.leadMax,
      leadBound: slots * dearest + (perSecond * stalenessMs) / 1_000,
      excess: this.#excess,
    }
  }

  #partsOf(seed: number): SimReplicaParts {
    return {
      clock: this.clock,
      workload: this.#workload,
      machines: this.#machines,
      keys: this.#keys,
      gap: this.#gap,
      running: this.#running,
      random: new Random(seed),
      count: this.#options.replicas,
      claims: this.#options.claims,
      ended: (request, ended) => this.#hasEnded(request, ended),
    }
  }

  #beat(gateway: SimReplica, slots: PlainSlots, inMs: number): void {
    this.clock.after(inMs, () => {
      slots.beat(gateway.id)
      if (this.#options.counters) {
        const told = JSON.stringify(gateway.served.tell())
        this.clock.after(2 * transitMs, () => {
          for (const other of this.#gateways) if (other !== gateway) other.served.hear(gateway.id, JSON.parse(told))
        })
      }
      this.#beat(gateway, slots, beatEveryMs)
    })
    slots.beat(gateway.id)
  }

  #hasEnded(request: SimRequest, ended: Ended): void {
    this.#open.delete(request)
    this.#ended.push(ended)
    const isOver = ended.ending === 'running' || ended.ending === 'waiting'
    const next = isOver ? null : this.#workload.next?.(ended.arrival, this.clock.now())
    if (next != null && next.atMs < this.#workload.durationMs) this.#arriveLater(next)
  }

  #arriveLater(arrival: Arrival): void {
    const gateway = this.#gatewayOf(arrival)
    this.clock.after(arrival.atMs - this.clock.now(), () => {
      const request = new SimRequest(gateway, arrival)
      this.#open.add(request)
      request.begin()
    })
  }

  #gatewayOf({ stream }: Arrival): SimReplica {
    const { placement } = this.#options
    const key = this.#keys.indexOf(stream.key)
    const keeps = placement === 'by_key' || (placement === 'mixed' && key % 2 === 0)
    const at = (keeps ? key : Math.floor(this.#random.next() * this.#gateways.length)) % this.#gateways.length
    const gateway = this.#gateways[at]
    if (gateway === undefined) throw new Error(`there is no gateway ${at}`)
    return gateway
  }

  #flow(): void {
    for (const machine of this.#machines.values()) machine.flow()
    for (const request of this.#running) request.charge()
    this.#gap.observe(this.clock.now())
    for (const { profile, busy } of this.#machines.values()) {
      this.#excess = Math.max(this.#excess, busy - profile.slots)
    }
  }
}

interface SimReplicaParts {
  readonly clock: VirtualClock
  readonly workload: Workload
  readonly machines: ReadonlyMap<string, FluidHost>
  readonly keys: readonly string[]
  readonly gap: ServiceGap
  readonly running: Set<SimRequest>
  readonly random: Random
  readonly count: number
  readonly claims: boolean
  readonly ended: (request: SimRequest, ended: Ended) => void
}

/** One of the gateways. */
class SimReplica implements SimGateway {
  readonly id: string
  readonly clock: VirtualClock
  readonly estimates = new Estimates(10_000)
  readonly ownLines: OwnLines
  readonly gate: Gate = openGate
  readonly dispatcher: Dispatcher
  readonly retryBudget: RetryBudget
  readonly gap: ServiceGap
  readonly blockTokens = blockTokens
  readonly running: Set<SimRequest>
  readonly slots: PlainReplica
  readonly served: ServedElsewhere
  readonly #parts: SimReplicaParts
  readonly #hosts: readonly Host[]
  readonly #balancing: Balancing
  readonly #route: Route

  constructor(id: string, slots: PlainSlots, parts: SimReplicaParts) {
    const { clock, random, workload, count, claims } = parts
    this.#parts = parts
    this.id = id
    this.clock = clock
    this.gap = parts.gap
    this.running = parts.running
    this.retryBudget = new RetryBudget(clock)
    this.ownLines = ownLinesOf(clock, random)
    this.#balancing = balancingOf('fastest', { clock, random, planner: null })
    const road = { send: (arrives: () => void) => void clock.after(transitMs, arrives) }
    this.slots = new (claims ? PlainReplica : Unordered)(id, slots, { road, count: () => count })
    const events = { slotAsked: () => {}, slotAnswerUndone: () => {} }
    const sharing = { slots: this.slots, chance: random.next, events }
    this.dispatcher = new Dispatcher(queueOptions.parse({ ...noBounds, waitMsMax: endlessMs }), {
      clock,
      balancer: this.#balancing.balancer,
      events: { waitEnded: () => {}, rejected: () => {}, gaveBack: () => {}, estimateTold: () => {} },
      ...(count === 1 ? {} : { sharing }),
    })
    this.#hosts = workload.hosts.map(({ name, slots: own }) =>
      knownHost(name, {
        slots: own,
        lists: [model],
        parts: { clock, chance: random.next, onChange: () => this.dispatcher.hostsChanged() },
      }),
    )
    this.#route = new ModelCatalog(this.#hosts, {}).route(model, 'chat_completions')
    const waiting = () => this.dispatcher.waiting()
    this.served = new ServedElsewhere({ clock, flows: this.dispatcher.flows(), hosts: () => this.#hosts, waiting })
  }

  stop(): void {
    for (const { health } of this.#hosts) health.stop()
  }

  get requestsLive(): number {
    return this.dispatcher.length + this.#hosts.reduce((sum, { leases }) => sum + leases.size, 0)
  }

  routeOf(): Route {
    return this.#route
  }

  machine({ name }: Host): FluidHost {
    const machine = this.#parts.machines.get(name)
    if (machine === undefined) throw new Error(`${name} is no host of this simulation`)
    return machine
  }

  connectFailed({ name }: Host): void {
    throw new Error(`${name} cannot fail in this simulation`)
  }

  keyNumber(key: string): number {
    return this.#parts.keys.indexOf(key)
  }

  ended(request: SimRequest, ended: Ended): void {
    this.#parts.ended(request, ended)
  }
}

/** As if nobody's key had been served less than another's. */
class Unordered extends PlainReplica {
  override take(wish: Parameters<PlainReplica['take']>[0], answered: Parameters<PlainReplica['take']>[1]): void {
    super.take({ ...wish, rank: { band: 1, counter: 0 } }, answered)
  }
}
