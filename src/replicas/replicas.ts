/**
 * The gateways that stand before the same hosts: who lives, and what each tells the others with each beat. What is told is
 * absolute and never a difference, so that one beat that was not heard changes nothing for long.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { AliveReplica, Beat, BeatStore } from './beat-store.ts'
import type { ReplicaEvents, ReplicasState } from './events.ts'
import { type KeptCount, LastSeen } from './last-seen.ts'
import { messageOf, messageText, parsed, type ReplicaStatus, statusOf, topicCharsMax } from './message.ts'

/** Whoever was not heard for some of these is gone (`storage.redis.goneAfterMs`). */
export const beatEveryMs = 200

export interface ReplicasParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: BeatStore
  readonly own: ReplicaStatus
  /** Asked whenever there is something to tell. */
  readonly events: () => ReplicaEvents
  /** Whoever was not heard for so long is gone: this one too, where its beats do not come through. */
  readonly goneAfterMs: number
}

/** One that lives; of some that came just now nothing may be known but the id. */
export interface LivingReplica extends AliveReplica {
  readonly status: ReplicaStatus | null
}

/** Whether limits, slots and budgets are those of all together, and where they are not, why. */
export interface Sharing {
  readonly isShared: boolean
  /** Wall clock: when that began. */
  readonly sinceMs: number
  /** Null where they are. */
  readonly why: string | null
}

type Heard = (from: string, told: unknown) => void

/** Once the store is there again, so that none counts itself alone and takes more than its share meanwhile. */
const othersReturnMs = 1_000
/** Whatever the store says of a fleet, no more statuses are kept. */
const replicasMax = 256

export class Replicas {
  readonly #parts: ReplicasParts
  readonly #tellers = new Map<string, () => unknown>()
  readonly #hearers = new Map<string, Heard[]>()
  readonly #onCame: ((id: string) => void)[] = []
  readonly #onGone: ((id: string) => void)[] = []
  readonly #onEpoch: (() => void)[] = []
  readonly #known = new Map<string, ReplicaStatus>()
  /** Each says whether it has told the store all of what this one holds, since that was emptied. */
  readonly #told: (() => boolean)[] = []
  readonly #faultsTold = new Set<string>()
  /** They said so, and none comes back under its id. */
  readonly #left = new Set<string>()
  readonly #lastSeen: LastSeen
  #alive: readonly AliveReplica[]
  /** The store has told of all who live; until then there are as many as were seen last, in a life before this one. */
  #knowsAll = false
  /** It could not be asked at the start. */
  #startedAlone = false
  #epoch: string | null = null
  #joined: string | null = null
  #settledAtMs = Number.POSITIVE_INFINITY
  /** Monotonic: when the store last answered one, at first when all began; and when that one was sent. */
  #beatAnsweredAtMs: number
  #beatSentAtMs = Number.NEGATIVE_INFINITY
  /** Monotonic: whoever was known lives until then. */
  #othersReturnAtMs = Number.NEGATIVE_INFINITY
  #sharing: Sharing
  #listens = false
  #isLearning = false
  #timer: Timer | null = null
  #stopped = false

  constructor(parts: ReplicasParts) {
    this.#parts = parts
    this.#lastSeen = new LastSeen(parts)
    this.#alive = [{ id: parts.own.id, beatAgeMs: 0 }]
    this.#beatAnsweredAtMs = parts.clock.now()
    this.#sharing = { isShared: false, sinceMs: parts.clock.wallMs(), why: this.#unsharedBecause() }
  }

  /** Of this process, never twice. */
  get id(): string {
    return this.#parts.own.id
  }

