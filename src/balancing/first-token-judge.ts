/**
 * Judges by first tokens whether a host has kept what it was sent before, where its answers do not say: LMX never does.
 *
 * Two beliefs are held against each other. By the one it had to read what is new in a prompt, by the other all of it; each
 * foretells the time until the first token, and the one that is further off loses. How fast the host reads is learned from
 * prompts of which it had read nothing, where both agree. Each belief may bend that by no more than half the way to what
 * would bear it out: a host without a cache looks like one that has kept everything and is slow, as long as prompts are
 * equally long.
 */
import type { Clock } from '../base/clock.ts'

/** What an answer tells that does not say how much of its prompt was kept. */
export interface UntoldFirstToken {
  /** Of its prompt; and of that, what the host was sent before. */
  readonly inputTokens: number
  readonly sentTokens: number
  /** Of others, what the host had to read before it. */
  readonly inputAhead: number
  readonly firstTokenMs: number
  /** Of the host with the model, as far as it is learned or assumed otherwise. */
  readonly prefillTokensPerSecond: number
}

export interface Judgement {
  /** What of that the host had kept; null where both beliefs foretell the same, or neither what came. */
  readonly kept: 'all' | 'nothing' | null
  /** Enough was told before that speeds may be learned by it. */
  readonly isSure: boolean
}

/** What stands between a prompt and its first token is as long as reading so many tokens takes, about. */
const fixedTokens = 200
/** In so long half of what was learned is forgotten. */
const halvesMs = 30 * 60_000
/** What was believed beforehand counts as so many prompts that were read whole. */
const priorWeight = 0.5
/** With so many of them the host is known; the older ones make way. */
const wholeMax = 10
/** Less of a prompt than so is new, or it tells nothing: the share by which both beliefs differ, as a logarithm. */
const contrastMin = Math.log(2)
/** A prompt of which so little was sent before is read whole. */
const wholeSentShareMax = 0.1
/** Differences smaller than so are chance. */
const surerBy = 0.35
/** Where both are further off, something else held the answer up. */
const oddFrom = Math.log(4)
/** Of what a belief would like to be known, the part that one answer adds. */
const bentBy = 0.2
/** So many answers must have told before speeds are learned by them. */
const judgedMin = 3

/** A mean of logarithms of ms per token, the older the less. */
class Pace {
  #sum = 0
  weight = 0

  add(value: number, weight: number, weightMax: number): void {
    if (this.weight + weight > weightMax) this.fade(Math.max(0, weightMax - weight) / this.weight)
    this.#sum += value * weight
    this.weight += weight
  }

  fade(to: number): void {
    this.#sum *= to
    this.weight *= to
  }

  /** With what is believed beforehand. */
  with(value: number, weight: number): number {
    return (this.#sum + value * weight) / (this.weight + weight)
  }
}

export class FirstTokenJudge {
  readonly #clock: Clock
  readonly #whole = new Pace()
  /** Of each belief, what would have borne it out. */
  readonly #ifKept = new Pace()
  readonly #ifLost = new Pace()
  #judged = 0
  #fadedAtMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#fadedAtMs = clock.now()
  }

  judge(told: UntoldFirstToken): Judgement {
    const kept = this.#keptBy(told)
    if (kept !== null) this.#judged++
    return { kept, isSure: this.#judged >= judgedMin }
  }

  #keptBy(told: UntoldFirstToken): Judgement['kept'] {
    const { inputTokens, inputAhead, sentTokens, firstTokenMs, prefillTokensPerSecond } = told
    if (!(firstTokenMs > 0) || !(inputTokens > 0) || !(prefillTokensPerSecond > 0)) return null
    this.#fade()
    const all = Math.log(inputAhead + inputTokens + fixedTokens)
    const anew = Math.log(inputAhead + Math.max(1, inputTokens - sentTokens) + fixedTokens)
    const took = Math.log(firstTokenMs)
    const prior = Math.log(1_000 / prefillTokensPerSecond)
    if (sentTokens <= wholeSentShareMax * inputTokens) {
      // What stands before a short one is not reading.
      const tells = (inputTokens / (inputTokens + fixedTokens)) ** 2
      this.#whole.add(took - all, tells, wholeMax)
      return null
    }
    if (all - anew < contrastMin) return null
    return this.#judgeBy({ took, all, anew }, this.#whole.with(prior, priorWeight))
  }

  /** `known`: the logarithm of ms per token, by prompts that were read whole. */
  #judgeBy({ took, all, anew }: { took: number; all: number; anew: number }, known: number): Judgement['kept'] {
    const weight = this.#whole.weight + priorWeight
    const keptOff = Math.abs(took - anew - this.#ifKept.with(known, weight))
    const lostOff = Math.abs(took - all - this.#ifLost.with(known, weight))
    // No more than half the way: all of what it would like counts as much as what is known.
    this.#ifKept.add(took - anew, weight * bentBy, weight)
    this.#ifLost.add(took - all, weight * bentBy, weight)
    if (Math.min(keptOff, lostOff) > oddFrom || Math.abs(keptOff - lostOff) < surerBy) return null
    return keptOff < lostOff ? 'all' : 'nothing'
  }

  #fade(): void {
    const nowMs = this.#clock.now()
    const to = 2 ** (-Math.max(0, nowMs - this.#fadedAtMs) / halvesMs)
    for (const pace of [this.#whole, this.#ifKept, this.#ifLost]) pace.fade(to)
    this.#fadedAtMs = nowMs
  }
}
