/** What a gateway knows of its fleet's keys: follows their changes in Redis, and brings there what Redis has lost. */
import type { KeyRecord } from '../../access/key-record.ts'
import type { AuditEntry, KeyStore } from '../../access/key-store.ts'
import type { Clock } from '../../base/clock.ts'
import { randomId } from '../../base/ids.ts'
import type { Log } from '../../base/log.ts'
import type { FleetAdminToken, KeyMirror, KeysNews, MirrorPosition } from '../key-mirror.ts'
import type { AccessChange, AccessState } from '../store.ts'
import { type BringAnswer, bringKeys, type FleetKeys, keyNames, lookAtKeys, offerKeys } from './key-scripts.ts'
import type { RedisLink } from './link.ts'
import { MirrorFile } from './mirror-file.ts'
import type { Script } from './script.ts'

export interface FollowedParts {
  readonly link: Pick<RedisLink, 'key' | 'run'>
  /** This gateway's own file. */
  readonly file: { readonly keys: KeyStore; readonly mirror: KeyMirror }
  readonly clock: Clock
  readonly log: Log
}

/** No request waits for any of it. */
export const answerMsMax = 2_000

/** Changes that one look takes, records that are brought at once, and those that are compared at once: no call holds Redis up for long. */
const lookedAtOnce = 500
const broughtAtOnce = 200
const comparedAtOnce = 1_000
/** Of the trail, where Redis has lost it. */
const entriesBrought = 1_000
const entriesAtOnce = 250
/** Of a key whose name another one has. */
const nameCharsMax = 64
const renamingsMax = 5
/** In one turn, where others change Redis meanwhile. */
const bringingsMax = 5

export class FollowedKeys {
  readonly #parts: FollowedParts
  readonly #file: MirrorFile
  readonly #known = new Map<string, KeyRecord>()
  #keysEverCreated = false
  #adminToken: FleetAdminToken | null = null
  #position: MirrorPosition | null = null
  /** Redis may have less than this gateway knows, or another history. */
  #isToCompare = true
  #followed: Promise<void> = Promise.resolve()
  #next: Promise<void> | null = null
  #changed: ((change: AccessChange) => void) | null = null
  /** By id, what changed while nobody listened yet; null where nothing did. */
  #untold: Map<string, KeyRecord> | null = null

  constructor(parts: FollowedParts) {
    this.#parts = parts
    this.#file = new MirrorFile(parts.file.mirror, parts.log)
  }

  /** What the file has. Rejects with StoreError. */
  async begin(state: AccessState): Promise<void> {
    const { position, adminTokenRevision } = await this.#parts.file.mirror.mirrored()
    for (const key of state.keys) this.#known.set(key.id, key)
    this.#keysEverCreated = state.keysEverCreated
    const { adminTokenDigest } = state
    this.#adminToken = adminTokenDigest === null ? null : { digest: adminTokenDigest, revision: adminTokenRevision }
    this.#position = position
  }

