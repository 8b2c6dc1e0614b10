/** Keys, the admin token's digest and the trail of a fleet: changed in Redis alone, known to each gateway. */
import type { KeyRecord } from '../../access/key-record.ts'
import { type AuditEntry, KeyNameTaken, type KeyStore } from '../../access/key-store.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { withProcessHeld } from '../../base/process-held.ts'
import { AdminTokenKnown, SharedStoreAway } from '../../base/store-error.ts'
import type { KeyMirror } from '../key-mirror.ts'
import type { AccessChange, AccessState, StoreEvents } from '../store.ts'
import { found } from '../unwritable-keys.ts'
import { answerMsMax, entryText, FollowedKeys, revokedOf, runOnKeys } from './key-following.ts'
import { type ChangeOutcome, entryOf, insertKey, noteChange, replaceKey, setAdminToken } from './key-scripts.ts'
import { type RedisLink, RedisUnavailable } from './link.ts'
import type { Script } from './script.ts'

export interface RedisKeysParts {
  readonly link: Pick<RedisLink, 'isUp' | 'key' | 'run' | 'command' | 'subscribe' | 'onUp'>
  /** This gateway's own file: good where Redis is away. */
  readonly file: { readonly keys: KeyStore; readonly mirror: KeyMirror }
  readonly clock: Clock
  readonly log: Log
}

/** A message may be lost, and a change must be known everywhere within a second. */
const lookEveryMs = 400

export class RedisKeys implements KeyStore {
  readonly #parts: RedisKeysParts
  readonly #followed: FollowedKeys
  #timer: Timer | null = null
  #isClosed = false
  #problem: string | null = null
  #followedAtMs: number

  constructor(parts: RedisKeysParts) {
    this.#parts = parts
    this.#followed = new FollowedKeys(parts)
    this.#followedAtMs = parts.clock.now()
  }

  /** Takes what the file has and then, where Redis is there, what the fleet has. Rejects with StoreError. */
  async open(state: AccessState): Promise<AccessState> {
    await this.#followed.begin(state)
    await this.#follow()
    return this.#followed.opened()
  }

  /** After `open`, for who has never seen the keys of its fleet: looks again until it has, for `msMax` at the most. */
  async openLate(msMax: number): Promise<AccessState> {
    const { clock } = this.#parts
    const untilMs = clock.now() + msMax
    await withProcessHeld(async () => {
      while (!this.isKnown && clock.now() < untilMs) {
        await new Promise<void>((resolve) => clock.after(lookEveryMs, resolve))
        await this.#follow()
      }
    })
    return this.#followed.opened()
  }

  /** The keys of the fleet were seen once, by this gateway or by one that had its files before. */
  get isKnown(): boolean {
    return this.#followed.isKnown
  }

  /** Since all changes were known. */
  get ageMs(): number {
    return this.#parts.clock.now() - this.#followedAtMs
  }

