/** The composition root: builds every part from a configuration, starts, drains and stops them. */
import { Access } from './access/access.ts'
import { type Balancing, makeBalancing } from './balancing/balancing.ts'
import { keptBy, RecentDecisions } from './balancing/recent-decisions.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { GatewayError } from './base/errors.ts'
import { Overload } from './base/overload.ts'
import { ProcessPressure } from './base/pressure.ts'
import { StartError } from './base/start-error.ts'
import { StoreError } from './base/store-error.ts'
import { isLoopback } from './config/loopback.ts'
import type { ReloadCause, ReloadResult } from './config/reload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import { drain } from './gateway-drain.ts'
import { figuresOf } from './gateway-figures.ts'
import { fleetOf } from './gateway-fleet.ts'
import { adminListener, cannotWrite, dataListener, type ListenerParts } from './gateway-listeners.ts'
import type { Gateway, GatewayParts, Started } from './gateway-parts.ts'
import { relayOf } from './gateway-relay.ts'
import { LiveConfig } from './gateway-reload.ts'
import { nameOf, recallLimits, type SharedState, share, sharedOf } from './gateway-shared.ts'
import { retentionOf, zombiesOf } from './gateway-upkeep.ts'
import { authoritiesOf } from './hosts/authorities.ts'
import type { Fleet } from './hosts/fleet.ts'
import type { Host } from './hosts/host.ts'
import { type HostReport, reportOf } from './hosts/host-report.ts'
import { detectKind } from './hosts/kinds/kinds.ts'
import { isUnknown, ModelCatalog } from './hosts/model-catalog.ts'
import { ModelKeeper } from './hosts/model-keeper.ts'
import { Prober } from './hosts/prober.ts'
import type { Figures } from './http/admin/figures.ts'
import { bind, openDoor, urlOf } from './http/bind.ts'
import type { Listener } from './http/listener.ts'
import { TlsFiles } from './http/tls-files.ts'
import { Ledger } from './metering/ledger.ts'
import { PhaseTimes } from './metering/phase-times.ts'
import type { Retention } from './metering/retention.ts'
import { StreamGaps } from './metering/stream-gaps.ts'
import { TokenTallies } from './metering/token-tallies.ts'
import type { FigureSources } from './observe/figure-sources.ts'
import { createMetrics, type MetricEvents, type Metrics, noMetrics } from './observe/metrics.ts'
import { makeOtlp, type Otlp } from './observe/otlp/otlp.ts'
import { RecentFigures } from './observe/recent-figures.ts'
import { RecentRequests } from './observe/recent-requests.ts'
import { ByteBudget } from './queue/byte-budget.ts'
import { Dispatcher } from './queue/dispatcher.ts'
import type { ZombieSlots } from './queue/zombie-slots.ts'
import type { Relay } from './relay/relay.ts'
import { AccessRecords } from './stores/access-records.ts'
import { type GatewayStore, LateStore } from './stores/late-store.ts'

export type { Gateway, GatewayParts, Started } from './gateway-parts.ts'
export { authoritiesOf, type HostReport, StartError, TlsFiles }

export function createGateway(config: ResolvedConfig, parts: GatewayParts): Gateway {
  return new BuiltGateway(config, parts)
}

const keyRevoked = new GatewayError('invalid_api_key', 'This key was revoked.')

