/** The composition root: builds every part from a configuration, starts, drains and stops them. */
import type { AddressInfo } from 'node:net'
import { policies } from './balancing/policies.ts'
import { BoundedMap } from './base/bounded-map.ts'
import { type Clock, systemClock } from './base/clock.ts'
import { GatewayError } from './base/errors.ts'
import type { Log } from './base/log.ts'
import { roomForConnections } from './base/open-files.ts'
import { Overload } from './base/overload.ts'
import { type PressureSource, ProcessPressure } from './base/pressure.ts'
import { isLoopback } from './config/loopback.ts'
import type { ResolvedConfig } from './config/schema.ts'
import { Host, mayEjectOneMore } from './hosts/host.ts'
import { detectKind, hostKind } from './hosts/kinds/kinds.ts'
import { ModelCatalog } from './hosts/model-catalog.ts'
import type { ResolveName } from './hosts/name-lookup.ts'
import { Prober } from './hosts/prober.ts'
import { RetryBudget } from './hosts/retry-budget.ts'
import { adminApp, dataApp } from './http/app.ts'
import { Listener } from './http/listener.ts'
import { PhaseTimes } from './metering/phase-times.ts'
import { TokenTallies } from './metering/token-tallies.ts'
import type { UsageSink } from './metering/usage-record.ts'
import { accessLog } from './observe/access-log.ts'
import { createMetrics } from './observe/metrics.ts'
import { ByteBudget } from './queue/byte-budget.ts'
import { Dispatcher } from './queue/dispatcher.ts'
import { ZombieSlots } from './queue/zombie-slots.ts'
import type { RelayEvents } from './relay/events.ts'
import { Relay } from './relay/relay.ts'

export interface GatewayParts {
  readonly version: string
  readonly log: Log
  /** Log lines that could not be written so far. */
  readonly logDropped?: () => number
  readonly clock?: Clock
  /** How short of memory and processor time this process is. */
  readonly pressure?: PressureSource
  /** Gets one record of each request, at its end. */
  readonly usage?: UsageSink
  /** Where the addresses of hosts come from; the system's resolver by default. */
  readonly resolveName?: ResolveName
}

/** One host as found at start, for the operator's eyes. */
export interface HostReport {
  readonly name: string
  readonly url: string
  /** Kind, once known. */
  readonly kind: string | null
  /** Null when the host answered its first probe, else one sentence on why not. */
  readonly problem: string | null
  readonly models: readonly string[]
  readonly slots: number
}

export interface Gateway {
  /** Binds both listeners, or throws a StartError; does not wait for hosts. Resolves with the real addresses. */
  start(): Promise<{ dataUrl: string; adminUrl: string }>
  /** Resolves after the first probe of every host has ended, well or not; probing goes on. */
  firstProbes(): Promise<readonly HostReport[]>
  /** Drains (newcomers get 503, the others are served for drainMsMax) and resolves when all is closed; `now` ends running streams at once, honestly. */
  stop(options?: { now?: boolean }): Promise<void>
}

