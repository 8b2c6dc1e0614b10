/** Makes, changes, rotates and revokes keys in the store, each change with its line in the audit trail. */
import type { Clock } from '../base/clock.ts'
import { GatewayError } from '../base/errors.ts'
import { looksLikeOurs } from '../base/our-secrets.ts'
import { newKey, parseKey } from './api-key.ts'
import { changedRecord, differences, newRecord } from './key-changes.ts'
import type { KeyRecord, KeySecret } from './key-record.ts'
import { checkKeyChange, checkNewKey } from './key-schema.ts'
import { type AuditEntry, KeyNameTaken, type KeyStore } from './key-store.ts'
import type { Secret } from './secret.ts'
import { shown } from './shown.ts'

export interface KeyAdminParts {
  readonly clock: Clock
  /** Names of the configured teams; asked again each time. */
  readonly teams: readonly string[]
  /** Told of each change that was stored, so that who runs in this process need not wait to see it. */
  readonly onChange?: (record: KeyRecord) => void
}

/** A key with its secret, which is never to be had again. */
export interface IssuedKey {
  readonly record: KeyRecord
  readonly key: Secret
}

export interface CreatedKey extends IssuedKey {
  /** The first that ever was: until now nobody needed one. */
  readonly isFirst: boolean
}

const graceMsDefault = 86_400_000
export const graceMsMax = 365 * 86_400_000
/** Changes by others in between, after which it is better to say so. */
const triesMax = 5

type Detail = AuditEntry['detail']

export class KeyAdmin {
  readonly #store: KeyStore
  readonly #parts: KeyAdminParts

  constructor(store: KeyStore, parts: KeyAdminParts) {
    this.#store = store
    this.#parts = parts
  }

  /** `input` is anything that claims to be the JSON of a new key. */
  async create(input: unknown, actor: string): Promise<CreatedKey> {
    const wanted = checkNewKey(input)
    this.#checkTeam(wanted.team)
    await this.#checkNameIsNoId(wanted.name, null)
    const nowMs = this.#parts.clock.wallMs()
    const issued = await this.#newKeyOfItsOwn()
    const record = newRecord(wanted, issued, nowMs)
    const audit = this.#audit(record, { actor, action: 'key.create', detail: differences(null, record) })
    const isFirst = await named(record.name, this.#store.insert(record, audit))
    this.#parts.onChange?.(record)
    return { record, key: issued.key, isFirst }
  }

  /** What is absent in `input` stays; the same again changes nothing. */
  async change(idOrName: string, input: unknown, actor: string): Promise<KeyRecord> {
    const wanted = checkKeyChange(input)
    this.#checkTeam(wanted.team)
    return this.#replace(idOrName, { actor, action: 'key.change' }, async (key) => {
      refuseRevoked(key)
      if (wanted.name !== undefined) await this.#checkNameIsNoId(wanted.name, key.id)
      const next = changedRecord(key, wanted, this.#parts.clock.wallMs())
      const detail = differences(key, next)
      return Object.keys(detail).length === 0 ? null : { next, detail }
    })
  }

