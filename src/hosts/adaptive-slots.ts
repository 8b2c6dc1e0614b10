/**
 * How many requests a host works on at once, learnt from how fast it answers: slowly more while its answers are within
 * what is wanted and somebody waits, at once fewer where they are not or where the host says that it is busy.
 *
 * Never from the shortest time seen: every stream of a batch is slower than one alone although all together are faster,
 * so a time that grows is no sign of a queue.
 */
import type { LimitDirection, LimitReason } from './events.ts'
import type { HostSlo } from './options.ts'
import type { SlotRange } from './slot-range.ts'

/** How fast one good answer was. */
export interface AnswerSpeed {
  /** From its dispatch to its first token; null where that was not seen. */
  readonly firstTokenMs: number | null
  /** Mean time per output token after the first; null where that was not seen or there was only one. */
  readonly timePerOutputTokenMs: number | null
}

/** When an answer ran; monotonic. */
interface AnswerTimes {
  readonly grantedAtMs: number
  readonly nowMs: number
}

/** The number of slots has changed. */
export interface SlotChange {
  readonly direction: LimitDirection
  readonly reason: LimitReason
}

const raise = 0.5
const answersPerRaise = 10
/** A number that was once too high is tried again so many times more slowly, or the limit would swing around it. */
const timesSlowerAfterBreach = 4
const lowerTo = 0.85
/** Answers that are judged together, all of them at the same number of slots. */
const judgedMin = 10
const judgedMax = 20
/** The p90 is outside when more than this share of them is; that many more are put down to chance or one long prompt. */
const shareOutside = 0.1
const outsideByChance = 2

/** Within its range; a range of one number keeps that number. */
export class AdaptiveSlots {
  #slo: HostSlo
  #range: SlotRange
  /** Real, so that it can grow by less than a slot; the whole slots in it are used. */
  #limit: number
  /** The latest answers at this number of slots. */
  #judged: AnswerSpeed[] = []
  /** Of the last lowering: answers that began before it ran beside more others than now, and are not judged. */
  #loweredAtMs = Number.NEGATIVE_INFINITY
  /** Judged answers since the last move before which somebody had been held back. */
  #bound = 0
  #heldBack = false
  /** The number of slots that was too many when last tried; null where none is known. */
  #tooMany: number | null = null

  constructor(range: SlotRange, slo: HostSlo) {
    this.#range = range
    this.#slo = slo
    this.#limit = range.start
  }

  get slots(): number {
    return Math.floor(this.#limit)
  }

  /** Answers so far were judged by what was wanted then. */
  judgeBy(slo: HostSlo): void {
    this.#slo = slo
  }

  /** Another number to start with is another server, of which nothing is known yet. */
  keepTo(range: SlotRange): void {
    const { min, max, start } = this.#range
    if (range.min === min && range.max === max && range.start === start) return
    this.#range = range
    this.#tooMany = null
    this.#moveTo(range.start === start ? this.#limit : range.start)
  }

  /** All slots were taken, and a request had to wait for one. */
  heldBack(): void {
    this.#heldBack = true
  }

  /** A good answer has ended. */
  answered(speed: AnswerSpeed, { grantedAtMs, nowMs }: AnswerTimes): SlotChange | null {
    if (speed.firstTokenMs === null && speed.timePerOutputTokenMs === null) return null
    const bound = this.#heldBack
    this.#heldBack = false
    if (grantedAtMs < this.#loweredAtMs) return null
    if (bound) this.#bound++
    this.#judged.push(speed)
    if (this.#judged.length > judgedMax) this.#judged.shift()
    if (this.#judged.length < judgedMin) return null
    const breach = this.#breach()
    if (breach !== null) {
      this.#tooMany = this.slots
      return this.#lower(this.slots * lowerTo, breach, nowMs)
    }
    return this.#bound < this.#answersToRaise() ? null : this.#raise()
  }

  /** The host refused one of `leases` requests because it has no room. */
  busy(leases: number, nowMs: number): SlotChange | null {
    this.#tooMany = leases
    return this.#lower(Math.min(this.#limit, leases - 1), 'busy', nowMs)
  }

  #breach(): 'tpot' | 'ttft' | null {
    const { timePerOutputTokenMsMax, firstTokenMsMax } = this.#slo
    let [tokenTimes, tokenTimesOutside, firstTokens, firstTokensOutside] = [0, 0, 0, 0]
    for (const { timePerOutputTokenMs, firstTokenMs } of this.#judged) {
      if (timePerOutputTokenMs !== null) tokenTimes++
      if (timePerOutputTokenMs !== null && timePerOutputTokenMs > timePerOutputTokenMsMax) tokenTimesOutside++
      if (firstTokenMs !== null) firstTokens++
      if (firstTokenMs !== null && firstTokenMs > firstTokenMsMax) firstTokensOutside++
    }
    if (isOutside(tokenTimesOutside, tokenTimes)) return 'tpot'
    return isOutside(firstTokensOutside, firstTokens) ? 'ttft' : null
  }

  #answersToRaise(): number {
    const nearTooMany = this.#tooMany !== null && this.slots + 1 >= this.#tooMany
    return answersPerRaise * (nearTooMany ? timesSlowerAfterBreach : 1)
  }

  #raise(): SlotChange | null {
    // It was tried again, and is not too many any more.
    if (this.#tooMany !== null && this.slots >= this.#tooMany) this.#tooMany = null
    return this.#moveTo(this.#limit + raise) ? { direction: 'up', reason: 'room' } : null
  }

  #lower(limit: number, reason: LimitReason, nowMs: number): SlotChange | null {
    this.#judged = []
    if (!this.#moveTo(limit)) return null
    this.#loweredAtMs = nowMs
    return { direction: 'down', reason }
  }

  /** True when that changes the number of slots. */
  #moveTo(limit: number): boolean {
    const before = this.slots
    this.#limit = Math.min(Math.max(limit, this.#range.min), this.#range.max)
    this.#bound = 0
    if (this.slots === before) return false
    this.#judged = []
    return true
  }
}

/** Whether the p90 of times that are known is beyond their bound, as so many of them are. */
function isOutside(outside: number, known: number): boolean {
  return outside > known * shareOutside + outsideByChance
}
