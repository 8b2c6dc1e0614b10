/** The two listeners of a gateway: for clients, and for its operators. */
import type { Access } from './access/access.ts'
import { withChangeLog } from './access/change-log.ts'
import type { KeyAdmin } from './access/key-admin.ts'
import type { RecentDecisions } from './balancing/recent-decisions.ts'
import type { Clock } from './base/clock.ts'
import { loadedOnce } from './base/loaded-once.ts'
import type { Log } from './base/log.ts'
import { roomForConnections } from './base/open-files.ts'
import type { Overload } from './base/overload.ts'
import { isLoopback } from './config/loopback.ts'
import type { ReloadCause, ReloadResult } from './config/reload.ts'
import type { ResolvedConfig } from './config/schema.ts'
import { replicasOf, type SharedState } from './gateway-shared.ts'
import type { Fleet } from './hosts/fleet.ts'
import type { Host } from './hosts/host.ts'
import type { ModelCatalog } from './hosts/model-catalog.ts'
import { adminHeaders } from './http/admin/admin-headers.ts'
import type { AdminParts } from './http/admin/admin-parts.ts'
import type { Figures } from './http/admin/figures.ts'
import { KeyedCallers } from './http/callers.ts'
import { Cors } from './http/cors.ts'
import { directInference } from './http/direct-inference.ts'
import { Listener } from './http/listener.ts'
import { TlsFiles } from './http/tls-files.ts'
import type { Ledger } from './metering/ledger.ts'
import type { Metrics } from './observe/metrics.ts'
import type { RecentRequests } from './observe/recent-requests.ts'
import type { ByteBudget } from './queue/byte-budget.ts'
import type { Dispatcher } from './queue/dispatcher.ts'
import type { Relay } from './relay/relay.ts'
import type { AccessRecords } from './stores/access-records.ts'
import type { GatewayStore } from './stores/late-store.ts'

export interface ListenerParts {
  readonly version: string
  readonly live: { readonly config: ResolvedConfig }
  /** Null where there is no configuration that could be read again. */
  readonly reload: (cause: ReloadCause) => Promise<ReloadResult> | null
  readonly fleet: Fleet
  readonly clock: Clock
  readonly log: Log
  readonly hosts: readonly Host[]
  readonly catalog: ModelCatalog
  readonly budget: ByteBudget
  readonly overload: Overload
  readonly dispatcher: Dispatcher
  readonly relay: Relay
  readonly access: Access
  readonly records: AccessRecords
  readonly store: GatewayStore
  readonly ledger: Ledger
  /** Null where they are off. */
  readonly metrics: Metrics | null
  readonly figures: Figures
  readonly recent: RecentRequests
  readonly decisions: RecentDecisions
  /** Null where it stands alone. */
  readonly shared: SharedState | null
  /** Null while requests are welcome. */
  readonly notReadyBecause: () => string | null
}

export const cannotWrite = 'the ledger cannot be written'

export function dataListener(parts: ListenerParts): Listener {
  const { live, clock, log, relay, access, catalog, ledger, records, overload, notReadyBecause } = parts
  const { config } = live
  const { tls, corsOrigins } = config.server
  const inference = { relay, callers: new KeyedCallers(access, config.server), clock, log }
  const loadApp = async () => {
    const { dataApp } = await import('./http/app.ts')
    return dataApp({
      ...inference,
      catalog,
      notReadyBecause,
      degradedBecause: () => (ledger.state().problem === null ? records.problem : cannotWrite),
    })
  }
  return new Listener(loadApp, limitsOf(live), clock, () => overload.stage === 'none', {
    tls: tls === undefined ? undefined : new TlsFiles(tls, { clock, log }),
    cors: new Cors(corsOrigins),
    direct: directInference(inference),
    log,
  })
}

export function adminListener(parts: ListenerParts): Listener {
  const { version, live, clock, log, metrics, figures, access, records, fleet, reload } = parts
  const { config } = live
  const { admin, limits, usage } = config
  const { keys, ledger } = parts.store
  const admitted: AdminParts = {
    version,
    clock,
    log,
    metrics,
    bind: admin.bind,
    hostNames: admin.hostNames,
    adminTokenDigest: () => records.adminTokenDigest,
    metricsOpen: isLoopback(admin.bind),
    metricsToken: admin.metricsToken ?? null,
    guesses: access.guesses,
    keyAdmin: keyAdminOf(parts),
    keyStore: keys,
    fleet,
    hostNetworks: () => live.config.admin.hostNetworks,
    reload: () => reload('admin-api'),
    allKeys: () => access.keys(),
    traffic: trafficOf(parts),
    figures,
    replicas: replicasOf(parts.shared, parts),
    ledger,
    get teams() {
      return live.config.teams
    },
    timeZone: limits.timeZone,
    currency: usage.currency,
    limitsLeft: ({ id: keyId, name, team, limits: own }) => access.limiter.left({ keyId, name, team, limits: own }),
  }
  const loadApp = async () => {
    const { adminApp } = await import('./http/admin/admin-app.ts')
    metrics?.begin()
    return adminApp(admitted)
  }
  return new Listener(loadApp, limitsOf(live), clock, undefined, { headers: adminHeaders, log })
}

/** It checks what it is told by schemas, which only whoever changes keys needs. */
function keyAdminOf({ live, clock, log, access, store }: ListenerParts): () => Promise<KeyAdmin> {
  return loadedOnce(async () => {
    const { KeyAdmin } = await import('./access/key-admin.ts')
    return new KeyAdmin(withChangeLog(store.keys, log), {
      clock,
      get teams() {
        return Object.keys(live.config.teams)
      },
      // Not to wait until the store tells of it.
      onChange: (key) => access.apply({ keys: [key], keysEverCreated: true }),
    })
  })
}

function trafficOf({ dispatcher, relay, recent, decisions, hosts, catalog, budget, access }: ListenerParts) {
  return { dispatcher, relay, recent, decisions, hosts, catalog, budget, forLimits: access }
}

function limitsOf(live: ListenerParts['live']) {
  const { server } = live.config
  const connectionsMax = Math.min(server.connectionsMax, roomForConnections())
  return {
    ...server,
    connectionsMax,
    get clientStallMsMax() {
      return live.config.relay.clientStallMsMax
    },
  }
}