  /** A new secret; the one before it holds on for the grace time, an older one ends now. */
  async rotate(idOrName: string, actor: string, graceMs: number = graceMsDefault): Promise<IssuedKey> {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > graceMsMax) {
      const message = `The time for which the old key holds must be whole milliseconds from 0 to ${graceMsMax}.`
      throw new GatewayError('invalid_request', message, { param: 'graceMs' })
    }
    let issued = newKey()
    const record = await this.#replace(idOrName, { actor, action: 'key.rotate' }, (key) => {
      refuseRevoked(key)
      issued = newKey(key.id)
      const fresh: KeySecret = { digest: issued.digest, expiresAtMs: null }
      const old = key.secrets.find(({ expiresAtMs }) => expiresAtMs === null)
      const oldHolds = graceMs > 0 && old !== undefined
      const ending = oldHolds ? [{ digest: old.digest, expiresAtMs: this.#parts.clock.wallMs() + graceMs }] : []
      return { next: { ...key, secrets: [fresh, ...ending] }, detail: { graceMs } }
    })
    return { record, key: issued.key }
  }

  /** Ends all its secrets. One that is revoked already can still be told to end what runs under it. */
  async revoke(idOrName: string, { endStreams = false }: { endStreams?: boolean }, actor: string): Promise<KeyRecord> {
    return this.#replace(idOrName, { actor, action: 'key.revoke' }, (key) => {
      if (!endStreams || key.endsStreams) refuseRevoked(key)
      const revokedAtMs = key.revokedAtMs ?? this.#parts.clock.wallMs()
      return { next: { ...key, revokedAtMs, endsStreams: endStreams, secrets: [] }, detail: { endStreams } }
    })
  }

  list(): Promise<readonly KeyRecord[]> {
    return this.#store.list()
  }

  /** Also by a whole key, such as one that was found where it does not belong. */
  async find(idOrName: string): Promise<KeyRecord> {
    const key = await this.#store.find(parseKey(idOrName)?.id ?? idOrName)
    if (key === null) throw noSuchKey(idOrName)
    return key
  }

  /** Again, when somebody else was faster; `next` says what the record becomes, or null for no change. */
  async #replace(
    idOrName: string,
    change: Pick<AuditEntry, 'actor' | 'action'>,
    next: (key: KeyRecord) => MaybePromise<{ next: KeyRecord; detail: Detail } | null>,
  ): Promise<KeyRecord> {
    let key = await this.find(idOrName)
    for (let tries = 0; tries < triesMax; tries++) {
      const found = await next(key)
      if (found === null) return key
      const record = { ...found.next, revision: key.revision + 1 }
      const stored = await named(
        record.name,
        this.#store.replace(record, this.#audit(record, { ...change, detail: found.detail })),
      )
      if (stored) {
        this.#parts.onChange?.(record)
        return record
      }
      // By its id, since its name may be another key's by now.
      key = await this.find(key.id)
    }
    throw new GatewayError('conflict', 'Somebody else is changing this key; try again.')
  }

  #audit(key: KeyRecord, change: Pick<AuditEntry, 'actor' | 'action' | 'detail'>): AuditEntry {
    return { atMs: this.#parts.clock.wallMs(), keyId: key.id, keyName: key.name, ...change }
  }

  #checkTeam(team: string | null | undefined): void {
    const { teams } = this.#parts
    if (team === undefined || team === null || teams.includes(team)) return
    const known = teams.length === 0 ? 'the configuration has none' : `the configuration has ${teams.join(', ')}`
    throw new GatewayError('invalid_request', `There is no team ${quoted(team)}: ${known}.`, { param: 'team' })
  }

  /** Keys are asked for by either, so that a name like another's id would hide it. */
  async #checkNameIsNoId(name: string, ownId: string | null): Promise<void> {
    const found = await this.#store.find(name)
    if (found !== null && found.id === name && found.id !== ownId) throw nameTaken(name)
  }

  async #newKeyOfItsOwn(): Promise<ReturnType<typeof newKey>> {
    let issued = newKey()
    while ((await this.#store.find(issued.id)) !== null) issued = newKey()
    return issued
  }
}

type MaybePromise<T> = T | Promise<T>

function refuseRevoked(key: KeyRecord): void {
  if (key.revokedAtMs === null) return
  throw new GatewayError('conflict', `The key ${quoted(key.name)} is revoked, which is for good; create another.`)
}

async function named<T>(name: string, stored: Promise<T>): Promise<T> {
  try {
    return await stored
  } catch (error) {
    throw error instanceof KeyNameTaken ? nameTaken(name) : error
  }
}

function nameTaken(name: string): GatewayError {
  return new GatewayError('conflict', `The name ${quoted(name)} is taken by another key.`, { param: 'name' })
}

function noSuchKey(idOrName: string): GatewayError {
  const what = looksLikeOurs(idOrName) ? 'There is no such key' : `There is no key ${quoted(idOrName)}`
  return new GatewayError('not_found', `${what}; the list shows their ids and names.`)
}

function quoted(text: string): string {
  return `"${shown(text)}"`
}
