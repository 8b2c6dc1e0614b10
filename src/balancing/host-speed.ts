/** How fast one host is with one model, as far as its answers have told by now. */
import { LearnedLine } from './learned-line.ts'
import { assumedSpeed, type Speed } from './speed.ts'

/** What one answer that went well tells. */
export interface SpeedSample {
  /** Of its prompt, the tokens that the host had to read, and of others those that it had to read before. */
  readonly inputRead: number
  readonly inputAhead: number
  /** From when it was sent until its first token; null where that tells nothing, since the model was loaded meanwhile. */
  readonly firstTokenMs: number | null
  /** Mean time per output token after the first; null where there are too few, or its client held it up. */
  readonly timePerOutputTokenMs: number | null
  readonly outputTokens: number
  /** Answers that the host generated meanwhile, this one included; the mean over its time. */
  readonly together: number
  /** Monotonic. */
  readonly beganAtMs: number
}

/** A speed by the times that follow from it. */
export interface Pace {
  readonly readMsPerToken: number
  /** Of one token of an answer alone. */
  readonly stepMs: number
  readonly slowdown: number
}

export interface Learned extends Pace {
  /** Until the first token, however short the prompt. */
  readonly fixedMs: number
  /** Answers behind the first and behind the other two, the older the less. */
  readonly readSamples: number
  readonly stepSamples: number
}

export const assumedPace: Pace = {
  readMsPerToken: 1_000 / assumedSpeed.prefillTokensPerSecond,
  stepMs: 1_000 / assumedSpeed.decodeTokensPerSecond,
  slowdown: assumedSpeed.slowdown,
}

/** What is known counts half after so long, so that a host that once was slow is tried again. */
export const halfLifeMs = 30 * 60_000
/** What was believed before counts as so many answers at first. */
const priorSamples = 5
/** How far answers of one host differ by chance, of their time. */
const noise = 0.3
const fixedMsAssumed = 100
const fixedMsSpread = 200
/** What stands between a prompt and its first token is as long as reading so many tokens takes, about. */
const fixedTokens = 200
/** Until answers have run beside so different numbers of others, what each of these costs is taken from what was believed. */
const togetherSpread = 0.5
/**
 * On a host that is always full the numbers must differ by more, of their mean: there steps are longer for prompts that are
 * read in between too, the more of them the more answers there are. Carried on to an answer alone that would make a host
 * look several times faster than it is. Many such answers know it no better, so this doubt does not end with their number.
 */
const togetherSpreadOfMean = 0.35
const doubtMax = 10
/** Answers of fewer tokens tell less of the time of one. */
const tokensOfHalfASample = 16

const readMsRange: Range = { least: 0.001, most: 1_000 }
const stepMsRange: Range = { least: 0.01, most: 10_000 }
/** At 1 answers together take as long as one after the other would. */
const slowdownRange: Range = { least: 0, most: 1 }
const fixedMsRange: Range = { least: 0, most: 10_000 }

interface Range {
  readonly least: number
  readonly most: number
}

interface Observed {
  readonly known: Learned
  readonly prior: Pace
  readonly nowMs: number
}

export class HostSpeed {
  readonly #read = new LearnedLine()
  readonly #step = new LearnedLine()
  #fadedAtMs: number

  constructor(nowMs: number) {
    this.#fadedAtMs = nowMs
  }

  /** `prior`: what was believed of it without any answer. */
  observe(sample: SpeedSample, nowMs: number, prior: Pace): void {
    const { firstTokenMs, timePerOutputTokenMs } = sample
    const known = this.learned(nowMs, prior)
    if (firstTokenMs !== null) this.#observeRead(sample, firstTokenMs, { known, prior, nowMs })
    if (timePerOutputTokenMs !== null) this.#observeStep(sample, timePerOutputTokenMs, { known, prior, nowMs })
  }

