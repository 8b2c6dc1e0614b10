/** What a gateway shares with others before the same hosts: made only where the configuration names a Redis. */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { LimitLane } from './access/limit-lane.ts'
import type { Balancing } from './balancing/balancing.ts'
import { exchange } from './balancing/exchange.ts'
import type { Clock } from './base/clock.ts'
import type { Log } from './base/log.ts'
import type { ResolvedConfig } from './config/schema.ts'
import type { Host } from './hosts/host.ts'
import type { ModelKeeper } from './hosts/model-keeper.ts'
import type { SharingSources } from './observe/figure-sources.ts'
import type { SharingEvents } from './observe/sharing-metrics.ts'
import type { Dispatcher } from './queue/dispatcher.ts'
import { ServedElsewhere } from './queue/served-elsewhere.ts'
import type { Sharing } from './queue/shared-grants.ts'
import { Replicas } from './replicas/replicas.ts'
import { type FleetView, loneView, type ReplicaLoad, ReplicaLoads } from './replicas/view.ts'
import type { AccessRecords } from './stores/access-records.ts'
import type { LateStore } from './stores/late-store.ts'
import { RedisBeatStore } from './stores/redis/beat-store.ts'
import type { RedisEvents } from './stores/redis/events.ts'
import { FleetStore } from './stores/redis/fleet-store.ts'
import { LimitRecall } from './stores/redis/limit-recall.ts'
import { RedisLimitStore } from './stores/redis/limit-store.ts'
import { RedisLink } from './stores/redis/link.ts'
import { fleetSecret } from './stores/redis/print-secret.ts'
import { RedisSlotStore } from './stores/redis/slot-store.ts'

export interface SharedParts {
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  /** Asked once the gateway is made. */
  readonly events: () => SharingEvents
}

/** At the end, for rows of the ledger that others have yet to be given. */
const flushMsMax = 2_000

export class SharedState {
  readonly link: RedisLink
  readonly replicas: Replicas
  /** What requests are charged to limits. */
  readonly limits: LimitLane
  /** For the line: the slots of hosts. */
  readonly slots: Sharing
  /** And the loads of models there. */
  readonly slotStore: RedisSlotStore
  /** Of this gateway among the others. */
  readonly name: string
  readonly #parts: Pick<SharedParts, 'clock' | 'log'>
  #store: FleetStore | null = null
  #recall: LimitRecall | null = null

