/**
 * One run: the gateway's own line, hosts, limits, estimates and choice of a host on a virtual clock, before machines that are
 * computed. What learns of hosts learns here too, and sees what it would see there.
 *
 * Not modelled: answers that are no streams, which some hosts compute to their end although their client is gone; hosts that
 * refuse; prompts whose text begins alike without being equal in whole blocks; and whatever the network takes. What follows
 * from these is held by tests of the line and of the whole gateway.
 */
import { Estimates } from '../../src/access/estimates.ts'
import { Limiter } from '../../src/access/limiter.ts'
import { limitsOptions } from '../../src/access/options.ts'
import { OwnLines } from '../../src/access/own-lines.ts'
import { type Balancing, makeBalancing } from '../../src/balancing/balancing.ts'
import { balancingOptions } from '../../src/balancing/options.ts'
import type { Host } from '../../src/hosts/host.ts'
import { ModelCatalog } from '../../src/hosts/model-catalog.ts'
import { modelsOptions } from '../../src/hosts/options.ts'
import { ResidencyPlanner } from '../../src/hosts/residency.ts'
import { RetryBudget } from '../../src/hosts/retry-budget.ts'
import type { Route } from '../../src/hosts/route.ts'
import { Dispatcher } from '../../src/queue/dispatcher.ts'
import { queueOptions } from '../../src/queue/options.ts'
import type { Ended, Run, ToldWait } from './ended.ts'
import type { FluidHost } from './fluid-host.ts'
import { type Gate, KeyGate, openGate } from './key-gate.ts'
import { type SimOrder, type SimOrderName, simOrders } from './orders.ts'
import { type SimPolicyName, simPolicies } from './policies.ts'
import { Random } from './random.ts'
import { ServiceGap } from './service-gap.ts'
import { SimHosts } from './sim-hosts.ts'
import { type SimGateway, SimRequest } from './sim-request.ts'
import { VirtualClock } from './virtual-clock.ts'
import { type Arrival, endlessMs, largestCost, type Workload } from './workload.ts'

const model = 'm'
const blockTokensDefault = 64
const { residency } = modelsOptions.parse({})
/** Chance of loads is their own, so that they take as long whatever else is decided. */
const loadsSeed = 15_485_863

/** As large as it takes, so that every order has the same requests to serve. */
export const noBounds = { lengthMax: 1_000_000, lengthMaxPerKey: 1_000_000, tokensMax: 1e12, tokensMaxPerKey: 1e12 }

/** Who goes next, and where to. */
export interface Deciding {
  readonly order?: SimOrderName
  readonly policy?: SimPolicyName
}

