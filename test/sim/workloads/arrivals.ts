/** Requests at random: Poisson or in bursts, of lengths as a trace has them. */
import { type Lengths, Random } from '../random.ts'
import type { Arrival, Stream } from '../workload.ts'

/** How well the gateway knows the length of a prompt from its bytes. */
const promptSigma = 0.1

export interface Asking {
  readonly stream: Stream
  readonly input: Lengths
  readonly output: Lengths
  /** The context of the model. */
  readonly inputMax?: number
  readonly outputMax?: number
  /** Of the estimate of the answer, beyond what the gateway's own is off; default 0. */
  readonly outputSigma?: number
  /** Of the estimate of the prompt. */
  readonly inputSigma?: number
}

export function arrivalOf(random: Random, atMs: number, asking: Asking): Arrival {
  const input = random.tokens(asking.input, asking.inputMax)
  return {
    atMs,
    stream: asking.stream,
    input,
    output: random.tokens(asking.output, asking.outputMax),
    inputExpected: random.mistaken(input, asking.inputSigma ?? promptSigma),
    outputMistake: Math.exp((asking.outputSigma ?? 0) * random.normal()),
  }
}

/** Arrivals of one stream from `gapMs` to `gapMs` until the end. */
export function arrivalsOf(random: Random, endMs: number, asking: Asking, gapMs: () => number): Arrival[] {
  const arrivals: Arrival[] = []
  for (let atMs = gapMs(); atMs < endMs; atMs += gapMs()) arrivals.push(arrivalOf(random, atMs, asking))
  return arrivals
}

export function poisson(random: Random, perSecond: number): () => number {
  return () => random.exponential(1000 / perSecond)
}

/** Chance of its own for each stream, so that leaving one out changes nothing of the others. */
export function randomOf(seed: number, stream: number): Random {
  return new Random(seed * 7_919 + stream * 104_729)
}

export function inOrder(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.toSorted((a, b) => a.atMs - b.atMs)
}
