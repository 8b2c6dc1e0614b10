/**
 * What the ledger of a gateway says was used of days and months is told wherever others may know less of it: it has the rows of
 * all, also of those that are gone, which nobody else can tell when Redis was emptied.
 */
import type { LimitLane } from '../../access/limit-lane.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Replicas } from '../../replicas/replicas.ts'
import type { AccessRecords } from '../access-records.ts'
import type { RedisLink } from './link.ts'

export interface LimitRecallParts {
  readonly clock: Clock
  readonly link: Pick<RedisLink, 'onUp'>
  readonly fleet: Pick<Replicas, 'epoch' | 'onEpoch' | 'isShared'>
  readonly records: Pick<AccessRecords, 'recallLimits'>
  readonly lane: Pick<LimitLane, 'tellMore'>
  /** From 0 to 1. */
  readonly chance: () => number
}

/** The rows of others are there by then, and what each kept by itself has been told. Up to half as long again. */
const caughtUpMs = 3_000

export class LimitRecall {
  readonly #parts: LimitRecallParts
  #timer: Timer | null = null
  /** What was known when Redis went is still to be told. */
  #isDown = false
  #stopped = false
  #isReading = false
  /** Of the store; null before the first. */
  #epoch: string | null

  /** To be made after the lane, which hears first of what it is asked for. */
  constructor(parts: LimitRecallParts) {
    this.#parts = parts
    const { link, fleet } = parts
    this.#epoch = fleet.epoch
    fleet.onEpoch(() => {
      const before = this.#epoch
      this.#epoch = fleet.epoch
      // What was read at the start is known; and rows of an outage are told by whoever was charged them.
      if (!this.#isDown && before !== null) void this.#recallFirst(before)
      this.#recallLater()
    })
    link.onUp(() => this.#recallLater())
  }

  /** Nothing of an epoch that has just begun is still to be read. */
  get hasTold(): boolean {
    return !this.#isReading
  }

  /** From now on each gateway keeps its share by itself, of what was left. */
  redisWent(): void {
    if (this.#isDown) return
    this.#isDown = true
    if (this.#epoch !== null) void this.#recall(this.#epoch)
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #recallLater(): void {
    const { clock, chance, fleet } = this.#parts
    this.#timer?.cancel()
    this.#timer = clock.after(caughtUpMs * (1 + chance() / 2), () => {
      if (!fleet.isShared) return this.#recallLater()
      this.#isDown = false
      void this.#recall(null)
    })
  }

  /** Before anything is granted in the new epoch. */
  async #recallFirst(of: string): Promise<void> {
    this.#isReading = true
    await this.#recall(of)
    this.#parts.lane.tellMore()
    this.#isReading = false
  }

  async #recall(of: string | null): Promise<void> {
    if (!this.#stopped) await this.#parts.records.recallLimits(of)
  }
}