/** The gateway could not start; the message is one sentence that says what to do. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

export function createGateway(config: ResolvedConfig, parts: GatewayParts): Gateway {
  return new BuiltGateway(config, parts)
}

class BuiltGateway implements Gateway {
  readonly #config: ResolvedConfig
  readonly #clock: Clock
  readonly #hosts: readonly Host[]
  readonly #prober: Prober
  readonly #relay: Relay
  readonly #overload: Overload
  readonly #data: Listener
  readonly #admin: Listener
  #probed: Promise<void> | null = null
  #stopping: Promise<void> | null = null
  #endNow: () => void = () => {}

  constructor(config: ResolvedConfig, parts: GatewayParts) {
    const clock = parts.clock ?? systemClock
    const { log, version } = parts
    const userAgent = `lmx-gateway/${version}`
    const hosts: readonly Host[] = config.hosts.map(
      ({ kind, ...host }) =>
        new Host(
          { ...host, kind: kind === undefined ? null : hostKind(kind) },
          { connectMsMax: config.relay.connectMsMax, clock, resolveName: parts.resolveName, health: config.health },
          {
            clock,
            log,
            chance: Math.random,
            mayEject: () => mayEjectOneMore(hosts),
            onChange: () => dispatcher.hostsChanged(),
          },
        ),
    )
    const catalog = new ModelCatalog(hosts, config.models.aliases)
    const tallies = new TokenTallies()
    const phases = new PhaseTimes(clock)
    const budget = new ByteBudget(config.queue.bytesMax, () => metrics.rejected(null, 'bytes'))
    // Rooms and metrics need each other: what the metrics read is only looked at when a scrape asks for it.
    const metrics = createMetrics({
      version,
      queue: () => ({ depthByModel: dispatcher.depthByModel(), bytes: budget.held }),
      hosts: () => hosts.map((host) => ({ ...host.state(), zombieSlots: zombies.count(host) })),
      tokens: () => tallies,
      phases: () => phases.totals(),
      openStreams: () => relay.openStreams,
      logDropped: parts.logDropped ?? (() => 0),
      knownModel: (name) => catalog.knows(name),
    })
    const overload = new Overload(config.overload, { clock, log, pressure: parts.pressure ?? new ProcessPressure() })
    const policy = policies[config.balancing.policy](Math.random)
    const dispatcher = new Dispatcher(config.queue, {
      clock,
      policy,
      events: metrics,
      noWaiting: () => overload.noWaiting(),
    })
    const prober = new Prober(hosts, config.probe, {
      clock,
      log,
      userAgent,
      detect: detectKind,
      onChange: () => dispatcher.hostsChanged(),
      onRunning: (host, running, askedAtMs) => zombies.told(host, running, askedAtMs),
    })
    const zombies = new ZombieSlots({
      clock,
      msMax: config.relay.zombieMsMax,
      ask: (host) => void prober.probe(host),
    })
    const relay = new Relay({
      options: config.relay,
      clock,
      log,
      userAgent,
      catalog,
      dispatcher,
      queueWaitMsMax: config.queue.waitMsMax,
      zombies,
      retryBudget: new RetryBudget(clock),
      modelClocks: config.models.clocks,
      budget,
      tallies,
      phases,
      storedResponses: new BoundedMap(config.relay.storedResponsesMax),
      events: withAccessLog(metrics, accessLog(log)),
      usage: parts.usage ?? (() => {}),
      refusal: () => overload.refusal(),
      onModelGone: (host, model) => {
        host.modelGone(model)
        void prober.probe(host)
      },
      onConnectFailed: (host, code) => prober.connectFailed(host, code),
    })
    const metricsToken = isLoopback(config.admin.bind) ? null : (config.admin.metricsToken ?? null)
    const notReadyBecause = (): string | null => this.#notReadyBecause()
    this.#config = config
    this.#clock = clock
    this.#hosts = hosts
    this.#prober = prober
    this.#relay = relay
    this.#overload = overload
    const limits = {
      ...config.server,
      connectionsMax: Math.min(config.server.connectionsMax, roomForConnections()),
      clientStallMsMax: config.relay.clientStallMsMax,
    }
    const keepsConnections = (): boolean => overload.stage === 'none'
    const app = dataApp({ relay, catalog, clock, log, notReadyBecause })
    this.#data = new Listener(app, limits, clock, keepsConnections)
    this.#admin = new Listener(adminApp({ metrics, log, metricsToken }), limits, clock)
  }

  async start(): Promise<{ dataUrl: string; adminUrl: string }> {
    const { server, admin } = this.#config
    const data = await listen(this.#data, server, { portFlag: '--port', bindFlag: '--bind' })
    try {
      const adminAddress = await listen(this.#admin, admin, { portFlag: '--admin-port', bindFlag: '--admin-bind' })
      this.#probed = this.#prober.start()
      this.#overload.start()
      return { dataUrl: urlOf(data), adminUrl: urlOf(adminAddress) }
    } catch (error) {
      await this.#data.close()
      throw error
    }
  }

  async firstProbes(): Promise<readonly HostReport[]> {
    await this.#probed
    return this.#hosts.map((host) => ({
      name: host.name,
      url: host.url.href,
      kind: host.kind?.name ?? null,
      problem: host.problem,
      models: [...new Set([...(host.models?.keys() ?? []), ...host.configuredModels])],
      slots: host.slots,
    }))
  }

  stop({ now = false } = {}): Promise<void> {
    this.#stopping ??= this.#drain()
    if (now) this.#endNow()
    return this.#stopping
  }

  async #drain(): Promise<void> {
    const { shutdownDelayMs, drainMsMax } = this.#config.server
    const endNow = new Promise<void>((resolve) => {
      this.#endNow = resolve
    })
    const after = (delayMs: number): Promise<void> =>
      new Promise((resolve) => {
        this.#clock.after(delayMs, resolve)
      })
    const shuttingDown = new GatewayError('gateway_shutting_down', 'The gateway is stopping.')
    if (shutdownDelayMs > 0) await Promise.race([after(shutdownDelayMs), endNow])
    this.#relay.refuseNewcomers(shuttingDown)
    await Promise.race([this.#relay.idle(), after(drainMsMax), endNow])
    this.#relay.endAll(shuttingDown)
    this.#overload.stop()
    await Promise.all([this.#data.close(), this.#admin.close(), this.#prober.stop()])
    await Promise.all(this.#hosts.map((host) => host.close()))
  }

  #notReadyBecause(): string | null {
    if (this.#stopping !== null) return 'the gateway is stopping'
    if (this.#overload.stage === 'shed') return 'the gateway is overloaded'
    return this.#hosts.some((host) => host.up) ? null : 'no host is up'
  }
}

function withAccessLog(metrics: RelayEvents, log: ReturnType<typeof accessLog>): RelayEvents {
  return {
    requestEnded(outcome) {
      metrics.requestEnded(outcome)
      log(outcome)
    },
    attemptFailed: (host, reason) => metrics.attemptFailed(host, reason),
    failedOver: (model, phase, result) => metrics.failedOver(model, phase, result),
  }
}

async function listen(
  listener: Listener,
  address: { bind: string; port: number },
  flags: { portFlag: string; bindFlag: string },
): Promise<AddressInfo> {
  const { bind, port } = address
  try {
    return await listener.listen(bind, port)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const where = `${bind}:${port}`
    switch (code) {
      case 'EADDRINUSE':
        throw new StartError(
          `${where} is in use; stop the program there or choose another port with ${flags.portFlag}.`,
        )
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        throw new StartError(`${bind} is no address of this machine; choose another with ${flags.bindFlag}.`)
      case 'EACCES':
        throw new StartError(`No permission to listen on ${where}; choose a port above 1023 with ${flags.portFlag}.`)
      default:
        throw new StartError(`Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}.`)
    }
  }
}

function urlOf({ address, port, family }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
