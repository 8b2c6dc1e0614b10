/** One attempt at a host, as work that the host has to do. */
import type { Host } from '../hosts/host.ts'
import type { Judgement } from './first-token-judge.ts'
import type { SpeedSample } from './host-speed.ts'
import type { Speeds } from './learned-speeds.ts'
import type { Prefixes } from './prefix-memory.ts'
import { prefillMs, type Speed, stepMs } from './speed.ts'

/** Tokens that an attempt has generated so far. */
export interface Generated {
  readonly output: number
}

export interface AssignmentParts {
  readonly host: Host
  readonly model: string
  /** Whose prompt it is; null where nothing is remembered of it. */
  readonly owner: string | null
  /** Of its prompt, as estimated; and of these, what the host is likely to have to read. */
  readonly inputTokens: number
  readonly uncachedTokens: number
  /** Of the prompt, what the host was sent before; see `Place`. */
  readonly sentTokens: number
  /** Of others, what the host has to read before it. */
  readonly inputAhead: number
  /** As estimated. */
  readonly outputTokens: number
  /** Of its host with its model, as far as it was known then. */
  readonly speed: Speed
}

/** What an answer that went well has told. */
export interface Answered {
  /** From when its slot was granted; null where it was not seen, or tells nothing of how fast the host reads. */
  readonly firstTokenMs: number | null
  /** Mean after the first; null likewise. */
  readonly timePerOutputTokenMs: number | null
  /** Of an answer that came whole, all its time; null of any other. */
  readonly wholeMs: number | null
  /** As its host told; null where it did not. */
  readonly tokens: { readonly input: number | null; readonly cachedInput: number | null }
  readonly outputTokens: number
}

/** The work of its host, as far as the attempt must know of it. */
export interface Surroundings {
  readonly nowMs: number
  readonly speeds: Speeds
  readonly prefixes: Pick<Prefixes, 'told'>
  /** Attempts there now. */
  readonly together: number
  /** How many were there at each time, summed up until now: in attempts x ms. */
  readonly togetherMs: number
  /** Its prompt was read. */
  read(assignment: Assignment): void
  ended(assignment: Assignment): void
}

/** Of the time of a whole answer no more than so much may be what its prompt is thought to have taken. */
const readShareMax = 0.25
/** With so little of its prompt sent before, it matters little whether that was kept. */
const sentShareTold = 0.25
/** A whole answer of fewer tokens tells of its request more than of them. */
const wholeOutputMin = 16

export class Assignment {
  readonly parts: AssignmentParts
  /** Monotonic. */
  readonly beganAtMs: number
  #isReading = true
  readonly #generated: Generated
  readonly #at: Surroundings
  /** Since when its host goes on without telling, and what had come by then. */
  #unseen: { readonly sinceMs: number; readonly output: number } | null = null
  /** From where on it is counted who was there together with it. */
  #togetherFrom: { readonly atMs: number; readonly togetherMs: number }

  constructor(parts: AssignmentParts, at: Surroundings, generated: Generated) {
    this.parts = parts
    this.beganAtMs = at.nowMs
    this.#generated = generated
    this.#at = at
    this.#togetherFrom = { atMs: at.nowMs, togetherMs: at.togetherMs }
  }

  /** Its prompt was not read yet, as far as that shows. */
  get isReading(): boolean {
    return this.#isReading
  }

  /** What the host does for it does not show. */
  get isUnseen(): boolean {
    return this.#unseen !== null
  }