  /** Those that live, this one included; those that did when the store was last there, be it before this one started. */
  get count(): number {
    return Math.max(1, this.#alive.length, this.#knowsAll ? 1 : this.#lastSeen.count)
  }

  /** Of the store since it was emptied last, as it was told; null before the first beat. */
  get epoch(): string | null {
    return this.#epoch
  }

  /** Ids of the same, in an order that is the same for all of them; of those that were seen before the start none is known. */
  get ids(): readonly string[] {
    return this.#alive.map(({ id }) => id).toSorted()
  }

  /** Whether limits are those of all together now. Else each replica keeps its share by itself. */
  get isShared(): boolean {
    const nowMs = this.#parts.clock.now()
    return this.#parts.store.isUp && nowMs >= this.#settledAtMs && nowMs - this.#beatSentAtMs <= this.#parts.goneAfterMs
  }

  /** The same with when that began and why, for people. */
  get sharing(): Sharing {
    this.#noteSharing()
    return this.#sharing
  }

  state(): ReplicasState {
    const beatAgeMs = this.#parts.clock.now() - this.#beatAnsweredAtMs
    return { count: this.count, isShared: this.isShared, beatAgeMs }
  }

  /** This one included; `beatAgeMs` as of when the store last answered, older by the time since. */
  all(): readonly LivingReplica[] {
    const sinceMs = this.#parts.clock.now() - this.#beatAnsweredAtMs
    return this.#alive.map(({ id, beatAgeMs }) => {
      const status = id === this.id ? this.#parts.own : (this.#known.get(id) ?? null)
      return { id, beatAgeMs: beatAgeMs + sinceMs, status }
    })
  }

  /** With each beat the others are told of this what `teller` says; undefined where there is nothing new. JSON, in good measure. */
  tell(topic: string, teller: () => unknown): void {
    this.#tellers.set(topic, teller)
  }

  /** `told` is whatever another replica, which may be of another version, has said: to be looked at before it is believed. */
  hear(topic: string, heard: Heard): void {
    this.#hearers.set(topic, [...(this.#hearers.get(topic) ?? []), heard])
  }

  /** For the next start, and from the last one. */
  keepCount(kept: KeptCount): void {
    this.#lastSeen.begin(kept)
    if (this.#epoch !== null) this.#keepCount()
  }

  /** Another one lives that was not known to. */
  onCame(listener: (id: string) => void): void {
    this.#onCame.push(listener)
  }

  /** One that lived does no more: what was known of it holds no more. It may be told twice, and the one may come back. */
  onGone(listener: (id: string) => void): void {
    this.#onGone.push(listener)
  }

  /** The store was empty, at the first beat too, or had given this one up: what this one holds must be told anew. */
  onEpoch(listener: () => void): void {
    this.#onEpoch.push(listener)
  }

  /** The store grants nothing in a new epoch before this is true at all of them, or some seconds are over. */
  settlesOnce(hasTold: () => boolean): void {
    this.#told.push(hasTold)
  }

  /** Resolves when the store has answered, or cannot be asked. */
  async start(): Promise<void> {
    this.#listen()
    await this.#beat()
  }

  /** The others are told at once, so that they need not wait until it is missed. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    if (!this.#parts.store.isUp) return
    try {
      await this.#send(new Map(), true)
    } catch {
      // It is missed after a while.
    }
  }

  /** One after the other: the next is due a while after this one was answered, or given up. */
  async #beat(): Promise<void> {
    if (this.#parts.store.isUp) {
      const sentAtMs = this.#parts.clock.now()
      try {
        const beat = await this.#send(this.#topics(), false)
        if (!this.#stopped) this.#beaten(beat, sentAtMs)
      } catch {
        // The next one may come through.
      }
    }
    if (this.#stopped) return
    this.#startedAlone ||= this.#epoch === null
    this.#noteSharing()
    this.#timer = this.#parts.clock.after(beatEveryMs, () => void this.#beat())
  }

  async #send(told: ReadonlyMap<string, string>, leaves: boolean): Promise<Beat> {
    const { own, store } = this.#parts
    const message = messageText(own, told, leaves)
    const toldAllIn = this.#told.every((hasTold) => hasTold()) ? this.#epoch : null
    return store.beat({ id: own.id, message, status: JSON.stringify(own), leaves, toldAllIn })
  }

  /** As JSON by topic. */
  #topics(): ReadonlyMap<string, string> {
    const told = new Map<string, string>()
    for (const [topic, teller] of this.#tellers) {
      const json = this.#guarded(topic, () => JSON.stringify(teller()))
      if (json === undefined) continue
      if (json.length > topicCharsMax) this.#fault(topic, `It has ${json.length} characters to tell at once.`)
      else told.set(topic, json)
    }
    return told
  }

  #beaten({ epoch, settlesInMs, joined, alive: told }: Beat, sentAtMs: number): void {
    const nowMs = this.#parts.clock.now()
    const elapsedMs = nowMs - this.#beatAnsweredAtMs
    // What one says at last may be heard before an answer that was on its way already.
    const alive = told.filter(({ id }) => !this.#left.has(id))
    this.#othersReturnAtMs = Math.max(this.#othersReturnAtMs, nowMs + this.#othersReturnInMs(elapsedMs, settlesInMs))
    this.#beatSentAtMs = sentAtMs
    this.#beatAnsweredAtMs = nowMs
    const before = this.#alive.map(({ id, beatAgeMs }) => ({ id, beatAgeMs: beatAgeMs + elapsedMs }))
    this.#alive = nowMs < this.#othersReturnAtMs ? [...alive, ...missingIn(alive, before)] : alive
    if (nowMs >= this.#othersReturnAtMs) this.#knowsAll = true
    this.#keepCount()
    this.#settledAtMs = nowMs + settlesInMs
    if (epoch !== this.#epoch || joined !== this.#joined) this.#beganAnew(epoch, joined)
    for (const gone of missingIn(this.#alive, before))
      if (gone.id !== this.id) this.#forget(gone.id, this.#howGone(gone))
    for (const { id } of missingIn(before, alive)) if (id !== this.id) this.#came(id)
    if (alive.some(({ id }) => id !== this.id && !this.#known.has(id))) void this.#learnOthers()
  }

  /** To all who come back to a store that was away the others seem gone, until those have come back, too. */
  #othersReturnInMs(elapsedMs: number, settlesInMs: number): number {
    const wasAway = elapsedMs > this.#parts.goneAfterMs / 2 || (this.#epoch === null && this.#startedAlone)
    return wasAway ? Math.max(othersReturnMs, settlesInMs) : settlesInMs
  }

  /** There may be more of them than have come back by now. */
  #keepCount(): void {
    const { count } = this
    this.#lastSeen.see(this.#parts.clock.now() < this.#othersReturnAtMs ? Math.max(count, this.#lastSeen.count) : count)
  }

  /** One that beat just now has said that it leaves, which is yet to be heard. */
  #howGone({ beatAgeMs }: AliveReplica): 'left' | 'missed' {
    return beatAgeMs > Math.min(4 * beatEveryMs, this.#parts.goneAfterMs / 2) ? 'missed' : 'left'
  }

  #beganAnew(epoch: string, joined: string): void {
    if (this.#epoch !== null) this.#parts.events().epochChanged()
    this.#epoch = epoch
    this.#joined = joined
    for (const listener of this.#onEpoch) this.#guarded('epoch', listener)
  }

  /** Of those that were not heard yet. */
  async #learnOthers(): Promise<void> {
    if (this.#isLearning) return
    this.#isLearning = true
    try {
      for (const [id, text] of await this.#parts.store.statuses()) {
        const status = statusOf(parsed(text))
        if (status !== null && status.id === id && has(this.#alive, id)) this.#know(status)
      }
    } catch {
      // With the next beat.
    } finally {
      this.#isLearning = false
    }
  }

  #know(status: ReplicaStatus): void {
    if (this.#known.size < replicasMax || this.#known.has(status.id)) this.#known.set(status.id, status)
  }

  #listen(): void {
    if (this.#listens) return
    this.#listens = true
    this.#parts.store
      .listen((message) => this.#heard(message))
      .catch(() => {
        // Told of by whoever keeps the connection.
        this.#listens = false
        if (!this.#stopped) this.#parts.clock.after(beatEveryMs, () => this.#listen())
      })
  }

  #heard(text: string): void {
    if (this.#stopped) return
    const message = messageOf(text)
    if (message === null) {
      this.#fault('message', 'A message on the channel of the fleet is none of a gateway.')
      return
    }
    const { own, told, leaves } = message
    if (own.id === this.id) return
    if (leaves) {
      this.#left.add(own.id)
      const [oldest] = this.#left
      if (this.#left.size > replicasMax && oldest !== undefined) this.#left.delete(oldest)
      if (!has(this.#alive, own.id)) return
      this.#alive = this.#alive.filter(({ id }) => id !== own.id)
      this.#forget(own.id, 'left')
      return
    }
    this.#know(own)
    for (const [topic, value] of told) {
      for (const heard of this.#hearers.get(topic) ?? []) this.#guarded(topic, () => heard(own.id, value))
    }
  }

  #came(id: string): void {
    for (const listener of this.#onCame) this.#guarded('came', () => listener(id))
  }

  #forget(id: string, how: 'left' | 'missed'): void {
    this.#parts.events().replicaGone(how)
    this.#known.delete(id)
    for (const listener of this.#onGone) this.#guarded('gone', () => listener(id))
  }

  /** What one topic cannot make sense of must not keep the others from being told. */
  #guarded<Result>(topic: string, work: () => Result): Result | undefined {
    try {
      return work()
    } catch (error) {
      this.#fault(topic, error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  /** Once of each topic: beats come five times a second. */
  #fault(topic: string, problem: string): void {
    if (this.#faultsTold.has(topic)) return
    this.#faultsTold.add(topic)
    this.#parts.log('warn', 'what gateways tell each other is left out in part', { topic, problem })
  }

  #noteSharing(): void {
    const { isShared } = this
    const why = isShared ? null : this.#unsharedBecause()
    const { isShared: wasShared, sinceMs, why: whyBefore } = this.#sharing
    if (isShared === wasShared && why === whyBefore) return
    this.#sharing = { isShared, sinceMs: isShared === wasShared ? sinceMs : this.#parts.clock.wallMs(), why }
  }

  #unsharedBecause(): string {
    const { store } = this.#parts
    if (!store.isUp) return `Redis cannot be used${store.problem === null ? '.' : `: ${store.problem}`}`
    if (this.#epoch !== null && this.#parts.clock.now() < this.#settledAtMs)
      return 'Redis was empty: all gateways tell it first what they hold.'
    return 'Redis does not answer beats.'
  }
}

/** Those of `others` that `replicas` has not. */
function missingIn(replicas: readonly AliveReplica[], others: readonly AliveReplica[]): readonly AliveReplica[] {
  return others.filter(({ id }) => !has(replicas, id))
}

function has(replicas: readonly AliveReplica[], id: string): boolean {
  return replicas.some((replica) => replica.id === id)
}