  constructor(
    redis: NonNullable<ResolvedConfig['storage']['redis']>,
    port: number,
    { version, clock, log, events }: SharedParts,
  ) {
    this.#parts = { clock, log }
    const redisEvents: RedisEvents = {
      called: (operation, outcome, ms) => events().redis.called(operation, outcome, ms),
      up: (isUp, problem) => {
        events().redis.up(isUp, problem)
        if (!isUp) this.#recall?.redisWent()
      },
    }
    this.link = new RedisLink(redis, { clock, log, chance: Math.random, events: redisEvents })
    const id = randomBytes(6).toString('base64url')
    this.name = redis.replica ?? `${hostname()}:${port}`
    const own = { id, name: this.name, version, startedAtMs: clock.wallMs() }
    const { goneAfterMs, answerMsMax } = redis
    const store = new RedisBeatStore(this.link, goneAfterMs)
    this.replicas = new Replicas({ clock, log, store, own, events, goneAfterMs })
    this.limits = new LimitLane({
      clock,
      store: new RedisLimitStore(this.link, redis, log),
      fleet: this.replicas,
      chance: Math.random,
      events: {
        limitsAsked: (by) => events().limitsAsked(by),
        limitAnswerUndone: () => events().limitAnswerUndone(),
      },
    })
    this.slotStore = new RedisSlotStore({ clock, link: this.link, replicas: this.replicas, goneAfterMs, answerMsMax })
    const slotEvents: Sharing['events'] = {
      slotAsked: (host, outcome) => events().slotAsked(host, outcome),
      slotAnswerUndone: (host) => events().slotAnswerUndone(host),
    }
    this.slots = { slots: this.slotStore, chance: Math.random, events: slotEvents }
    this.replicas.settlesOnce(() => this.limits.hasTold && this.slotStore.hasTold && this.#recall?.hasTold !== false)
  }

  /** What metrics read of it; the line knows its slots. */
  figures(): Omit<SharingSources, 'slots'> {
    const { link, replicas, name } = this
    return {
      replica: name,
      isRedisUp: () => link.isUp,
      replicas: () => ({ ...replicas.state(), isShared: this.limits.isShared }),
      limitChargesWaiting: () => this.limits.waiting,
      handOver: () =>
        this.#store?.handOver() ?? { waitingRows: 0, lagMs: 0, handedRows: 0, takenInRows: 0, missedRows: 0 },
      keysAgeMs: () => this.#store?.keysAgeMs() ?? 0,
    }
  }

  /** What this gateway keeps, in its own files, together with what all of them have; once. */
  storeOn(file: LateStore, { allowAnonymous }: { readonly allowAnonymous: boolean }): FleetStore {
    const { link, replicas, name } = this
    const parts = { ...this.#parts, link, replicas, id: replicas.id, name, chance: Math.random, allowAnonymous }
    this.#store = new FleetStore(file, parts)
    return this.#store
  }

  recallLimits(records: AccessRecords): void {
    const { link, replicas: fleet, limits: lane } = this
    this.#recall = new LimitRecall({ ...this.#parts, link, fleet, lane, records, chance: Math.random })
  }

  /** What each key was served is counted as in one line of all. */
  shareCounters(dispatcher: Dispatcher, hosts: readonly Host[]): void {
    const { replicas } = this
    const { clock } = this.#parts
    const waiting = () => dispatcher.waiting()
    const served = new ServedElsewhere({ clock, flows: dispatcher.flows(), hosts: () => hosts, waiting })
    replicas.tell('served', () => served.tell())
    replicas.hear('served', (from, told) => served.hear(from, told))
    replicas.onGone((id) => served.gone(id))
  }

  /** What hosts do, have read and are like is known to all. */
  shareHosts(balancing: Balancing, hosts: readonly Host[]): void {
    const { link, replicas } = this
    exchange(balancing, { bus: replicas, hosts: () => hosts, fleetSecret: (own) => fleetSecret(link, own) })
  }

  /** What runs, waits and is loaded of the models of hosts that cannot hold all is known to all. */
  shareModels(models: ModelKeeper, dispatcher: Dispatcher, hosts: readonly Host[]): void {
    const { replicas } = this
    const waitingAt = (host: Host) => dispatcher.models.waitingAt(host)
    const told = models.toldWith({ id: replicas.id, hosts: () => hosts, waitingAt })
    replicas.tell('models', () => told.tell())
    replicas.hear('models', (from, rows) => told.hear(from, rows))
    replicas.onGone((id) => told.gone(id))
  }

  /** Before anybody is let in: resolves also where Redis is not there. */
  async start(): Promise<void> {
    await this.link.start()
    await this.replicas.start()
    await this.slotStore.start()
  }

  /** The others are told that this one goes; what it held is free again. */
  async close(): Promise<void> {
    this.#recall?.stop()
    await this.#store?.handOverLast(flushMsMax)
    this.slotStore.stop()
    await this.limits.stop()
    await this.replicas.stop()
    await this.link.close()
  }
}

/** What it tells the other gateways, and hears of them. */
export function share(shared: SharedState | null, { dispatcher, balancing, models, hosts }: Shared): void {
  shared?.shareCounters(dispatcher, hosts)
  shared?.shareHosts(balancing, hosts)
  shared?.shareModels(models, dispatcher, hosts)
}

/** What the ledger says was used is told where others may have lost it. */
export function recallLimits(shared: SharedState | null, records: AccessRecords): void {
  shared?.recallLimits(records)
}

interface Shared {
  readonly models: ModelKeeper
  readonly dispatcher: Dispatcher
  readonly balancing: Balancing
  readonly hosts: readonly Host[]
}

/** Among others before the same hosts; null where it stands alone. */
export function nameOf(shared: SharedState | null): string | null {
  return shared?.name ?? null
}

/** This gateway and those beside it, for operators. */
export function replicasOf(
  shared: SharedState | null,
  { live, version, figures, dispatcher, hosts }: Seen,
): () => FleetView {
  const load = (): ReplicaLoad => ({
    running: hosts.reduce((sum, host) => sum + host.leases.size, 0),
    waiting: dispatcher.length,
  })
  if (shared === null) {
    const name = `${hostname()}:${live.config.server.port}`
    return () => loneView({ name, version, startedAtMs: figures.startedAtMs, load: load() })
  }
  const loads = new ReplicaLoads(shared.replicas, load)
  return () => {
    const { paused } = shared.limits
    return { ...loads.view(), ...(paused !== null && { isShared: false, ...paused }) }
  }
}

interface Seen {
  readonly live: { readonly config: ResolvedConfig }
  readonly version: string
  readonly figures: { readonly startedAtMs: number }
  readonly dispatcher: Pick<Dispatcher, 'length'>
  readonly hosts: readonly Host[]
}

/** Null where this gateway stands alone. */
export function sharedOf({ storage, server }: ResolvedConfig, parts: SharedParts): SharedState | null {
  return storage.redis === undefined ? null : new SharedState(storage.redis, server.port, parts)
}
