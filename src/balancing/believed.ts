/** What a host is taken to be like with a model before any answer has told: like others with the model, else like it is with others. */
import { type Learned, type Pace, trust } from './host-speed.ts'

/** How much a mean counts beside the mean of what tells less. */
const assumedWeight = 0.02
const ofHostWeight = 0.05

/** Means of logarithms: speeds differ by times, and the mean of a host and one ten times as fast lies between them. */
class Mean {
  readonly #assumed: number
  #sum = 0
  #weight = assumedWeight

  constructor(assumed: number) {
    this.#assumed = assumed
  }

  add(value: number, weight: number): void {
    this.#sum += Math.log(value / this.#assumed) * weight
    this.#weight += weight
  }

  get value(): number {
    return this.#assumed * Math.exp(this.#sum / this.#weight)
  }
}

export class Believed {
  readonly #read: Mean
  readonly #step: Mean
  #slowdown: number
  #slowdownWeight = assumedWeight

  constructor({ readMsPerToken, stepMs, slowdown }: Pace) {
    this.#read = new Mean(readMsPerToken)
    this.#step = new Mean(stepMs)
    this.#slowdown = slowdown * assumedWeight
  }

  /** Of another host with the model. */
  ofModel(learned: Learned): void {
    this.#add(learned, 1)
  }

  /** Of the host with another model. */
  ofHost(learned: Learned): void {
    this.#add(learned, ofHostWeight)
  }

  pace(): Pace {
    return {
      readMsPerToken: this.#read.value,
      stepMs: this.#step.value,
      slowdown: this.#slowdown / this.#slowdownWeight,
    }
  }

  #add(learned: Learned, weight: number): void {
    const read = weight * trust(learned.readSamples)
    const step = weight * trust(learned.stepSamples)
    if (read > 0) this.#read.add(learned.readMsPerToken, read)
    if (step > 0) this.#step.add(learned.stepMs, step)
    this.#slowdown += step * learned.slowdown
    this.#slowdownWeight += step
  }
}
