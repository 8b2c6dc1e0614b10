/**
 * How long requests hold their slot, learned per model from those that did: so much a token of the prompt, so much a
 * generated one among so many others, and what is left of that on the mean.
 */
import { BoundedMap } from '../base/bounded-map.ts'

interface Work {
  readonly input: number
  readonly output: number
  /** Requests at the host on the mean meanwhile, itself included. */
  readonly together: number
}

interface PerToken {
  readonly perInputMs: number
  readonly perOutputMs: number
}

/** Decayed sums of a least-squares fit of held = perInput x input + perOutput x output. */
interface Fit {
  inputs: number
  outputs: number
  both: number
  inputTimes: number
  outputTimes: number
}

const modelsMax = 1_000
/** The first few may have been anything: a cold start, a test of somebody's. */
const countSure = 5
/**
 * Each stream more slows the others down by this part of what one takes alone; of public figures of Apple silicon about the
 * middle. A host that is always full teaches what it takes then; this is for the step from one that was not.
 */
const slowdown = 0.28
/** So much of what was known stays with each request. */
const memory = 0.97
/** So much of the mean of what is left over comes from the newest. */
const restShare = 0.1
/** No request is expected to take more than so many times the mean. */
const meansMax = 5
/** Known before the first: a thousand tokens of prompt and fifty generated ones a second, worth little. */
const prior: PerToken = { perInputMs: 1, perOutputMs: 20 }
const priorTokens = 30

export class HoldTimes {
  readonly #models = new BoundedMap<string, HoldTime>(modelsMax)

  learn(model: string, work: Work, heldMs: number): void {
    const known = this.#models.get(model) ?? new HoldTime()
    known.learn(work, heldMs)
    this.#models.set(model, known)
  }

  /** Undefined while nothing is known of the model. */
  of(model: string): HoldTime | undefined {
    return this.#models.get(model)
  }
}

export class HoldTime {
  readonly #fit: Fit = { inputs: 0, outputs: 0, both: 0, inputTimes: 0, outputTimes: 0 }
  #perToken = prior
  #restMs = 0
  #meanMs = 0
  #count = 0

  /** Whether enough is known to refuse somebody for it. */
  get isSure(): boolean {
    return this.#count >= countSure
  }

  expectedMs(work: Work): number {
    const { perInputMs, perOutputMs } = this.#perToken
    const expectedMs = perInputMs * work.input + perOutputMs * slowed(work) + this.#restMs
    // However large somebody says that a prompt is: most of what is sent may be of no use to a model.
    return Math.min(Math.max(0, expectedMs), meansMax * this.#meanMs)
  }

  learn(work: Work, heldMs: number): void {
    const { input } = work
    const output = slowed(work)
    const fit = this.#fit
    fit.inputs = memory * fit.inputs + input * input
    fit.outputs = memory * fit.outputs + output * output
    fit.both = memory * fit.both + input * output
    fit.inputTimes = memory * fit.inputTimes + input * heldMs
    fit.outputTimes = memory * fit.outputTimes + output * heldMs
    this.#perToken = solved(fit)
    const { perInputMs, perOutputMs } = this.#perToken
    const restMs = heldMs - perInputMs * input - perOutputMs * output
    this.#restMs = this.#count === 0 ? restMs : this.#restMs + restShare * (restMs - this.#restMs)
    this.#meanMs = this.#count === 0 ? heldMs : this.#meanMs + restShare * (heldMs - this.#meanMs)
    this.#count++
  }

  /** So many tokens were generated in this time, as far as can be told. */
  tokensIn(heldMs: number, { input, together }: Omit<Work, 'output'>): number {
    const { perInputMs, perOutputMs } = this.#perToken
    const eachMs = perOutputMs * slowed({ input, output: 1, together })
    return eachMs === 0 ? 0 : Math.max(0, (heldMs - perInputMs * input) / eachMs)
  }
}

/** Generated tokens as if there were no others. */
function slowed({ output, together }: Work): number {
  return output * (1 + slowdown * Math.max(0, together - 1))
}

/** With the prior as one more observation of each kind, so that there always is a solution; no token takes less than no time. */
function solved(fit: Fit): PerToken {
  const evidence = priorTokens * priorTokens
  const a = fit.inputs + evidence
  const d = fit.outputs + evidence
  const x = fit.inputTimes + evidence * prior.perInputMs
  const y = fit.outputTimes + evidence * prior.perOutputMs
  const determinant = a * d - fit.both * fit.both
  const perInputMs = (d * x - fit.both * y) / determinant
  const perOutputMs = (a * y - fit.both * x) / determinant
  if (perInputMs < 0) return { perInputMs: 0, perOutputMs: y / d }
  if (perOutputMs < 0) return { perInputMs: x / a, perOutputMs: 0 }
  return { perInputMs, perOutputMs }
}
