/** Brings who may come in together with what is kept of them: at the start, and at each change. */
import type { Access } from '../access/access.ts'
import { replaceAdminToken } from '../access/admin-token.ts'
import { digestOf } from '../access/api-key.ts'
import { logChange, withChangeLog } from '../access/change-log.ts'
import type { Secret } from '../access/secret.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import { AdminTokenKnown, StoreError } from '../base/store-error.ts'
import type { LateStore } from './late-store.ts'
import type { AccessChange } from './store.ts'

export interface AccessRecordsParts {
  readonly store: Pick<LateStore, 'open' | 'watch' | 'keys' | 'ledger'>
  readonly access: Access
  readonly clock: Clock
  readonly log: Log
  /** Called once in the life of a store. */
  readonly onAdminToken: (token: Secret) => void
}

/** More changes than these at once are told by the trail alone. */
const entriesLookedAt = 100

export class AccessRecords {
  readonly #parts: AccessRecordsParts
  /** SHA-256 in hex. */
  #adminTokenDigest: string | null = null
  #isMakingToken = false
  #isRestored = false
  #unreadable = false
  /** The latest of the trail that was looked at. */
  #lastEntry: string | undefined

  constructor(parts: AccessRecordsParts) {
    this.#parts = parts
  }

  /** Why changes of keys are not seen, in words for strangers; null while they are. */
  get problem(): string | null {
    return this.#unreadable ? 'changes of keys cannot be seen' : null
  }

  get adminTokenDigest(): string | null {
    return this.#adminTokenDigest
  }

  /** Before anybody is let in. Rejects with StoreError. */
  async open(): Promise<void> {
    const { store, log } = this.#parts
    const { state, notes } = await store.open()
    for (const note of notes) log('warn', note)
    this.#changed(state)
    await this.#tried('Who changes keys cannot be told', async () => {
      this.#lastEntry = JSON.stringify((await store.keys.audit(1))[0])
    })
  }

  /** What was used before counts against the limits of now; where that cannot be read there is still something to serve. */
  async restoreLimits(): Promise<void> {
    await this.#tried('What was used before is not known: limits begin anew', () => this.#restoreLimits())
    this.#tellOfUnknownTeams()
  }

  /**
   * For others, which may know less of what was used: `of` before that epoch of the store of all was over, or until now (null).
   * Never rejects.
   */
  async recallLimits(of: string | null): Promise<void> {
    if (!this.#isRestored) return
    const { store, access } = this.#parts
    await this.#tried('What was used before is not known to other gateways', async () => {
      const from = access.limiter.pastFrom()
      const totals = await store.ledger.totals(from)
      // Of yesterday nobody asks any more.
      if (access.limiter.pastFrom().dayMs === from.dayMs) access.recall(totals, of)
    })
  }

  /** Once it listens: the token that opens the admin API is made, where there is none yet, and changes are seen from now on, whoever makes them. */
  async begin(): Promise<void> {
    await this.#makeFirstAdminToken()
    this.#watch()
  }

  async #makeFirstAdminToken(): Promise<void> {
    if (this.#adminTokenDigest !== null || this.#isMakingToken) return
    this.#isMakingToken = true
    try {
      await this.#tried('There is no admin token: the admin API answers nobody', () => this.#makeAdminToken())
    } catch (error) {
      if (!(error instanceof AdminTokenKnown)) throw error
      this.#parts.log('info', error.message)
    } finally {
      this.#isMakingToken = false
    }
  }

  #watch(): void {
    const { store, log } = this.#parts
    store.watch({
      changed: (change) => {
        this.#changed(change)
        // Where it could not be made at the start.
        if (change.adminTokenDigest === null) void this.#makeFirstAdminToken()
        void this.#tried('Who changed keys cannot be told', () => this.#tellOfOthers())
      },
      unreadable: (problem) => {
        this.#unreadable = problem !== null
        if (problem === null) log('warn', 'Changes of keys are seen again')
        else log('error', 'Changes of keys cannot be seen: those that are known go on holding', { problem })
      },
      alarm: (problem) => log('error', problem),
    })
  }

  #tellOfUnknownTeams(): void {
    const teams = [...this.#parts.access.unknownTeams()]
    if (teams.length === 0) return
    const message = 'Keys are of teams that the configuration does not have: no limits of a team hold for them'
    this.#parts.log('warn', message, { teams: teams.slice(0, 20).join(', ') })
  }

  #changed({ keys, keysEverCreated, adminTokenDigest }: AccessChange): void {
    this.#parts.access.apply({ keys, keysEverCreated })
    this.#adminTokenDigest = adminTokenDigest
  }

  /** What the command line changed stands in the trail; its lines are in the log of whoever it changed it for. */
  async #tellOfOthers(): Promise<void> {
    const { store, log } = this.#parts
    const entries = await store.keys.audit(entriesLookedAt)
    const knownAt = entries.findIndex((entry) => JSON.stringify(entry) === this.#lastEntry)
    const news = knownAt === -1 ? entries : entries.slice(0, knownAt)
    this.#lastEntry = JSON.stringify(entries[0])
    for (const entry of news.toReversed()) if (entry.actor.startsWith('cli')) logChange(log, entry)
  }

  async #tried(otherwise: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      this.#parts.log('error', otherwise, { problem: error.message })
    }
  }

  async #restoreLimits(): Promise<void> {
    const { store, access } = this.#parts
    const from = access.limiter.pastFrom()
    const [minute, totals] = await Promise.all([store.ledger.charges(from.minuteMs), store.ledger.totals(from)])
    access.restore({ minute, ...totals })
    this.#isRestored = true
  }

  async #makeAdminToken(): Promise<void> {
    const { store, clock, log, onAdminToken } = this.#parts
    const token = await replaceAdminToken(withChangeLog(store.keys, log), {
      clock,
      actor: 'gateway',
      action: 'admin-token.create',
    })
    this.#adminTokenDigest = digestOf(token.reveal())
    onAdminToken(token)
  }
}
