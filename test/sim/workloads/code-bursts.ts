/** W2: code completion, with the lengths and the bursts of the Azure code trace: long prompts, short answers, all at once. */
import { capacity, m2Ultra, m4Max } from '../host-profile.ts'
import { type Lengths, meanOf } from '../random.ts'
import { endlessMs, hourMs, personal, type Stream, type Workload } from '../workload.ts'
import { arrivalsOf, inOrder, randomOf } from './arrivals.ts'

const input: Lengths = { p50: 1_469, p95: 7_303 }
const output: Lengths = { p50: 13, p95: 90 }
const inputMax = 16_384
const outputMax = 1_024
const gapVariation = 13
const load = 0.5
const keys = 4

export function codeBursts(seed: number): Workload {
  const hosts = [m4Max, m2Ultra]
  const perSecond = load * hosts.reduce((sum, host) => sum + capacity(host, meanOf(input), meanOf(output)), 0)
  const streams = Array.from({ length: keys }, (_, at): Stream => {
    return { name: 'code', key: `editor${at + 1}`, class: 'interactive', objective: personal, patienceMs: endlessMs }
  })
  const arrivals = streams.flatMap((stream, at) => {
    const random = randomOf(seed, at)
    const gap = () => random.burstyGap((1000 * keys) / perSecond, gapVariation)
    return arrivalsOf(random, hourMs, { stream, input, output, inputMax, outputMax }, gap)
  })
  return { hosts, streams, durationMs: hourMs, arrivals: inOrder(arrivals) }
}
