/** The door of shared access: who sends a request, what they may use, and what is left of it. */
import type { Clock } from '../base/clock.ts'
import type { RequestClass } from '../base/request-class.ts'
import { allowsModel } from './allowed-models.ts'
import { type Credential, credentialOf, keyInTarget } from './credentials.ts'
import { Estimates } from './estimates.ts'
import type { AccessEvents, LimitRest } from './events.ts'
import { KeyGuesses, networkOf } from './key-guesses.ts'
import { type KeyRecord, keyless } from './key-record.ts'
import { type KeyChange, KeyRing } from './key-ring.ts'
import type { LimitLane } from './limit-lane.ts'
import { type Ask, LimitedRequest, type Turn } from './limited-request.ts'
import { Limiter, type Subject } from './limiter.ts'
import type { LimitsOptions, TeamsOptions } from './options.ts'
import type { OwnTurn } from './own-line.ts'
import { OwnLines } from './own-lines.ts'
import type { Past } from './past-use.ts'

export interface AccessParts {
  readonly clock: Clock
  readonly limits: LimitsOptions
  readonly teams: TeamsOptions
  /** Clients without a key are served, also once there are keys. */
  readonly allowAnonymous: boolean
  readonly events: AccessEvents
  /** From 0 to 1. */
  readonly chance: () => number
  /** Requests of one key or address that wait for its limits. */
  readonly waitingMax: number
  /** Whether anybody may begin to wait just now. */
  readonly mayWait: () => boolean
  /** Whether one more with so many tokens may wait, of all requests that wait for anything. */
  readonly hasRoom: (tokens: number) => boolean
  /** Where other gateways charge the same limits. */
  readonly lane?: LimitLane | null
  /** What waits under the key is to end, and what runs too where the record says so. */
  readonly onRevoked: (key: KeyRecord) => void
}

/** What is looked at of a request. */
export interface Approach {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** As it was sent. */
  readonly target: string
  /** The client's, in its one spelling. */
  readonly address: string
}

export class Access {
  readonly guesses: KeyGuesses
  readonly limiter: Limiter
  readonly #lines: OwnLines
  readonly #ring: KeyRing
  /** What all of them have. */
  readonly #callers: CallerParts