class BuiltGateway implements Gateway {
  readonly #live: LiveConfig
  readonly #parts: GatewayParts
  readonly #clock: Clock
  readonly #userAgent: string
  readonly #fleet: Fleet
  readonly #catalog: ModelCatalog
  readonly #tallies = new TokenTallies()
  readonly #phases: PhaseTimes
  readonly #gaps: StreamGaps
  readonly #budget: ByteBudget
  readonly #overload: Overload
  /** Null where they are off. */
  readonly #metrics: Metrics | null
  readonly #figures: Figures
  readonly #events: MetricEvents
  readonly #recent: RecentRequests
  readonly #decisions: RecentDecisions
  /** Null without an endpoint. */
  readonly #otlp: Otlp | null
  readonly #models: ModelKeeper
  readonly #balancing: Balancing
  readonly #dispatcher: Dispatcher
  readonly #prober: Prober
  readonly #zombies: ZombieSlots
  readonly #store: GatewayStore
  /** Null where it stands alone before its hosts. */
  readonly #shared: SharedState | null
  readonly #ledger: Ledger
  readonly #retention: Retention
  readonly #access: Access
  readonly #records: AccessRecords
  readonly #relay: Relay
  readonly #data: Listener
  readonly #admin: Listener
  #probed: Promise<void> | null = null
  #stopping: Promise<void> | null = null
  #endNow: () => void = () => {}

  // The rooms and the metrics need each other: what one part asks of another is only asked once all are there.
  constructor(config: ResolvedConfig, parts: GatewayParts) {
    const clock = parts.clock ?? systemClock
    const { log, onAdminToken = () => {} } = parts
    this.#parts = parts
    this.#clock = clock
    this.#userAgent = `lmx-gateway/${parts.version}`
    this.#live = new LiveConfig(config, { ...parts, clock, told: () => this.#hearing() })
    this.#shared = sharedOf(config, { version: parts.version, clock, log, events: () => this.#events })
    this.#phases = new PhaseTimes(clock)
    this.#gaps = new StreamGaps(config.metrics)
    this.#budget = new ByteBudget(config.queue.bytesMax, () => this.#events.rejected(null, 'bytes'))
    this.#overload = new Overload(config.overload, { clock, log, pressure: parts.pressure ?? new ProcessPressure() })
    this.#fleet = fleetOf(config, { clock, log, resolveName: parts.resolveName, hearing: () => this.#hearing() })
    this.#catalog = new ModelCatalog(this.#fleet.hosts, config.models.aliases)
    const sources = this.#sources()
    this.#metrics = config.metrics.enabled ? createMetrics(sources, config.metrics.seriesMax) : null
    const counted = this.#metrics?.counted ?? null
    const recent = new RecentFigures({ clock, sources, counted })
    this.#figures = { sources, counted, recent, lagMs: () => this.#overload.lagMs, startedAtMs: clock.wallMs() }
    this.#events = this.#metrics ?? noMetrics
    this.#recent = new RecentRequests(config.log.recentRequestsMax)
    this.#decisions = new RecentDecisions(config.balancing.decisionsMax)
    const replica = nameOf(this.#shared)
    this.#otlp = makeOtlp(config.otlp, { version: parts.version, replica, clock, log, metrics: this.#metrics })
    const asking = { clock, log, userAgent: this.#userAgent }
    this.#models = new ModelKeeper(() => this.#config, {
      ...asking,
      onChange: () => this.#dispatcher.hostsChanged(),
      probe: (host) => void this.#prober.probe(host),
      leases: this.#shared?.slotStore,
    })
    const { accessOf } = this.#models.planner
    this.#balancing = makeBalancing(config.balancing, { clock, chance: Math.random, accessOf })
    this.#dispatcher = new Dispatcher(config.queue, {
      clock,
      balancer: this.#balancing.balancer,
      planner: this.#models.planner,
      events: this.#events,
      decisions: keptBy(this.#decisions, this.#events),
      noWaiting: () => this.#overload.noWaiting(),
      isOneUnknown: () => this.#fleet.hosts.some(isUnknown),
      waitingElsewhere: () => this.#access.waiting,
      ...(this.#shared === null ? {} : { sharing: this.#shared.slots }),
    })
    const told = { dispatcher: this.#dispatcher, balancing: this.#balancing, models: this.#models }
    share(this.#shared, { ...told, hosts: this.#fleet.hosts })
    this.#prober = new Prober(this.#fleet.hosts, config.probe, {
      ...asking,
      detect: detectKind,
      onChange: (host) => {
        // Whatever it had kept went with it, unless it was only not to be reached, which nobody can tell from here.
        if (!host.up) this.#balancing.prefixes.forget(host)
        this.#dispatcher.hostsChanged()
      },
      onProbed: (host) => this.#models.loads.probed(host),
      onRunning: (host, running, askedAtMs) => this.#zombies.told(host, running, askedAtMs),
    })
    this.#zombies = zombiesOf(this.#live, clock, (host) => void this.#prober.probe(host))
    const { storage } = config
    const file = new LateStore({ ...storage, role: 'gateway', clock }, parts.store)
    this.#store = this.#shared?.storeOn(file, config.server) ?? file
    this.#ledger = new Ledger(storage, { store: this.#store.ledger, clock, log })
    this.#retention = retentionOf(this.#live, { store: this.#store.ledger, clock, log })
    this.#access = this.#makeAccess()
    this.#records = new AccessRecords({ store: this.#store, access: this.#access, clock, log, onAdminToken })
    recallLimits(this.#shared, this.#records)
    this.#relay = this.#makeRelay()
    const listened = this.#listenerParts()
    this.#data = dataListener(listened)
    this.#admin = adminListener(listened)
  }

  /** Nothing runs there any more. */
  #forget(host: Host): void {
    this.#dispatcher.forget(host)
    this.#models.planner.forget(host)
    this.#balancing.prefixes.forget(host)
    this.#balancing.speeds.forget(host)
  }

