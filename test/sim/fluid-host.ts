/**
 * One machine as a fluid model: prompts are read one after the other, answers are written all at once, and between two
 * events every rate is constant. So what was done by now is a product, and the next event is known.
 */
import type { Clock, Timer } from '../../src/base/clock.ts'
import { BlockCache } from './block-cache.ts'
import { decodeRate, type HostProfile, prefillSeconds } from './host-profile.ts'
import { ModelShelf, type ShelfParts } from './model-shelf.ts'

/** One request at a machine. */
export interface Job {
  readonly inputTokens: number
  /** Of the prompt; the machine has kept some of them, if it still has what it read before. */
  readonly blocks: readonly number[]
  /** What the answer adds to them. */
  readonly answerBlocks?: readonly number[]
  readonly outputTokens: number
  readonly model: string
  /** The prompt was read; its first token is there. */
  readonly firstToken: () => void
  readonly ended: () => void
  /** The machine has crashed, or has put its model out. */
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

export interface MachineOptions {
  readonly blockTokens?: number
  /** Of models; default: all are always there. */
  readonly memory?: Omit<ShelfParts, 'clock' | 'putOut'>
}

/** What is left of a token by rounding alone. */
const nothing = 1e-6

export class FluidHost {
  readonly profile: HostProfile
  readonly #clock: Clock
  /** Absent where all models are always there. */
  readonly #shelf: ModelShelf | null
  readonly #awaitingModel = new Set<Work>()
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
  /** Requests that were at work when their model was put out. */
  killed = 0

  constructor(profile: HostProfile, clock: Clock, { blockTokens = 64, memory }: MachineOptions = {}) {
    this.profile = profile
    this.#clock = clock
    this.#kept = new BlockCache(profile.blocksKept ?? 0)
    this.#blockTokens = blockTokens
    this.#shelf =
      memory === undefined ? null : new ModelShelf({ clock, ...memory, putOut: (model) => this.#putOut(model) })
    this.#doneUpToMs = clock.now()
  }

  start(job: Job): Work {
    this.flow()
    const kept = Math.floor(this.#kept.match(job.blocks) * this.#blockTokens)
    const work: Work = { job, cachedTokens: Math.min(job.inputTokens, kept), read: 0, written: 0 }
    this.#kept.keep(job.blocks)
    if (this.#shelf?.use(job.model, () => this.#modelCame(work)) === false) this.#awaitingModel.add(work)
    else this.#reading.push(work)
    this.#setTimer()
    return work
  }

  get shelf(): ModelShelf | null {
    return this.#shelf
  }

  /** The client has left. */
  stop(work: Work): void {
    this.flow()
    const at = this.#reading.indexOf(work)
    if (at >= 0) this.#reading.splice(at, 1)
    this.#writing.delete(work)
    this.#awaitingModel.delete(work)
    this.#setTimer()
  }

  /** Requests that it has. */
  get busy(): number {
    return this.#reading.length + this.#writing.size + this.#awaitingModel.size
  }

  get isDown(): boolean {
    return this.#isDown
  }

  /** All that it has is gone, and nothing can reach it. */
  crash(): void {
    this.flow()
    this.#kept.clear()
    this.#isDown = true
    this.#lose(() => true)
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

  #modelCame(work: Work): void {
    if (!this.#awaitingModel.delete(work)) return
    this.flow()
    this.#reading.push(work)
    this.#setTimer()
  }

  #putOut(model: string): void {
    this.flow()
    this.#kept.clear()
    this.killed += this.#lose(({ job }) => job.model === model)
  }

  /** How many. */
  #lose(is: (work: Work) => boolean): number {
    const lost = [...this.#reading, ...this.#writing].filter(is)
    for (const work of lost) this.stop(work)
    for (const { job } of lost) job.lost()
    return lost.length
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
