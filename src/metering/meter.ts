/** Counts one answer: live while it passes, corrected by the host's own usage at the end. */
import type { Clock } from '../base/clock.ts'
import { mergeUsage, type ReportedUsage } from '../wire/usage.ts'
import type { PhaseTimes } from './phase-times.ts'
import type { Gaps } from './stream-gaps.ts'
import type { Tally } from './token-tallies.ts'
import type { TokenCounts, TokenSources, UsageSource } from './usage.ts'

export interface Metered {
  readonly tokens: TokenCounts
  readonly sources: TokenSources
  readonly usageSource: UsageSource
  /** Monotonic; null when there was no content. */
  readonly firstContentAtMs: number | null
  /** Mean of the tokens behind the first piece of a stream; null where there is none, or none that tells of its host's speed. */
  readonly timePerOutputTokenMs: number | null
  /** Of a stream that ended before its host was done: the same, with the silence since its last piece. Else null. */
  readonly timePerOutputTokenMsLeast: number | null
}

/** Of a request that never got to a host. */
export const nothingMetered: Metered = {
  tokens: { input: 0, cachedInput: 0, output: 0, reasoning: 0 },
  sources: { input: 'none', cachedInput: 'none', output: 'none' },
  usageSource: 'none',
  firstContentAtMs: null,
  timePerOutputTokenMs: null,
  timePerOutputTokenMsLeast: null,
}

/** What the answer may generate before more must be reserved for it. */
export interface Cover {
  readonly output: number
  /** So many tokens were generated: reserves more, and returns up to where. */
  more(output: number): number
}

/** What the request's share of the hosts is charged for, as it goes. */
export interface Charge {
  /** So many more tokens were generated. */
  generated(tokens: number): void
  /** What it really was so far; the prompt as expected where nothing is known of it. */
  correct(tokens: { readonly input: number | undefined; readonly cachedInput: number; readonly output: number }): void
  /** Nothing came of it. */
  refund(): void
}

/** Of text in an answer, where nothing better is known of it. */
const bytesPerToken = 4

const uncharged: Charge = { generated: () => {}, correct: () => {}, refund: () => {} }

const uncovered: Cover = { output: Number.POSITIVE_INFINITY, more: () => Number.POSITIVE_INFINITY }

export class Meter {
  readonly #clock: Clock
  readonly #tally: Tally
  readonly #phases: PhaseTimes
  readonly #beganAtMs: number
  #endPhase: () => void
  #frames = 0
  /** Of an answer that passes before it is whole, and has no frames. */
  #passedBytes = 0
  #reported: ReportedUsage | null = null
  /** Frames with content before the last report. */
  #framesReported = 0
  #firstContentAtMs: number | null = null
  /** Moved on by the time in which its client took nothing since. */
  #lastContentAtMs = 0
  /** Its pieces are those of one answer, so that they tell how fast that is. */
  readonly #isTimed: boolean
  /** In which they came, from the first on. */
  #timedMs = 0
  /** Since when its client takes nothing; null while it does. */
  #heldSinceMs: number | null = null
  /** The host has made all of it. */
  #isGenerated = false
  /** Since the last content, where it ended before that. */
  #silentMs: number | null = null
  #ended: Metered | null = null
  /** What passes reaches the client as it passes; else all of it at the end, or nothing. */
  readonly #live: boolean
  readonly #stream: boolean
  readonly #gaps: Gaps | null
  readonly #cover: Cover
  readonly #charge: Charge
  #covered: number

  /** Begins at dispatch. A non-streamed answer shows no phases. */
  constructor(options: {
    clock: Clock
    tally: Tally
    phases: PhaseTimes
    stream: boolean
    /** Several answers share the stream, so that its pieces come faster than those of any of them. */
    shared?: boolean
    live?: boolean
    /** Null where nobody wants to know. */
    gaps?: Gaps | null
    cover?: Cover
    charge?: Charge
  }) {
    this.#live = options.live ?? true
    this.#stream = options.stream
    this.#isTimed = options.stream && options.shared !== true
    this.#gaps = options.gaps ?? null
    this.#cover = options.cover ?? uncovered
    this.#covered = this.#cover.output
    this.#charge = options.charge ?? uncharged
    this.#clock = options.clock
    this.#beganAtMs = options.clock.now()
    this.#tally = options.tally
    this.#phases = options.phases
    const { model, host } = options.tally
    this.#endPhase = options.phases.enter(model, host, options.stream ? 'prefill' : 'whole')
  }