  /** What has changed since the state was read is told at once. */
  tell(changed: ((change: AccessChange) => void) | null): void {
    this.#changed = changed
    if (this.#untold !== null) this.#tell([])
  }

  /** The keys of the fleet were seen once, by this gateway, in its life or before. */
  get isKnown(): boolean {
    return this.#position !== null
  }

  /** Although it may be known. */
  tellAnew(): void {
    this.#tell([])
  }

  /** Nothing of it is told again. */
  opened(): AccessState {
    this.#untold = null
    return this.state
  }

  get state(): AccessState {
    return {
      keys: [...this.#known.values()].toSorted((a, b) => a.createdAtMs - b.createdAtMs),
      keysEverCreated: this.#keysEverCreated,
      adminTokenDigest: this.#adminToken?.digest ?? null,
    }
  }

  /** Redis was away, and may be another one, or an older state of itself. */
  compareNext(): void {
    this.#isToCompare = true
  }

  /** Takes all that has changed until now; rejects where Redis cannot be asked. One at a time, and one that waits is enough for all. */
  follow(): Promise<void> {
    this.#next ??= this.#followAfter(this.#followed)
    this.#followed = this.#next.catch(() => {})
    return this.#next
  }

  async #followAfter(before: Promise<void>): Promise<void> {
    await before
    this.#next = null
    await this.#followNow()
  }

  /** Somebody wrote into the file without asking Redis: that is brought there. */
  fromFile({ keys, keysEverCreated, adminTokenDigest }: AccessChange): void {
    const revision = (this.#adminToken?.revision ?? 0) + 1
    const adminToken = adminTokenDigest === null ? null : { digest: adminTokenDigest, revision }
    if (this.#learn({ keys, keysEverCreated, adminToken })) this.#isToCompare = true
  }

  /** Tells what of it is new, and whether anything is. */
  #learn({ keys, keysEverCreated, adminToken }: Pick<KeysNews, 'keys' | 'keysEverCreated' | 'adminToken'>): boolean {
    const news = keys.filter((key) => this.#isNews(key))
    for (const key of news) this.#known.set(key.id, key)
    const isNewToken = adminToken !== null && adminToken.digest !== this.#adminToken?.digest
    if (isNewToken) this.#adminToken = adminToken
    const endsAnonymity = keysEverCreated && !this.#keysEverCreated
    this.#keysEverCreated ||= keysEverCreated
    this.#file.addKeys(news)
    const hasNews = news.length > 0 || isNewToken || endsAnonymity
    if (hasNews) this.#tell(news)
    return hasNews
  }

  async #followNow(): Promise<void> {
    if (this.#isToCompare) await this.#bring()
    for (let brought = 0; brought <= bringingsMax; ) {
      const { generation, version } = this.#position ?? { generation: '', version: 0 }
      const news = await this.#run(lookAtKeys, [generation, version, lookedAtOnce])
      if (news.generation !== generation || news.version < version) {
        await this.#bring()
        brought += 1
        continue
      }
      await this.#take(news, news.generation)
      if (news.upTo >= news.version) return
    }
  }

  async #take(news: FleetKeys, generation: string): Promise<void> {
    // Before it is written: a revocation waits for no disk.
    this.#learn(news)
    // Its revision may be another one.
    this.#adminToken = news.adminToken ?? this.#adminToken
    const hasMoved = this.#position?.generation !== generation || this.#position.version !== news.upTo
    this.#position = { generation, version: news.upTo }
    if (!hasMoved && !this.#file.isBehind) return
    await this.#file.mirror({
      keys: [],
      keysEverCreated: this.#keysEverCreated,
      adminToken: this.#adminToken,
      audit: news.audit,
      position: this.#position,
    })
  }

  /** What this gateway knows and Redis does not; then everything is looked at that Redis knows better. */
  async #bring(): Promise<void> {
    this.#isToCompare = false
    try {
      const { wanted, hasNewer } = await this.#compare()
      const { position, count } = await this.#bringAll(wanted)
      const followed = this.#position
      const isSame = followed?.generation === position.generation && followed.version <= position.version
      const isWhole = isSame && !hasNewer && count === this.#known.size
      this.#position = { generation: position.generation, version: isWhole ? followed.version : 0 }
    } catch (error) {
      this.#isToCompare = true
      throw error
    }
  }

  async #compare(): Promise<{ readonly wanted: readonly KeyRecord[]; readonly hasNewer: boolean }> {
    const wanted: KeyRecord[] = []
    let hasNewer = false
    for (const keys of chunks([...this.#known.values()], comparedAtOnce)) {
      const offered = keys.flatMap((key) => [key.id, key.revision, revokedOf(key)])
      const answer = await this.#run(offerKeys, offered)
      hasNewer ||= answer.hasNewer
      const ids = new Set(answer.wanted)
      wanted.push(...keys.filter(({ id }) => ids.has(id)))
    }
    return { wanted, hasNewer }
  }

  async #bringAll(keys: readonly KeyRecord[]): Promise<BringAnswer> {
    const trail = entryTexts((await this.#parts.file.keys.audit(entriesBrought)).toReversed())
    let answer = await this.#bringSome(trail.splice(0, entriesAtOnce), [])
    for (const entries of chunks(trail, entriesAtOnce)) answer = await this.#bringSome(entries, [])
    for (const some of chunks(keys, broughtAtOnce)) {
      answer = await this.#bringSome([], some)
      answer = await this.#bringRenamed(answer, some)
    }
    if (keys.length > 0)
      this.#parts.log('warn', 'Keys that this gateway knew were brought to Redis, which did not have them so', {
        keys: keys.length,
      })
    return answer
  }

