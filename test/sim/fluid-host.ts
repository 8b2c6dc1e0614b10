/**
 * One machine as a fluid model: prompts are read one after the other, answers are written all at once, and between two
 * events every rate is constant. So what was done by now is a product, and the next event is known.
 */
import type { Clock, Timer } from '../../src/base/clock.ts'
import { decodeRate, type HostProfile, prefillSeconds } from './host-profile.ts'

/** One request at a machine. */
export interface Job {
  readonly inputTokens: number
  /** Of these the machine has kept some, if it still has what it read of the same conversation. */
  readonly sharedTokens: number
  readonly conversation: number | null
  readonly outputTokens: number
  /** The prompt was read; its first token is there. */
  readonly firstToken: () => void
  readonly ended: () => void
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
  /** Conversations whose prefix is kept, the longest unused first. */
  readonly #kept = new Set<number>()
  #doneUpToMs: number
  #timer: Timer | null = null
  /** Tokens that were written since the beginning. */
  written = 0

  constructor(profile: HostProfile, clock: Clock) {
    this.profile = profile
    this.#clock = clock
    this.#doneUpToMs = clock.now()
  }

  start(job: Job): Work {
    this.flow()
    const isKept = job.conversation !== null && this.#kept.has(job.conversation)
    const work: Work = { job, cachedTokens: isKept ? job.sharedTokens : 0, read: 0, written: 0 }
    this.#keep(job.conversation)
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
    return share * decodeRate(this.profile, this.#writing.size, this.#meanContext())
  }

  #readRate(work: Work): number {
    return toRead(work) / prefillSeconds(this.profile, toRead(work))
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

  #keep(conversation: number | null): void {
    if (conversation === null) return
    this.#kept.delete(conversation)
    this.#kept.add(conversation)
    const [oldest] = this.#kept
    if (this.#kept.size > (this.profile.prefixesKept ?? 0) && oldest !== undefined) this.#kept.delete(oldest)
  }
}

/** One token is always read, or there would be nothing to answer to. */
export function toRead({ job, cachedTokens }: Work): number {
  return Math.max(1, job.inputTokens - cachedTokens)
}
