/**
 * One machine as a fluid model: prompts are read one after the other, answers are written all at once, and between two
 * events every rate is constant. So what was done by now is a product, and the next event is known.
 */
import type { Clock, Timer } from '../../src/base/clock.ts'
import { BlockCache } from './block-cache.ts'
import { decodeRate, type HostProfile, prefillSeconds } from './host-profile.ts'

/** One request at a machine. */
export interface Job {
  readonly inputTokens: number
  /** Of the prompt; the machine has kept some of them, if it still has what it read before. */
  readonly blocks: readonly number[]
  /** What the answer adds to them. */
  readonly answerBlocks?: readonly number[]
  readonly outputTokens: number
  /** The prompt was read; its first token is there. */
  readonly firstToken: () => void
  readonly ended: () => void
  /** The machine has crashed. */
  readonly lost: () => void
}

export interface Work {
  readonly job: Job
  /** Prompt tokens that were not read, since they were kept. */
  readonly cachedTokens: number
  /** Of the tokens to be read, how many were. */
  read: number
  /** With a fraction: a token in the making counts as the part that is there. */
  written: number
}

/** What is left of a token by rounding alone. */
const nothing = 1e-6

export class FluidHost {
  readonly profile: HostProfile
  readonly #clock: Clock
  readonly #reading: Work[] = []
  readonly #writing = new Set<Work>()
  readonly #kept: BlockCache
  readonly #blockTokens: number
  #doneUpToMs: number
  /** How many times longer everything takes than it should. */
  #slower = 1
  #isDown = false
  #timer: Timer | null = null
  /** Tokens that were written since the beginning. */
  written = 0

  constructor(profile: HostProfile, clock: Clock, blockTokens = 64) {
    this.profile = profile
    this.#clock = clock
    this.#kept = new BlockCache(profile.blocksKept ?? 0)
    this.#blockTokens = blockTokens
    this.#doneUpToMs = clock.now()
  }

  start(job: Job): Work {
    this.flow()
    const kept = Math.floor(this.#kept.match(job.blocks) * this.#blockTokens)
    const work: Work = { job, cachedTokens: Math.min(job.inputTokens, kept), read: 0, written: 0 }
    this.#kept.keep(job.blocks)
    this.#reading.push(work)
    this.#setTimer()
    return work
  }

  /** The client has left. */
  stop(work: Work): void {
    this.flow()
    const at = this.#reading.indexOf(work)
    if (at >= 0) this.#reading.splice(at, 1)
    this.#writing.delete(work)
    this.#setTimer()
  }

  get isDown(): boolean {
    return this.#isDown
  }

  /** All that it has is gone, and nothing can reach it. */
  crash(): void {
    this.flow()
    const lost = [...this.#reading, ...this.#writing]
    this.#reading.length = 0
    this.#writing.clear()
    this.#kept.clear()
    this.#isDown = true
    this.#setTimer()
    for (const { job } of lost) job.lost()
  }

  comeBack(): void {
    this.#isDown = false
  }

  /** From now on everything takes so many times as long; 1: as ever. */
  slowDown(times: number): void {
    this.flow()
    this.#slower = times
    this.#setTimer()
  }

  /** Brings everything up to now. */
  flow(): void {
    const seconds = (this.#clock.now() - this.#doneUpToMs) / 1000
    if (seconds <= 0) return
    this.#doneUpToMs = this.#clock.now()
    const rate = this.#rate()
    const head = this.#reading[0]
    if (head !== undefined) head.read = Math.min(toRead(head), head.read + seconds * this.#readRate(head))
    for (const work of this.#writing) {
      const more = Math.min(work.job.outputTokens - work.written, seconds * rate)
      work.written += more
      this.written += more
    }
  }

  /** Tokens per second of each answer, now. */
  #rate(): number {
    if (this.#writing.size === 0) return 0
    const share = this.#reading.length > 0 ? this.profile.decodeShareDuringPrefill : 1
    return (share * decodeRate(this.profile, this.#writing.size, this.#meanContext())) / this.#slower
  }

  #readRate(work: Work): number {
    return toRead(work) / prefillSeconds(this.profile, toRead(work)) / this.#slower
  }

  #meanContext(): number {
    if (this.profile.stepDoubledAtTokens === undefined) return 0
    let sum = 0
    for (const { job, written } of this.#writing) sum += job.inputTokens + written
    return sum / this.#writing.size
  }

  #setTimer(): void {
    this.#timer?.cancel()
    const seconds = this.#secondsToNext()
    this.#timer = seconds === Number.POSITIVE_INFINITY ? null : this.#clock.after(seconds * 1000, () => this.#next())
  }

  #secondsToNext(): number {
    const head = this.#reading[0]
    let seconds = head === undefined ? Number.POSITIVE_INFINITY : (toRead(head) - head.read) / this.#readRate(head)
    const rate = this.#rate()
    if (rate === 0) return seconds
    for (const { job, written } of this.#writing) seconds = Math.min(seconds, (job.outputTokens - written) / rate)
    return seconds
  }

  #next(): void {
    this.flow()
    const head = this.#reading[0]
    if (head !== undefined && toRead(head) - head.read < nothing) {
      this.#reading.shift()
      this.#beginWriting(head)
    }
    for (const work of this.#writing) {
      if (work.job.outputTokens - work.written >= nothing) continue
      this.#writing.delete(work)
      const { blocks, answerBlocks } = work.job
      if (answerBlocks !== undefined) this.#kept.keep([...blocks, ...answerBlocks])
      work.job.ended()
    }
    this.#setTimer()
  }

  /** The last step over a prompt gives the first token. */
  #beginWriting(work: Work): void {
    work.written = Math.min(1, work.job.outputTokens)
    this.written += work.written
    this.#writing.add(work)
    work.job.firstToken()
  }
}

/** One token is always read, or there would be nothing to answer to. */
export function toRead({ job, cachedTokens }: Work): number {
  return Math.max(1, job.inputTokens - cachedTokens)
}