  async #bringRenamed(answer: BringAnswer, keys: readonly KeyRecord[]): Promise<BringAnswer> {
    let latest = answer
    for (let tries = 0; tries < renamingsMax && latest.conflicts.length > 0; tries += 1) {
      const ids = new Set(latest.conflicts)
      const renamed = keys.filter(({ id }) => ids.has(id)).map((key) => withOwnName(this.#known.get(key.id) ?? key))
      for (const key of renamed) {
        this.#parts.log('warn', 'Two keys had one name, so that one of them has another name from now on', {
          keyId: key.id,
          name: key.name,
        })
        this.#known.set(key.id, key)
      }
      this.#tell(renamed)
      latest = await this.#bringSome([], renamed)
      this.#file.addKeys(renamed)
    }
    return latest
  }

  #bringSome(entries: readonly string[], keys: readonly KeyRecord[]): Promise<BringAnswer> {
    const token = this.#adminToken
    return this.#run(bringKeys, [
      randomId(16),
      this.#keysEverCreated ? 1 : 0,
      token?.digest ?? '',
      token?.revision ?? 0,
      entries.length,
      ...entries,
      ...keys.flatMap((key) => [key.id, key.revision, revokedOf(key), key.name, JSON.stringify(key)]),
    ])
  }

  #isNews(key: KeyRecord): boolean {
    const known = this.#known.get(key.id)
    if (known === undefined || known.revision < key.revision) return true
    if (known.revision === key.revision) return JSON.stringify(known) !== JSON.stringify(key)
    // Redis is behind.
    this.#isToCompare = true
    return false
  }

  #tell(keys: readonly KeyRecord[]): void {
    this.#untold ??= new Map()
    for (const key of keys) this.#untold.set(key.id, key)
    if (this.#changed === null) return
    const news = [...this.#untold.values()]
    this.#untold = null
    const adminTokenDigest = this.#adminToken?.digest ?? null
    this.#changed({ keys: news, keysEverCreated: this.#keysEverCreated, adminTokenDigest })
  }

  #run<Answer>(script: Script<Answer>, args: readonly (string | number)[]): Promise<Answer> {
    return runOnKeys(this.#parts.link, script, args)
  }
}

export function runOnKeys<Answer>(
  link: FollowedParts['link'],
  script: Script<Answer>,
  args: readonly (string | number)[],
): Promise<Answer> {
  const keys = keyNames.map((name) => link.key(name))
  return link.run(script, keys, args, { answerMsMax })
}

export function revokedOf({ revokedAtMs }: KeyRecord): 0 | 1 {
  return revokedAtMs === null ? 0 : 1
}

/** In one order, so that the same entry is the same text, whoever brings it. */
export function entryText({ atMs, actor, action, keyId, keyName, detail }: AuditEntry): string {
  return JSON.stringify({ atMs, actor, action, keyId, keyName, detail })
}

/** As the scripts tell those apart that are the same. */
function entryTexts(entries: readonly AuditEntry[]): string[] {
  const known = new Set<string>()
  for (const entry of entries) {
    let text = entryText(entry)
    while (known.has(text)) text += ' '
    known.add(text)
  }
  return [...known]
}

function withOwnName(key: KeyRecord): KeyRecord {
  const end = `-${key.id}`
  return { ...key, name: `${key.name.slice(0, nameCharsMax - end.length)}${end}`, revision: key.revision + 1 }
}

function* chunks<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size)
}
