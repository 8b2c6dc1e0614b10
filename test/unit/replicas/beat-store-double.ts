/** A store of beats in memory, of which a test has the clock, the connections and the messages in hand. */
import type { Beat, BeatStore, OwnBeat } from '../../../src/replicas/beat-store.ts'
import { beatEveryMs, Replicas, type ReplicasParts } from '../../../src/replicas/replicas.ts'
import { FakeClock } from '../../kit/fake-clock.ts'

export const goneAfterMs = 3_000

interface Row {
  readonly status: string
  readonly joined: string
  beatAtMs: number
}

/** What all connections of one fleet share. */
export class FleetDouble {
  readonly clock: FakeClock
  readonly rows = new Map<string, Row>()
  readonly listeners = new Map<string, (message: string) => void>()
  epoch: string | null = null
  settlesAtMs = 0
  #made = 0

  constructor(clock = new FakeClock()) {
    this.clock = clock
  }

  /** As FLUSHALL. */
  empty(): void {
    this.rows.clear()
    this.epoch = null
  }

  publish(message: string): void {
    for (const heard of this.listeners.values()) heard(message)
  }

  beat({ id, message, status, leaves }: OwnBeat): Beat {
    const nowMs = this.clock.now()
    if (this.epoch === null) {
      this.epoch = `epoch-${++this.#made}`
      this.settlesAtMs = nowMs + 1_000
    }
    for (const [other, { beatAtMs }] of this.rows) if (beatAtMs < nowMs - goneAfterMs) this.rows.delete(other)
    const joined = this.rows.get(id)?.joined ?? `joined-${++this.#made}`
    if (leaves) this.rows.delete(id)
    else this.rows.set(id, { status, joined, beatAtMs: nowMs })
    this.publish(message)
    const alive = Array.from(this.rows, ([one, { beatAtMs }]) => ({ id: one, beatAgeMs: nowMs - beatAtMs }))
    return { epoch: this.epoch, settlesInMs: Math.max(0, this.settlesAtMs - nowMs), joined, alive }
  }
}

/** One gateway's connection. */
export class StoreDouble implements BeatStore {
  readonly #fleet: FleetDouble
  readonly #name: string
  isUp = true
  problem: string | null = null
  /** What a beat meets instead of an answer: thrown after it took effect, or before. */
  fails: 'before' | 'after' | null = null
  /** Answers wait until this resolves. */
  held: Promise<void> | null = null
  beats = 0
  deaf = false
  listenFails = 0
  statusesAsked = 0
  /** With the last beat. */
  toldAllIn: string | null = null
  extraStatuses: readonly (readonly [string, string])[] = []

  constructor(fleet: FleetDouble, name: string) {
    this.#fleet = fleet
    this.#name = name
  }

  async beat(own: OwnBeat): Promise<Beat> {
    this.beats++
    this.toldAllIn = own.toldAllIn
    if (this.fails === 'before') throw new Error('no answer')
    const beat = this.#fleet.beat(own)
    if (this.fails === 'after') throw new Error('no answer')
    await this.held
    return beat
  }

  async statuses(): Promise<ReadonlyMap<string, string>> {
    this.statusesAsked++
    return new Map([
      ...Array.from(this.#fleet.rows, ([id, { status }]) => [id, status] as const),
      ...this.extraStatuses,
    ])
  }

  async listen(heard: (message: string) => void): Promise<void> {
    if (this.listenFails > 0) {
      this.listenFails--
      throw new Error('no connection')
    }
    this.#fleet.listeners.set(this.#name, (message) => {
      if (!this.deaf) heard(message)
    })
  }
}

export interface ReplicaUnderTest {
  readonly replicas: Replicas
  readonly store: StoreDouble
  readonly log: string[]
  /** What became of others, and when all was told anew. */
  readonly events: string[]
}

export function replicaIn(fleet: FleetDouble, id: string, more: Partial<ReplicasParts> = {}): ReplicaUnderTest {
  const store = new StoreDouble(fleet, id)
  const log: string[] = []
  const events: string[] = []
  const own = { id, name: `gw-${id}`, version: '1.0.0', startedAtMs: fleet.clock.wallMs() }
  const replicas = new Replicas({
    clock: fleet.clock,
    log: (level, message, fields) => void log.push(`${level} ${message} ${JSON.stringify(fields)}`),
    store,
    own,
    events: () => ({
      replicaGone: (how) => void events.push(how),
      epochChanged: () => void events.push('epoch changed'),
    }),
    goneAfterMs,
    ...more,
  })
  replicas.onCame((other) => void events.push(`came ${other}`))
  replicas.onGone((other) => void events.push(`gone ${other}`))
  replicas.onEpoch(() => void events.push('told anew'))
  return { replicas, store, log, events }
}

export async function beats(fleet: FleetDouble, count = 1): Promise<void> {
  for (let at = 0; at < count; at++) await fleet.clock.advance(beatEveryMs)
}
