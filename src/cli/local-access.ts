/** Keys and usage in the store of this machine, whether a gateway runs on it or not. */
import { userInfo } from 'node:os'
import { KeyAdmin } from '../access/key-admin.ts'
import type { KeyView } from '../access/key-schema.ts'
import { keyView } from '../access/key-view.ts'
import { type Clock, systemClock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { StoreError } from '../base/store-error.ts'
import { suggestion } from '../config/nearest.ts'
import { inMemory } from '../config/resolve.ts'
import type { ResolvedConfig } from '../config/schema.ts'
import { usageRange } from '../metering/usage-range.ts'
import { type UsageReport, usageReport } from '../metering/usage-report.ts'
import { hasGateway } from '../stores/gateway-lock.ts'
import { openStore } from '../stores/open-store.ts'
import type { Store } from '../stores/store.ts'
import type { AccessAdmin, IssuedKey, UsageQuestion } from './access-admin.ts'
import type { Io } from './command.ts'
import type { KeyBody } from './key-flags.ts'
import { printable } from './printable.ts'

/** Rejects with a StoreError. What the operator should know of the files is said beside the answer. */
export async function openStoreHere(config: ResolvedConfig, io: Io): Promise<Pick<Store, 'keys' | 'ledger' | 'close'>> {
  const { path, redis } = config.storage
  if (path === inMemory && redis === undefined)
    throw new StoreError(
      `a store in memory (${inMemory}) is of one running gateway only: use --admin-url with its admin address, or --store`,
    )
  const store = await openStore({ path, role: 'cli' })
  for (const note of store.notes) io.err(`Note: ${printable(note)}`)
  if (redis === undefined) return store
  const { fleetKeysHere } = await import('./fleet-keys.ts')
  const fleet = fleetKeysHere(store, redis, io)
  return {
    keys: fleet.keys,
    ledger: store.ledger,
    async close() {
      await fleet.close()
      await store.close()
    },
  }
}

/** `file` is the one that the configuration was read from; null where there was none. */
export async function openLocalAccess(config: ResolvedConfig, file: string | null, io: Io): Promise<AccessAdmin> {
  return new LocalAccess(await openStoreHere(config, io), { config, file, clock: systemClock })
}

export class LocalAccess implements AccessAdmin {
  readonly isWithoutFile: boolean
  readonly #store: Pick<Store, 'keys' | 'ledger' | 'close'>
  readonly #config: ResolvedConfig
  readonly #clock: Clock
  readonly #admin: KeyAdmin

  constructor(
    store: Pick<Store, 'keys' | 'ledger' | 'close'>,
    { config, file, clock }: { config: ResolvedConfig; file: string | null; clock: Clock },
  ) {
    this.isWithoutFile = file === null
    this.#store = store
    this.#config = config
    this.#clock = clock
    this.#admin = new KeyAdmin(store.keys, { clock, teams: Object.keys(config.teams) })
  }

  get place(): string {
    const { path, redis } = this.#config.storage
    return redis === undefined ? path : `the fleet ${redis.fleet}`
  }

  get dataUrl(): string {
    const { bind, port, tls } = this.#config.server
    const everywhere = bind === '0.0.0.0' || bind === '::'
    const host = everywhere ? '127.0.0.1' : bind
    // Which free one it took, the gateway said at its start.
    return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 'PORT' : port}`
  }

  get isFollowed(): boolean {
    const { path, redis } = this.#config.storage
    return redis !== undefined || hasGateway(path)
  }

  get anonymousAllowed(): boolean {
    return this.#config.server.allowAnonymous
  }

  async create(body: KeyBody): Promise<IssuedKey> {
    this.#checkTeam(body)
    const { record, key, isFirst: first } = await this.#admin.create(body, operator())
    return { view: this.#view(record), key: key.reveal(), first }
  }

  async change(idOrName: string, body: KeyBody): Promise<KeyView> {
    this.#checkTeam(body)
    return this.#view(await this.#admin.change(idOrName, body, operator()))
  }

  async rotate(idOrName: string, graceMs: number | null): Promise<IssuedKey> {
    const { record, key } = await this.#admin.rotate(idOrName, operator(), graceMs ?? undefined)
    return { view: this.#view(record), key: key.reveal(), first: false }
  }

  async revoke(idOrName: string, endStreams: boolean): Promise<KeyView> {
    return this.#view(await this.#admin.revoke(idOrName, { endStreams }, operator()))
  }

  async list(): Promise<readonly KeyView[]> {
    return (await this.#admin.list()).map((record) => this.#view(record))
  }

  async find(idOrName: string): Promise<KeyView> {
    return this.#view(await this.#admin.find(idOrName))
  }

  async usage({ from, to, ...question }: UsageQuestion): Promise<UsageReport> {
    const { limits, usage } = this.#config
    const { timeZone } = limits
    const query = { ...question, ...usageRange({ from, to }, { timeZone, nowMs: this.#clock.wallMs() }), timeZone }
    return usageReport(query, await this.#store.ledger.usage(query), usage.currency)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  #view(record: Parameters<typeof keyView>[0]): KeyView {
    return keyView(record, this.#clock.wallMs())
  }

  /** Here the configuration is known, so that a typing error can be told from a team that is not there yet. */
  #checkTeam({ team }: KeyBody): void {
    if (typeof team !== 'string') return
    const teams = Object.keys(this.#config.teams)
    if (teams.includes(team)) return
    const known = teams.length === 0 ? ': the configuration has none' : `; there are ${teams.join(', ')}`
    const tail = suggestion(team, teams) || known
    throw new GatewayError('invalid_request', `there is no team "${team}"${tail}`, { param: 'team' })
  }
}

/** For the trail of changes. */
export function operator(): string {
  try {
    return `cli ${userInfo().username}`
  } catch {
    // A container may run as a number that has no name.
    return 'cli'
  }
}
