/**
 * The loads that a host began in the last hour, and who caused them. The last quarter of those that it may have is for whoever
 * caused none of them: nobody who has models loaded again and again keeps everybody else's from being loaded at all.
 */
import type { Clock } from '../base/clock.ts'

interface OneLoad {
  readonly atMs: number
  /** Null where nobody is known to have caused it. */
  readonly holder: string | null
  /** How long it took; 0 while it does. */
  ms: number
}

const hourMs = 3_600_000
/** As many as are told apart; one more a minute would be no use to anybody. */
const loadsMax = 1_000
const keptShare = 0.25

export class LoadsOfHour {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #loads: OneLoad[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  began(holder: string | null): void {
    this.#loads.push({ atMs: this.#clock.now(), holder, ms: 0 })
    if (this.#loads.length > loadsMax) this.#loads.shift()
  }

  /** The latest took so long. */
  ended(ms: number): void {
    const latest = this.#loads.at(-1)
    if (latest !== undefined) latest.ms = ms
  }

  /** The latest did not take place. */
  takeBack(): void {
    this.#loads.pop()
  }

  get count(): number {
    this.#forget()
    return this.#loads.length
  }

  /** The time that they took. */
  get totalMs(): number {
    this.#forget()
    return this.#loads.reduce((sum, { ms }) => sum + ms, 0)
  }

  /** Until there were fewer than so many in an hour, or than three quarters of that if none of `holders` may have the last ones; 0 when there were now. */
  nextInMs(countMax: number, holders: Iterable<string> | null = null): number {
    this.#forget()
    const anyMs = this.#fewerInMs(countMax)
    const sharedMs = this.#fewerInMs(countMax - Math.floor(countMax * keptShare))
    if (holders === null || sharedMs <= anyMs) return anyMs
    return Math.max(anyMs, Math.min(sharedMs, this.#noneInMs(holders)))
  }

  #fewerInMs(countMax: number): number {
    const oldest = this.#loads[this.#loads.length - countMax]
    return oldest === undefined ? 0 : this.#restMs(oldest.atMs)
  }

  /** Until one of them caused none in an hour. */
  #noneInMs(holders: Iterable<string>): number {
    const lastAtMs = new Map(this.#loads.map(({ holder, atMs }) => [holder, atMs]))
    let soonestMs = Number.POSITIVE_INFINITY
    for (const holder of holders) {
      const atMs = lastAtMs.get(holder)
      if (atMs === undefined) return 0
      soonestMs = Math.min(soonestMs, this.#restMs(atMs))
    }
    return soonestMs
  }

  #restMs(atMs: number): number {
    return Math.max(0, atMs + hourMs - this.#clock.now())
  }

  #forget(): void {
    const from = this.#clock.now() - hourMs
    while ((this.#loads[0]?.atMs ?? Number.POSITIVE_INFINITY) <= from) this.#loads.shift()
  }
}
