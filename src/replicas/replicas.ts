/**
 * The gateways that stand before the same hosts: who lives, and what each tells the others with each beat. What is told is
 * absolute and never a difference, so that one beat that was not heard changes nothing for long.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { Beat, BeatStore } from './beat-store.ts'

/** Whoever was not heard for some of these is gone (`storage.redis.goneAfterMs`). */
export const beatEveryMs = 200

export interface ReplicaStatus {
  readonly id: string
  /** As operators know it. */
  readonly name: string
  readonly version: string
  /** Wall clock. */
  readonly startedAtMs: number
}

export interface ReplicasParts {
  readonly clock: Clock
  readonly store: BeatStore
  readonly own: ReplicaStatus
}

type Heard = (from: string, told: unknown) => void

export class Replicas {
  readonly #parts: ReplicasParts
  readonly #tellers = new Map<string, () => unknown>()
  readonly #hearers = new Map<string, Heard[]>()
  readonly #onGone: ((id: string) => void)[] = []
  readonly #onEpoch: (() => void)[] = []
  readonly #known = new Map<string, ReplicaStatus>()
  #alive: readonly string[]
  #epoch: string | null = null
  #settledAtMs = Number.POSITIVE_INFINITY
  #timer: Timer | null = null
  #stopped = false

  constructor(parts: ReplicasParts) {
    this.#parts = parts
    this.#alive = [parts.own.id]
  }

  /** Of this process, never twice. */
  get id(): string {
    return this.#parts.own.id
  }

  /** Those that live, this one included; those that did when the store was last there. */
  get count(): number {
    return Math.max(1, this.#alive.length)
  }

  /** Whether limits are those of all together now. Else each replica keeps its share by itself. */
  get isShared(): boolean {
    return this.#parts.store.isUp && this.#parts.clock.now() >= this.#settledAtMs
  }

  /** This one included; of some that came just now nothing may be known but the id. */
  all(): readonly (Pick<ReplicaStatus, 'id'> & Partial<ReplicaStatus>)[] {
    return this.#alive.map((id) => (id === this.id ? this.#parts.own : (this.#known.get(id) ?? { id })))
  }

  /** With each beat the others are told of this what `teller` says; undefined where there is nothing new. JSON. */
  tell(topic: string, teller: () => unknown): void {
    this.#tellers.set(topic, teller)
  }

  /** `told` is whatever another replica, which may be of another version, has said: to be looked at before it is believed. */
  hear(topic: string, heard: Heard): void {
    this.#hearers.set(topic, [...(this.#hearers.get(topic) ?? []), heard])
  }

  /** One that lived does no more: what was known of it holds no more. */
  onGone(listener: (id: string) => void): void {
    this.#onGone.push(listener)
  }

  /** The store was empty, at the first beat too: what this one holds must be told anew. */
  onEpoch(listener: () => void): void {
    this.#onEpoch.push(listener)
  }

  async start(): Promise<void> {
    const { store } = this.#parts
    try {
      await store.listen((message) => this.#heard(message))
    } catch {
      // Told of by whoever keeps the connection.
    }
    await this.#beat()
  }

  /** The others are told at once, so that they need not wait until it is missed. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    if (!this.#parts.store.isUp) return
    try {
      await this.#send(true)
    } catch {
      // It is missed after a while.
    }
  }

  async #beat(): Promise<void> {
    if (this.#parts.store.isUp) {
      try {
        this.#beaten(await this.#send(false))
      } catch {
        // The next one may come through.
      }
    }
    if (this.#stopped) return
    this.#timer = this.#parts.clock.after(beatEveryMs, () => void this.#beat())
  }

  async #send(leaves: boolean): Promise<Beat> {
    const { own, store } = this.#parts
    const told: Record<string, unknown> = {}
    for (const [topic, teller] of this.#tellers) {
      const value = teller()
      if (value !== undefined) told[topic] = value
    }
    const message = JSON.stringify({ own, told, leaves })
    return await store.beat({ id: own.id, message, status: JSON.stringify(own), epochIfNone: own.id, leaves })
  }

  #beaten({ epoch, settlesInMs, alive }: Beat): void {
    const gone = this.#alive.filter((id) => !alive.includes(id) && id !== this.id)
    this.#alive = alive
    if (epoch !== this.#epoch) {
      this.#epoch = epoch
      this.#settledAtMs = this.#parts.clock.now() + settlesInMs
      for (const listener of this.#onEpoch) listener()
    }
    for (const id of gone) this.#forget(id)
    if (alive.some((id) => id !== this.id && !this.#known.has(id))) void this.#learnOthers()
  }

  async #learnOthers(): Promise<void> {
    try {
      for (const [id, status] of await this.#parts.store.statuses()) this.#known.set(id, JSON.parse(status))
    } catch {
      // With the next beat.
    }
  }

  #heard(message: string): void {
    const { own, told, leaves } = JSON.parse(message)
    if (own.id === this.id) return
    if (leaves === true) {
      this.#alive = this.#alive.filter((id) => id !== own.id)
      this.#forget(own.id)
      return
    }
    this.#known.set(own.id, own)
    for (const [topic, value] of Object.entries(told)) {
      for (const heard of this.#hearers.get(topic) ?? []) heard(own.id, value)
    }
  }

  #forget(id: string): void {
    this.#known.delete(id)
    for (const listener of this.#onGone) listener(id)
  }
}