  /** Follows from now on; once. */
  watch(changed: StoreEvents['changed']): void {
    const { link } = this.#parts
    this.#followed.tell(changed)
    link.onUp(() => void this.#backAgain())
    void link.subscribe(link.key('keys:meta'), () => void this.#follow()).catch(() => {})
    void this.#look()
  }

  /** What somebody wrote into the file. */
  fromFile(change: AccessChange): void {
    this.#followed.fromFile(change)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#followed.tell(null)
  }

  async insert(record: KeyRecord, audit: AuditEntry): Promise<boolean> {
    const outcome = await this.#change(insertKey, [...valuesOf(record), entryText(audit)])
    if (outcome === 'taken') throw nameTaken(record)
    if (outcome === 'known') throw new Error(`the id ${record.id} is there already`)
    return outcome === 'first'
  }

  async replace(record: KeyRecord, audit: AuditEntry): Promise<boolean> {
    const outcome = await this.#change(replaceKey, [...valuesOf(record), entryText(audit)])
    if (outcome === 'taken') throw nameTaken(record)
    return outcome === 'done'
  }

  async find(idOrName: string): Promise<KeyRecord | null> {
    await this.#follow()
    return found(this.#followed.state.keys, idOrName)
  }

  async list(): Promise<readonly KeyRecord[]> {
    await this.#follow()
    return this.#followed.state.keys
  }

  async setAdminTokenDigest(digest: string, audit: AuditEntry): Promise<void> {
    const isFirst = audit.action === 'admin-token.create'
    const outcome = await this.#change(setAdminToken, [digest, isFirst ? 1 : 0, entryText(audit)])
    if (outcome === 'known')
      throw new AdminTokenKnown('Another gateway of the fleet has made the admin token: it holds here too')
  }

  async note(audit: AuditEntry): Promise<void> {
    await this.#change(noteChange, [entryText(audit)])
  }

  async audit(countMax: number): Promise<readonly AuditEntry[]> {
    const { link, file } = this.#parts
    const last = Math.floor(countMax) - 1
    if (!link.isUp || last < 0) return file.keys.audit(countMax)
    try {
      const texts = await link.command(['ZRANGE', link.key('keys:trail'), 0, last, 'REV'], answerMsMax)
      // oxlint-disable-next-line no-unsafe-type-assertion -- the command answers so
      const entries = (texts as string[]).map(entryOf)
      // What was brought back after Redis had lost it came later than it was.
      return entries.toSorted((a, b) => b.atMs - a.atMs)
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      return file.keys.audit(countMax)
    }
  }

  async #backAgain(): Promise<void> {
    this.#followed.compareNext()
    await this.#follow()
    // What could not be made without Redis can be now.
    this.#followed.tellAnew()
  }

  async #look(): Promise<void> {
    await this.#follow()
    if (this.#isClosed) return
    this.#timer = this.#parts.clock.after(lookEveryMs, () => void this.#look())
  }

  /** Where Redis cannot be asked, what is known goes on holding. */
  async #follow(): Promise<void> {
    if (!this.#parts.link.isUp || this.#isClosed) return
    try {
      await this.#followed.follow()
      this.#followedAtMs = this.#parts.clock.now()
      this.#problem = null
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      // That Redis is away is told by whoever keeps the connection.
      if (!this.#parts.link.isUp || problem === this.#problem) return
      this.#problem = problem
      this.#parts.log('error', 'Changes of keys by other gateways cannot be followed', { problem })
    }
  }

  /** Not before Redis has what this gateway knows. */
  async #change(script: Script<ChangeOutcome>, values: readonly (string | number)[]): Promise<ChangeOutcome> {
    const { link } = this.#parts
    if (!link.isUp)
      throw new SharedStoreAway(
        'Redis is not there, and keys of a fleet are changed there: nothing was changed; try again once it is back.',
      )
    try {
      let outcome = await runOnKeys(link, script, ['change', ...values])
      // It may be that what this gateway knows is only being brought there: whoever is late indeed is so once more.
      if (outcome === 'empty' || outcome === 'stale') {
        await this.#followed.follow()
        outcome = await runOnKeys(link, script, ['change', ...values])
      }
      // Whoever changes something sees it done once it is done.
      await this.#follow()
      return outcome
    } catch (cause) {
      if (!(cause instanceof RedisUnavailable)) throw cause
      throw new SharedStoreAway(
        `Redis did not confirm the change (${cause.message.replace(/\.$/, '')}): once it answers, the list shows whether it was made.`,
        { cause },
      )
    }
  }
}

function valuesOf(record: KeyRecord): readonly (string | number)[] {
  return [record.id, record.revision, revokedOf(record), record.name, JSON.stringify(record)]
}

function nameTaken({ name }: KeyRecord): KeyNameTaken {
  return new KeyNameTaken(`there is a key named ${JSON.stringify(name)} already`)
}