  get #config(): ResolvedConfig {
    return this.#live.config
  }

  #sources(): FigureSources {
    return figuresOf({
      version: this.#parts.version,
      live: this.#live,
      clock: this.#clock,
      hosts: this.#fleet.hosts,
      leavingHosts: () => this.#fleet.leaving,
      catalog: this.#catalog,
      tallies: this.#tallies,
      phases: this.#phases,
      gaps: this.#gaps,
      budget: this.#budget,
      overload: this.#overload,
      balancing: () => this.#balancing,
      dispatcher: () => this.#dispatcher,
      zombies: () => this.#zombies,
      ledger: () => this.#ledger,
      access: () => this.#access,
      relay: () => this.#relay,
      clientConnections: () => this.#data.connections,
      logDropped: this.#parts.logDropped ?? (() => 0),
      sharing: this.#shared?.figures() ?? null,
      otlpDropped: () => this.#otlp?.dropped() ?? { traces: 0, metrics: 0 },
    })
  }

  /** Who hears of hosts and of settings. */
  #hearing() {
    return {
      config: this.#config,
      fleet: this.#fleet,
      catalog: this.#catalog,
      prober: this.#prober,
      dispatcher: this.#dispatcher,
      balancing: this.#balancing,
      budget: this.#budget,
      overload: this.#overload,
      access: this.#access,
      events: this.#events,
      zombies: this.#zombies,
      forget: (host: Host) => this.#forget(host),
    }
  }

  #makeAccess(): Access {
    const { server, limits, teams, queue } = this.#config
    return new Access({
      ...server,
      clock: this.#clock,
      limits,
      teams,
      events: this.#events,
      chance: Math.random,
      lane: this.#shared?.limits ?? null,
      waitingMax: queue.lengthMaxPerKey,
      mayWait: () => this.#overload.noWaiting() === null,
      hasRoom: (tokens) => this.#dispatcher.hasRoom(tokens),
      onRevoked: ({ id, endsStreams: running }) => this.#relay.endOf(id, { running }, keyRevoked),
    })
  }

  #makeRelay(): Relay {
    return relayOf({
      live: this.#live,
      clock: this.#clock,
      log: this.#parts.log,
      userAgent: this.#userAgent,
      catalog: this.#catalog,
      dispatcher: this.#dispatcher,
      prompts: this.#balancing.prompts,
      zombies: this.#zombies,
      budget: this.#budget,
      tallies: this.#tallies,
      phases: this.#phases,
      gaps: this.#gaps,
      metrics: this.#metrics,
      events: this.#events,
      recent: this.#recent,
      otlp: this.#otlp,
      ledger: this.#ledger,
      overload: this.#overload,
      prober: this.#prober,
      usage: this.#parts.usage,
    })
  }

  #listenerParts(): ListenerParts {
    return {
      version: this.#parts.version,
      live: this.#live,
      fleet: this.#fleet,
      clock: this.#clock,
      log: this.#parts.log,
      hosts: this.#fleet.hosts,
      catalog: this.#catalog,
      budget: this.#budget,
      overload: this.#overload,
      dispatcher: this.#dispatcher,
      relay: this.#relay,
      access: this.#access,
      records: this.#records,
      store: this.#store,
      ledger: this.#ledger,
      metrics: this.#metrics,
      figures: this.#figures,
      recent: this.#recent,
      decisions: this.#decisions,
      shared: this.#shared,
      reload: (cause) => this.reload(cause),
      notReadyBecause: () => this.#notReadyBecause(),
    }
  }

  async start(): Promise<Started> {
    await this.#openStore()
    try {
      await this.#otlp?.load()
      return await this.#listen()
    } catch (error) {
      await this.#shared?.close()
      await this.#store.close()
      throw error
    }
  }

  /** What is kept must be known before anybody is let in. */
  async #openStore(): Promise<void> {
    const { server } = this.#config
    try {
      await this.#shared?.start()
      await this.#records.open()
      if (this.#access.anonymous && !server.allowAnonymous && !isLoopback(server.bind)) throw openDoor(server.bind)
      await this.#records.restoreLimits()
    } catch (error) {
      await this.#shared?.close()
      await this.#store.close()
      throw error instanceof StoreError ? new StartError(error.message) : error
    }
  }

  async #listen(): Promise<Started> {
    const { server, admin } = this.#config
    const data = await bind(this.#data, server, { portFlag: '--port', bindFlag: '--bind' })
    try {
      const adminAddress = await bind(this.#admin, admin, { portFlag: '--admin-port', bindFlag: '--admin-bind' })
      this.#probed = this.#prober.start()
      this.#overload.start()
      this.#figures.recent.start()
      await this.#live.watch()
      await this.#records.begin()
      this.#retention.start()
      this.#otlp?.start()
      return {
        dataUrl: urlOf(data, server.tls === undefined ? 'http' : 'https'),
        adminUrl: urlOf(adminAddress),
        liveKeys: this.#access.liveKeys,
        isAnonymous: this.#access.anonymous,
      }
    } catch (error) {
      await this.#data.close()
      throw error
    }
  }

  async firstProbes(): Promise<readonly HostReport[]> {
    await this.#probed
    return this.#fleet.hosts.map(reportOf)
  }

  reload(cause: ReloadCause): Promise<ReloadResult> | null {
    return this.#stopping === null ? this.#live.reload(cause) : null
  }

  stop({ now = false } = {}): Promise<void> {
    this.#stopping ??= this.#drain()
    if (now) this.#endNow()
    return this.#stopping
  }

  #drain(): Promise<void> {
    const endNow = new Promise<void>((resolve) => {
      this.#endNow = resolve
    })
    const zombies = { stop: () => this.#zombies.close() }
    const parts = {
      ...this.#config.server,
      clock: this.#clock,
      relay: this.#relay,
      dispatcher: this.#dispatcher,
      works: [this.#live, this.#overload, this.#figures.recent, this.#retention, zombies],
      doors: [this.#data, this.#admin, { close: () => this.#prober.stop() }, this.#models],
      fleet: this.#fleet,
      ledger: this.#ledger,
      otlp: this.#otlp,
      shared: this.#shared,
      store: this.#store,
    }
    return drain(parts, endNow)
  }

  #notReadyBecause(): string | null {
    if (this.#stopping !== null) return 'the gateway is stopping'
    if (this.#overload.stage === 'shed') return 'the gateway is overloaded'
    if (this.#ledger.full) return cannotWrite
    return this.#fleet.hosts.some((host) => host.up) ? null : 'no host is up'
  }
}