  constructor({
    clock,
    limits,
    teams,
    allowAnonymous,
    events,
    chance,
    lane = null,
    onRevoked,
    ...waiting
  }: AccessParts) {
    this.guesses = new KeyGuesses({ failedKeysPerMinute: limits.failedKeysPerMinute, clock })
    this.limiter = new Limiter({ clock, limits, teams, chance, lane })
    this.#lines = new OwnLines({
      clock,
      limiter: this.limiter,
      waitMsMax: limits.waitMsMax ?? Number.POSITIVE_INFINITY,
      lengthMax: waiting.waitingMax,
      mayWait: waiting.mayWait,
      hasRoom: waiting.hasRoom,
    })
    this.#ring = new KeyRing({ keys: [], keysEverCreated: false }, { clock, allowAnonymous, onRevoked })
    const estimates = new Estimates(limits.clientsMax)
    this.#callers = { limiter: this.limiter, lines: this.#lines, estimates, ring: this.#ring, events }
  }

  /** `waitMsMax` and `waitingMax` hold for who begins to wait from now on. */
  adopt({ limits, teams, waitingMax }: Pick<AccessParts, 'limits' | 'teams' | 'waitingMax'>): void {
    this.limiter.adopt(limits, teams)
    this.#lines.adopt({ waitMsMax: limits.waitMsMax ?? Number.POSITIVE_INFINITY, lengthMax: waitingMax })
    // Who waits for a limit may have more of it now.
    for (const holder of this.#lines.lengths().keys()) this.#lines.lookAgain(holder)
  }

  /** In order of creation, the revoked ones among them. */
  keys(): Iterable<KeyRecord> {
    return this.#ring.all()
  }

  /** Teams of keys that are not revoked, and that the configuration does not have. */
  unknownTeams(): ReadonlySet<string> {
    const unknown = new Set<string>()
    for (const { team, revokedAtMs } of this.#ring.all()) {
      if (team !== null && revokedAtMs === null && !this.limiter.hasTeam(team)) unknown.add(team)
    }
    return unknown
  }

  /** Whether clients without a key are served. */
  get anonymous(): boolean {
    return this.#ring.anonymous
  }

  /** Keys that hold now. */
  get liveKeys(): number {
    return this.#ring.live
  }

  /** Requests that wait for their own limits, and their tokens as estimated. */
  get waiting(): { readonly requests: number; readonly tokens: number } {
    return this.#lines.waiting
  }

  /** How many of them each has that has any: by the id of the key, or by the network of clients without one. */
  waitingByHolder(): ReadonlyMap<string, number> {
    return this.#lines.lengths()
  }

  /** What is left of the limits of keys and of clients without one that asked lately; of rows for the same limit the least holds. */
  limitRests(): Iterable<LimitRest> {
    return this.limiter.rests((keyId) => {
      const key = this.#ring.get(keyId)
      // The name of a revoked key may be another's by now.
      return key === undefined || key.revokedAtMs !== null ? null : key
    })
  }

  /** All keys at the start, those that changed later. */
  apply(change: KeyChange): void {
    this.#ring.apply(change)
    // Who waits for a limit may have more of it now.
    for (const { id } of change.keys) this.#lines.lookAgain(id)
  }

  /** What the ledger says was used, so that no limit is forgotten by a restart. */
  restore(past: Past): void {
    this.limiter.restore(past, (keyId) => this.#ring.get(keyId) ?? null)
  }

  /** The same meanwhile, for others that may know less. */
  recall(past: Omit<Past, 'minute'>, of: string | null): void {
    this.limiter.recall(past, (keyId) => this.#ring.get(keyId) ?? null, of)
  }

  /** Throws a GatewayError for whoever may not come in. */
  callerOf({ headers, target, address }: Approach): AccessCaller {
    const misplaced = keyInTarget(target)
    if (misplaced !== null) throw misplaced
    const key = this.#identify(credentialOf(headers), address)
    return new AccessCaller(key, address, this.#callers)
  }

  #identify(credential: Credential, address: string): KeyRecord | null {
    try {
      return this.#ring.identify(credential)
    } catch (error) {
      // Who sends none at all guesses nothing.
      const tooOften = credential.kind === 'none' ? null : this.guesses.failed(address)
      throw tooOften ?? error
    }
  }
}

interface CallerParts {
  readonly limiter: Limiter
  readonly lines: OwnLines
  readonly estimates: Estimates
  readonly ring: KeyRing
  readonly events: AccessEvents
}

/** The relay's port of the same name. */
export class AccessCaller {
  readonly keyId: string | null
  readonly key: string
  readonly team: string | null
  readonly maxOutputTokens: number | null
  readonly #models: readonly string[] | null
  readonly #address: string
  readonly #known: KeyRecord | null
  readonly #parts: CallerParts

  constructor(key: KeyRecord | null, address: string, parts: CallerParts) {
    this.keyId = key?.id ?? null
    this.key = key?.name ?? keyless
    this.team = key?.team ?? null
    this.maxOutputTokens = key?.maxOutputTokens ?? null
    this.#models = key?.models ?? null
    this.#address = address
    this.#known = key
    this.#parts = parts
  }

  get holder(): string {
    return this.keyId ?? this.#network
  }

  /** As wrong keys are counted: whoever has one address of such a network has all of them. */
  get #network(): string {
    return networkOf(this.#address)
  }

  get class(): RequestClass {
    return this.#key?.class ?? 'default'
  }

  get weight(): number {
    return this.#key?.weight ?? 1
  }

  /** As of now. */
  get #key(): KeyRecord | null {
    return this.#known === null ? null : (this.#parts.ring.get(this.#known.id) ?? this.#known)
  }

  /** With the limits of now: a body may take a minute to come, and what was changed meanwhile holds for it, too. */
  get subject(): Subject {
    const known = this.#key
    if (known === null) return { keyId: null, address: this.#network }
    const { id: keyId, name, team, limits } = known
    return { keyId, name, team, limits }
  }

  mayUse(model: string): boolean {
    return allowsModel(this.#models, model)
  }

  limitHeaders(): Readonly<Record<string, string>> {
    return this.#parts.limiter.headers(this.subject)
  }

  /** At once, or after a wait for its limits inside its patience; else it hears a GatewayError of 429, or of 503 where no more may wait. */
  admit(ask: Ask, turn: Turn): OwnTurn {
    const { model, choices } = ask
    const { estimates, lines, events } = this.#parts
    const expectation = estimates.expect({ who: this.holder, ...ask })
    const { expected, prompt } = expectation
    turn.estimated?.({ prompt, output: expected.output / Math.max(1, choices) })
    return lines.enter(new LimitedRequest({ caller: this, turn, expectation, model, events }))
  }

  /** More may fit its limits by now. */
  gaveBack(): void {
    this.#parts.lines.lookAgain(this.holder)
  }
}