  #observeStep({ together, outputTokens, beganAtMs }: SpeedSample, y: number, { known, prior, nowMs }: Observed): void {
    if (!isPositive(y) || !isPositive(outputTokens) || !(isPositive(together) && together >= 1)) return
    const x = together - 1
    const { stepMs, slowdown } = paceOf(known, prior)
    const expected = stepMs * (1 + slowdown * x)
    const share = outputTokens / (outputTokens + tokensOfHalfASample)
    const scale = 1 + assumedPace.slowdown * x
    this.#step.add({ x, y, expected, scale, share, tells: 1, beganAtMs, nowMs })
  }

  #observeRead({ inputRead, inputAhead, beganAtMs }: SpeedSample, y: number, { known, prior, nowMs }: Observed): void {
    const x = inputRead + inputAhead
    if (!isPositive(y) || !isPositive(x)) return
    const readMs = x * paceOf(known, prior).readMsPerToken
    const expected = known.fixedMs + readMs
    // Not every host reads one prompt after the other: what only its own one explains tells more.
    const share = Math.max(0.25, inputRead / x)
    // What stands between a short prompt and its first token is not reading.
    const tells = (readMs / expected) ** 2
    this.#read.add({ x, y, expected, scale: fixedTokens + x, share, tells, beganAtMs, nowMs })
  }

  learned(nowMs: number, prior: Pace): Learned {
    this.#fadeTo(nowMs)
    return { ...this.#learnedRead(prior), ...this.#learnedStep(prior) }
  }

  #learnedRead({ readMsPerToken: believed }: Pace): Pick<Learned, 'fixedMs' | 'readMsPerToken' | 'readSamples'> {
    const aa = (noise * (believed / fixedMsSpread)) ** 2
    const bb = noise ** 2
    const { start, slope } = this.#read.fit({ aa, ab: 0, bb, a: aa * fixedMsAssumed, b: bb * believed })
    const fixedMs = within(fixedMsRange, start)
    const read = start === fixedMs ? slope : this.#read.slopeFrom(fixedMs)
    return { fixedMs, readMsPerToken: within(readMsRange, read), readSamples: this.#read.samples }
  }

  #learnedStep({ slowdown: believed, stepMs }: Pace): Pick<Learned, 'stepMs' | 'slowdown' | 'stepSamples'> {
    const { samples, meanWeight, mean, variance } = this.#step
    if (!(meanWeight > 0)) return { stepMs, slowdown: believed, stepSamples: 0 }
    const enough = (togetherSpreadOfMean * mean) ** 2
    const doubt = variance > 0 ? Math.min(doubtMax, enough / variance) : doubtMax
    // Draws the slope to so much of the beginning as was believed.
    const pull = (priorSamples * togetherSpread ** 2 + samples * enough * doubt) * meanWeight
    const fit = this.#step.fit({ aa: pull * believed ** 2, ab: -pull * believed, bb: pull, a: 0, b: 0 })
    const slowdown = fit.start > 0 ? within(slowdownRange, fit.slope / fit.start) : slowdownRange.most
    return { stepMs: within(stepMsRange, this.#step.startWith(slowdown)), slowdown, stepSamples: samples }
  }

  #fadeTo(nowMs: number): void {
    const forMs = nowMs - this.#fadedAtMs
    if (!(forMs > 0)) return
    const to = 2 ** (-forMs / halfLifeMs)
    this.#read.fade(to)
    this.#step.fade(to)
    this.#fadedAtMs = nowMs
  }
}

/** What was learned, as far as there is enough of it. */
export function paceOf(learned: Learned, prior: Pace): Pace {
  const { readSamples, stepSamples, slowdown } = learned
  return {
    readMsPerToken: between(prior.readMsPerToken, learned.readMsPerToken, trust(readSamples)),
    stepMs: between(prior.stepMs, learned.stepMs, trust(stepSamples)),
    slowdown,
  }
}

export function speedOf(pace: Pace, samples: number): Speed {
  return {
    prefillTokensPerSecond: 1_000 / pace.readMsPerToken,
    decodeTokensPerSecond: 1_000 / pace.stepMs,
    slowdown: pace.slowdown,
    samples,
  }
}

/** From 0 to 1. After some answers what was believed counts no more, since many of another opinion would not move it. */
export function trust(samples: number): number {
  return samples > 0 ? samples / (samples + priorSamples * 2 ** (-samples / priorSamples)) : 0
}

/** Speeds differ by times. */
function between(prior: number, learned: number, trusted: number): number {
  if (trusted === 0) return prior
  return Math.exp((1 - trusted) * Math.log(prior) + trusted * Math.log(learned))
}

function isPositive(value: number): boolean {
  return value > 0 && value < Number.POSITIVE_INFINITY
}

function within({ least, most }: Range, value: number): number {
  return Math.min(Math.max(value, least), most)
}
