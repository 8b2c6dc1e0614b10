/** What the command line does with keys and usage, wherever they are kept: in a file of this machine, or behind an admin API. */
import type { KeyView } from '../access/key-schema.ts'
import type { UsageGroup } from '../metering/ledger-store.ts'
import type { UsageReport } from '../metering/usage-report.ts'
import type { KeyBody } from './key-flags.ts'

export interface IssuedKey {
  readonly view: KeyView
  /** The whole key, to be shown once. */
  readonly key: string
  /** Until now nobody needed one. */
  readonly first: boolean
}

/** As people write it; null for all, or for the default. */
export interface UsageQuestion {
  readonly by: readonly UsageGroup[]
  readonly from: string | null
  readonly to: string | null
  readonly key: string | null
  readonly team: string | null
  readonly model: string | null
  readonly host: string | null
}

/** Rejects with a GatewayError or a StoreError, whose message is for the operator. */
export interface AccessAdmin {
  /** Where the keys are: the file, or the address of the admin API. */
  readonly place: string
  /** Address of the gateway for clients, without a slash at the end; null where that is not known. */
  readonly dataUrl: string | null
  /** A gateway runs that finds changes by itself, a moment later. */
  readonly isFollowed: boolean
  /** No configuration file says what costs are in and whose days count. */
  readonly isWithoutFile: boolean
  /** Clients without a key are served although there are keys; null where that is not known. */
  readonly anonymousAllowed: boolean | null
  create(body: KeyBody): Promise<IssuedKey>
  change(idOrName: string, body: KeyBody): Promise<KeyView>
  /** Null for the usual time. */
  rotate(idOrName: string, graceMs: number | null): Promise<IssuedKey>
  revoke(idOrName: string, endStreams: boolean): Promise<KeyView>
  list(): Promise<readonly KeyView[]>
  find(idOrName: string): Promise<KeyView>
  usage(question: UsageQuestion): Promise<UsageReport>
  close(): Promise<void>
}