  /** Tokens that are expected still to come; one at the least, or its host would be done with it. */
  outputLeft(nowMs: number, together: number): number {
    return Math.max(1, this.parts.outputTokens - this.#output(nowMs, together))
  }

  /** From now on its host does not tell how far it has come: that follows from the time. */
  goesUnseen(): void {
    if (this.#unseen !== null) return
    const readMs = this.#isReading ? prefillMs(this.parts.inputAhead + this.parts.uncachedTokens, this.parts.speed) : 0
    const sinceMs = this.#isReading ? this.beganAtMs + readMs : this.#at.nowMs
    this.#unseen = { sinceMs, output: this.#generated.output }
  }

  /** Its prompt was read: the first token is there. */
  firstToken(): void {
    if (!this.#isReading) return
    this.#at.read(this)
    this.#togetherFrom = { atMs: this.#at.nowMs, togetherMs: this.#at.togetherMs }
  }

  /** Others that were read after it have shown that it was read too. */
  wasRead(): void {
    this.#isReading = false
  }

  /** It went well, and still has its slot: what its host has shown is learned. */
  answered(answer: Answered): void {
    const { outputTokens } = answer
    const { beganAtMs } = this
    const { host, model, inputAhead } = this.parts
    const { speeds } = this.#at
    this.#tellOfCache(answer)
    const judged = this.#judged(answer)
    const inputRead = this.#inputRead(answer, judged)
    const timePerOutputTokenMs = answer.timePerOutputTokenMs ?? this.#timePerTokenOfWhole(answer, inputRead)
    const firstTokenMs = judged === null || this.#tellsOfReading(judged) ? answer.firstTokenMs : null
    if (firstTokenMs === null && timePerOutputTokenMs === null) return
    const together = this.#togetherMean()
    const sample: SpeedSample = {
      inputRead,
      inputAhead,
      firstTokenMs,
      timePerOutputTokenMs,
      outputTokens,
      together,
      beganAtMs,
    }
    speeds.observe(host, model, sample)
  }

  end(): void {
    this.#at.ended(this)
  }

  #output(nowMs: number, together: number): number {
    const { output } = this.#generated
    if (this.#unseen === null) return output
    const forMs = Math.max(0, nowMs - this.#unseen.sinceMs)
    return Math.max(output, this.#unseen.output + forMs / stepMs(together, this.parts.speed))
  }

  #tellOfCache({ tokens: { input, cachedInput } }: Answered): void {
    const { host, model, owner } = this.parts
    if (cachedInput === null || owner === null) return
    const sentTokens = this.parts.sentTokens * this.#scaleTo(input)
    this.#at.prefixes.told(host, model, { owner, sentTokens, cachedTokens: cachedInput })
  }

  /** By its first token, where its host does not say what it had kept; null where it does, or nothing shows. */
  #judged({ firstTokenMs, tokens: { input, cachedInput } }: Answered): Judgement | null {
    const { host, model, owner, inputAhead } = this.parts
    if (firstTokenMs === null || cachedInput !== null || owner === null) return null
    const inputTokens = input ?? this.parts.inputTokens
    const sentTokens = this.parts.sentTokens * this.#scaleTo(input)
    const judged = this.#at.speeds.judge(host, model, { inputTokens, sentTokens, inputAhead, firstTokenMs })
    const { kept } = judged
    if (kept === null) return judged
    this.#at.prefixes.told(host, model, { owner, sentTokens, cachedTokens: kept === 'all' ? sentTokens : 0 })
    return judged
  }

  /** Where it is not known what the host has read, it is not known how fast. */
  #tellsOfReading({ kept, isSure }: Judgement): boolean {
    return this.parts.sentTokens <= sentShareTold * this.parts.inputTokens || (kept !== null && isSure)
  }

  /** What a host says of its cache is truer than what its first token shows, and both than what was remembered of it. */
  #inputRead({ tokens: { input, cachedInput } }: Answered, judged: Judgement | null): number {
    if (input !== null && cachedInput !== null) return Math.max(0, input - cachedInput)
    if (this.parts.inputTokens === 0) return input ?? this.parts.uncachedTokens
    const kept = judged?.kept ?? null
    const sent =
      kept === null ? this.parts.inputTokens - this.parts.uncachedTokens : kept === 'all' ? this.parts.sentTokens : 0
    return Math.max(1, this.parts.inputTokens - sent) * this.#scaleTo(input)
  }

  /** What is known of a prompt as a share of what was estimated, of which its host knows the true size. */
  #scaleTo(input: number | null): number {
    return input === null || this.parts.inputTokens === 0 ? 1 : input / this.parts.inputTokens
  }

  /** Whole answers do not tell reading and generating apart, but for those that can hardly have read for long. */
  #timePerTokenOfWhole({ wholeMs, outputTokens }: Answered, inputRead: number): number | null {
    if (wholeMs === null || outputTokens < wholeOutputMin) return null
    const readMs = prefillMs(this.parts.inputAhead + inputRead, this.#at.speeds.of(this.parts.host, this.parts.model))
    return readMs <= readShareMax * wholeMs ? (wholeMs - readMs) / outputTokens : null
  }

  #togetherMean(): number {
    const { atMs, togetherMs } = this.#togetherFrom
    const { nowMs, together } = this.#at
    return nowMs > atMs ? (this.#at.togetherMs - togetherMs) / (nowMs - atMs) : together
  }
}
