/** What the admin listener works with. */
import type { KeyAdmin } from '../../access/key-admin.ts'
import type { KeyRecord } from '../../access/key-record.ts'
import type { KeyStore } from '../../access/key-store.ts'
import type { LimitLeft } from '../../access/limits-left.ts'
import type { TeamsOptions } from '../../access/options.ts'
import type { RecentDecisions } from '../../balancing/recent-decisions.ts'
import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Fleet } from '../../hosts/fleet.ts'
import type { ModelCatalog } from '../../hosts/model-catalog.ts'
import type { LedgerStore } from '../../metering/ledger-store.ts'
import type { Metrics } from '../../observe/metrics.ts'
import type { RecentRequests } from '../../observe/recent-requests.ts'
import type { LineParts } from '../../queue/line-view.ts'
import type { Relay } from '../../relay/relay.ts'
import type { FleetView } from '../../replicas/view.ts'
import type { Figures } from './figures.ts'
import type { OperatorParts } from './operator.ts'

/** What waits and runs. */
export interface Traffic extends LineParts {
  readonly relay: Pick<Relay, 'live' | 'cancel' | 'endAt'>
  readonly catalog: Pick<ModelCatalog, 'placesByName'>
  readonly recent: Pick<RecentRequests, 'newestFirst' | 'find'>
  readonly decisions: Pick<RecentDecisions, 'newestFirst'>
}

/** What came of it, by the names of settings and hosts, without values. */
export type ConfigReload =
  | {
      readonly kind: 'taken'
      readonly file: string | null
      readonly notes: readonly string[]
      readonly changed: readonly string[]
      readonly waiting: readonly string[]
      readonly hostsJoined: readonly string[]
      readonly hostsLeft: readonly string[]
      readonly hostsChanged: readonly string[]
    }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

export interface AdminParts extends OperatorParts {
  readonly version: string
  readonly clock: Clock
  readonly log: Log
  /** Null where they are off. */
  readonly metrics: Metrics | null
  /** `admin.bind` and `admin.hostNames`. */
  readonly bind: string
  readonly hostNames: readonly string[]
  /** Loaded when it is first asked for. */
  readonly keyAdmin: () => Promise<KeyAdmin>
  readonly keyStore: Pick<KeyStore, 'audit' | 'note'>
  readonly fleet: Pick<Fleet, 'hosts' | 'leaving' | 'sourceOf' | 'like' | 'add' | 'remove'>
  /** `admin.hostNetworks` as it is now. */
  readonly hostNetworks: () => readonly string[]
  /** Takes the configuration anew; null where there is none to be read again. */
  readonly reload: () => Promise<ConfigReload> | null
  /** As they are now, in order of creation: read out of a store, 100,000 of them would hold up every stream meanwhile. */
  readonly allKeys: () => Iterable<KeyRecord>
  readonly traffic: Traffic
  /** Of the gateways before the same hosts. */
  readonly replicas: () => FleetView
  readonly figures: Figures
  readonly ledger: Pick<LedgerStore, 'usage'>
  /** Those of now. */
  readonly teams: TeamsOptions
  /** `limits.timeZone` and `usage.currency`. */
  readonly timeZone: string
  readonly currency: string
  /** What the key and its team may use now; empty where nothing is limited. */
  readonly limitsLeft: (key: KeyRecord) => readonly LimitLeft[]
}

/** What has ended has the name of its key alone: all names that the key may be meant by. */
export function keyNames(key: string, allKeys: AdminParts['allKeys']): ReadonlySet<string> {
  const names = new Set([key])
  for (const record of allKeys()) if (record.id === key) names.add(record.name)
  return names
}