  /** A frame with content passes: one token at least. Returns when, monotonic, so that nobody has to look again. */
  content(): number {
    const nowMs = this.#clock.now()
    if (this.#frames++ === 0) this.#begin(nowMs)
    else if (this.#isTimed) this.#time(nowMs - this.#lastContentAtMs)
    this.#lastContentAtMs = nowMs
    if (this.#live) this.#tally.output++
    this.#charge.generated(1)
    this.#stayCovered()
    return nowMs
  }

  #begin(nowMs: number): void {
    this.#firstContentAtMs = nowMs
    this.#endPhase()
    this.#endPhase = this.#phases.enter(this.#tally.model, this.#tally.host, 'decode')
  }

  /** Tokens and their time in the same moment, so that their quotient is a speed whenever it is read. */
  #time(gapMs: number): void {
    this.#timedMs += gapMs
    this.#tally.decoded++
    this.#tally.decodedSeconds += gapMs / 1_000
    this.#gaps?.seen(gapMs)
  }

  /** Its client takes nothing for now, which is no time of its host's. */
  heldUp(): void {
    this.#heldSinceMs = this.#clock.now()
  }

  /** It takes more again: the piece to come is as late as if it had never stopped. */
  readOn(): void {
    if (this.#heldSinceMs === null) return
    this.#lastContentAtMs += this.#clock.now() - Math.max(this.#heldSinceMs, this.#lastContentAtMs)
    this.#heldSinceMs = null
  }

  /** So much of a whole answer went on to the client: counts where its host never comes to tell of its tokens. */
  passed(bytes: number): void {
    this.#passedBytes += bytes
    this.#stayCovered()
  }

  /** Tokens generated so far, as far as they can be seen: one for each frame with content, or by the bytes that passed. */
  get counted(): number {
    return this.#frames + Math.ceil(this.#passedBytes / bytesPerToken)
  }

  #stayCovered(): void {
    const { counted } = this
    if (counted > this.#covered) this.#covered = this.#cover.more(counted)
  }

  /** A frame that is no JSON passes. */
  badFrame(): void {
    this.#tally.badFrames++
  }

  /** The host has made all of it: what follows is no time of its. */
  generated(): void {
    this.#isGenerated = true
    this.#endPhase()
  }

  /** The host reports usage; of several reports the last wins, field by field. */
  report(usage: ReportedUsage | null): void {
    this.#reported = mergeUsage(this.#reported, usage)
    if (believed(usage) === null) return
    this.#framesReported = this.#frames
    // Not only at the end: a slot may be given to the next before the client has taken all.
    const { input, cachedInput = 0, output = 0 } = this.#reported ?? {}
    this.#charge.correct({ input, cachedInput, output: Math.max(output, this.#frames) })
  }

  /** Nothing of it reached the client, so it is nobody's use: another attempt is made, or the answer was kept back. */
  discard(): Metered {
    this.#stop()
    this.#tally.discarded += this.counted
    this.#charge.refund()
    this.#ended = nothingMetered
    return nothingMetered
  }

  /** As far as it can be told by now: when content began, monotonic, and the mean of a token since. */
  get pace(): Pick<Metered, 'firstContentAtMs' | 'timePerOutputTokenMs'> {
    const output = Math.max(this.#reported?.output ?? 0, this.#frames)
    return { firstContentAtMs: this.#firstContentAtMs, timePerOutputTokenMs: this.#timePerToken(output) }
  }

  /**
   * Settles the counters; a counter only grows, so a report below what was seen to pass is recorded but not taken back.
   * `promptEstimate` counts where a prompt was read and the host told nothing of it; 0 where none was.
   */
  end(promptEstimate = 0): Metered {
    if (this.#ended !== null) return this.#ended
    this.#stop()
    if (this.#reported?.rejected === true) this.#tally.usageRejected++
    const metered = this.soFar(promptEstimate)
    const { tokens, sources } = metered
    this.#charge.correct(tokens)
    this.#tally.input += tokens.input
    this.#tally.cachedInput += tokens.cachedInput
    this.#tally.output += Math.max(0, tokens.output - (this.#live ? this.#frames : 0))
    this.#tally.reasoning += tokens.reasoning
    if (this.#stream) this.#settleSpeeds(tokens, sources)
    this.#ended = metered
    return metered
  }

  /** What `end` would settle if it came now. */
  soFar(promptEstimate = 0): Metered {
    if (this.#ended !== null) return this.#ended
    const reported = believed(this.#reported)
    // Anthropic's first event reports no output or one token; a stream that breaks before its last has no other report.
    const framesLeast = this.#frames > this.#framesReported ? this.#frames : 0
    const { counted } = this
    const tokens = tokenCounts(reported, { counted, framesLeast, promptEstimate })
    const sources = sourcesOf(reported, counted, promptEstimate)
    return {
      tokens,
      sources,
      usageSource: reported !== null ? 'reported' : counted > 0 ? 'counted' : sources.input,
      firstContentAtMs: this.#firstContentAtMs,
      timePerOutputTokenMs: this.#timePerToken(tokens.output),
      timePerOutputTokenMsLeast: this.#timePerTokenLeast(tokens.output),
    }
  }

  /** A stream that stands still until somebody ends it stood still all the same. */
  #stop(): void {
    this.#endPhase()
    if (this.#isGenerated || !this.#isTimed || this.#firstContentAtMs === null) return
    this.readOn()
    this.#silentMs = this.#clock.now() - this.#lastContentAtMs
    this.#gaps?.stoodStill(this.#silentMs)
  }

  /** What was counted live is a floor; only what a host itself says it read tells of its prefill. */
  #settleSpeeds({ input, cachedInput, output }: TokenCounts, sources: TokenSources): void {
    if (this.#firstContentAtMs === null) return
    if (this.#isTimed) this.#tally.decoded += Math.max(0, this.#behindFirst(output) - (this.#frames - 1))
    if (sources.input !== 'reported') return
    this.#tally.prefilled += input - cachedInput
    this.#tally.prefilledSeconds += (this.#firstContentAtMs - this.#beganAtMs) / 1_000
  }

  #timePerToken(output: number): number | null {
    if (!this.#isTimed || this.#frames < 2 || output < 2) return null
    return this.#timedMs / this.#behindFirst(output)
  }

  /** One more frame at least would have had to come in the silence. */
  #timePerTokenLeast(output: number): number | null {
    if (this.#silentMs === null || output === 0) return null
    return (this.#timedMs + this.#silentMs) / (this.#behindFirst(output) + output / this.#frames)
  }

  /** Tokens behind the first frame with content; where frames hold several, all are taken to hold as many. */
  #behindFirst(output: number): number {
    return (output * (this.#frames - 1)) / this.#frames
  }
}

/** Null where the host reported nothing that counts. */
function believed(usage: ReportedUsage | null): ReportedUsage | null {
  return usage?.input === undefined && usage?.output === undefined ? null : usage
}

function sourcesOf(reported: ReportedUsage | null, counted: number, promptEstimate: number): TokenSources {
  return {
    input: reported?.input !== undefined ? 'reported' : promptEstimate > 0 ? 'estimated' : 'none',
    cachedInput: reported?.cachedInput !== undefined ? 'reported' : 'none',
    output: reported?.output !== undefined ? 'reported' : counted > 0 ? 'counted' : 'none',
  }
}

/** A part is never more than its whole, whatever a host says. */
function tokenCounts(
  reported: ReportedUsage | null,
  { counted, framesLeast, promptEstimate }: { counted: number; framesLeast: number; promptEstimate: number },
): TokenCounts {
  const input = reported?.input ?? promptEstimate
  const output = Math.max(reported?.output ?? counted, framesLeast)
  return {
    input,
    cachedInput: Math.min(reported?.cachedInput ?? 0, input),
    output,
    reasoning: Math.min(reported?.reasoning ?? 0, output),
  }
}