export class Simulation implements SimGateway {
  readonly clock = new VirtualClock(() => this.#flow())
  readonly ownLines: OwnLines
  readonly estimates = new Estimates(10_000)
  readonly dispatcher: Dispatcher
  readonly balancing: Balancing
  readonly retryBudget = new RetryBudget(this.clock)
  readonly gate: Gate
  readonly gap: ServiceGap
  readonly running = new Set<SimRequest>()
  readonly blockTokens: number
  readonly #workload: Workload
  readonly #hosts: SimHosts
  readonly #planner: ResidencyPlanner | null
  readonly #routes = new Map<string, Route>()
  readonly #keys: readonly string[]
  readonly #open = new Set<SimRequest>()
  readonly #ended: Ended[] = []
  readonly #told: ToldWait[] = []

  constructor(workload: Workload, { order = 'token-fair', policy = 'fastest' }: Deciding = {}, seed = 1) {
    const random = new Random(seed)
    const { clock } = this
    const chosen: SimOrder = simOrders[order]
    this.#workload = workload
    this.blockTokens = workload.blockTokens ?? blockTokensDefault
    this.#keys = [...new Set(workload.streams.map(({ key }) => key))]
    this.gap = new ServiceGap(this.#keys.length)
    this.gate = chosen.perKeyMax === undefined ? openGate : new KeyGate(chosen.perKeyMax)
    this.ownLines = ownLinesOf(clock, random)
    this.#planner = workload.models === undefined ? null : this.#makePlanner()
    this.balancing = balancingOf(policy, { clock, random, planner: this.#planner })
    this.dispatcher = new Dispatcher(queueOptions.parse({ ...noBounds, waitMsMax: endlessMs, order: chosen.order }), {
      clock,
      balancer: this.balancing.balancer,
      ...(this.#planner === null ? {} : { planner: this.#planner }),
      events: {
        waitEnded: () => {},
        rejected: () => {},
        gaveBack: () => {},
        estimateTold: ({ p50Ms, p90Ms, waitMs }) => void this.#told.push({ p50Ms, p90Ms, waitMs }),
      },
      ...(chosen.costs === undefined ? {} : { costs: chosen.costs }),
    })
    this.#hosts = new SimHosts(workload, {
      clock,
      chance: random.next,
      random: new Random(seed + loadsSeed),
      model,
      onChange: () => this.dispatcher.hostsChanged(),
      onForgotten: (host) => this.balancing.prefixes.forget(host),
    })
    const catalog = new ModelCatalog(this.hosts, {})
    for (const name of workload.models?.names ?? [model]) {
      this.#routes.set(name, catalog.route(name, 'chat_completions'))
    }
  }

  run(): Run {
    const { durationMs, arrivals } = this.#workload
    for (const arrival of arrivals) this.#arriveLater(arrival)
    this.clock.runUntil(durationMs)
    for (const request of this.#open) request.cutOff()
    this.#hosts.stop()
    this.#planner?.stop()
    const alone = this.#keys.length < 2
    return {
      ended: this.#ended,
      told: this.#told,
      durationMs,
      blockTokens: this.blockTokens,
      written: this.#hosts.machines.reduce((sum, { written }) => sum + written, 0),
      gapMax: alone ? Number.NaN : this.gap.max,
      gapBound: alone ? Number.NaN : this.#slotsMax * largestCost(this.#ended.map(({ arrival }) => arrival)),
      gapMean: alone ? Number.NaN : this.gap.mean,
      jain: this.gap.jain,
      hosts: this.hosts.length,
      ...this.#hosts.loads,
    }
  }

  get #slotsMax(): number {
    return this.#workload.hosts.reduce((sum, { slots, slotBounds }) => sum + (slotBounds?.max ?? slots), 0)
  }

  get hosts(): readonly Host[] {
    return this.#hosts.all
  }

  /** Requests that wait or run. */
  get requestsLive(): number {
    return this.#open.size
  }

  routeOf({ model: name = model }: Arrival): Route {
    const route = this.#routes.get(name)
    if (route === undefined) throw new Error(`${name} is no model of this simulation`)
    return route
  }

  machine(host: Host): FluidHost {
    return this.#hosts.machine(host)
  }

  connectFailed(host: Host): void {
    this.#hosts.connectFailed(host)
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

  #makePlanner(): ResidencyPlanner {
    return new ResidencyPlanner(() => residency, {
      clock: this.clock,
      onChange: () => this.dispatcher.hostsChanged(),
      order: (order) => this.#hosts.order(order),
    })
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
    for (const machine of this.#hosts.machines) machine.flow()
    for (const request of this.running) request.charge()
    this.gap.observe(this.clock.now())
  }
}

export function ownLinesOf(clock: VirtualClock, random: Random): OwnLines {
  const limiter = new Limiter({ clock, limits: limitsOptions.parse({}), teams: {}, chance: random.next })
  return new OwnLines({
    clock,
    limiter,
    waitMsMax: Number.POSITIVE_INFINITY,
    lengthMax: noBounds.lengthMaxPerKey,
    mayWait: () => true,
    hasRoom: () => true,
  })
}

interface BalancingOf {
  readonly clock: VirtualClock
  readonly random: Random
  readonly planner: ResidencyPlanner | null
}

export function balancingOf(name: SimPolicyName, { clock, random, planner }: BalancingOf): Balancing {
  const { policy, makePolicy, forgetful } = simPolicies[name]
  const options = balancingOptions.parse({ policy, prefixes: { enabled: forgetful !== true } })
  return makeBalancing(options, {
    clock,
    chance: random.next,
    ...(planner === null ? {} : { accessOf: planner.accessOf }),
    ...(makePolicy === undefined ? {} : { makePolicy }),
  })
}
