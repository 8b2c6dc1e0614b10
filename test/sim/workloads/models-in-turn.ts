/**
 * W6: three models on two machines, each of which holds one at a time and loads what it is asked for: half a minute, now and
 * then a quarter of an hour. The first model is asked for three times as often as the third.
 *
 * Waiting has no end here, so that it shows how long a model's turn is in coming; the same with the patience of the gateway
 * shows how many would not have stayed for it.
 */
import { capacity, m4Max } from '../host-profile.ts'
import { type Lengths, meanOf } from '../random.ts'
import { type Arrival, endlessMs, hourMs, type Models, patient, type Stream, type Workload } from '../workload.ts'
import { arrivalsOf, inOrder, poisson, randomOf } from './arrivals.ts'

const names = ['popular', 'second', 'third']
/** Zipf: of the n-th model one part in n. */
const shares = names.map((_name, at) => 1 / (at + 1))
const input: Lengths = { p50: 1_020, p95: 4_083 }
const output: Lengths = { p50: 129, p95: 451 }
const inputMax = 16_384
const outputMax = 4_096
const load = 0.5
const loads = { medianMs: 24_000, sigma: 0.4, longShare: 0.03, longTimes: 40 }
const evictMs = 1_000

export function modelsInTurn(loadsBy: Models['loadsBy'], patienceMs = endlessMs): (seed: number) => Workload {
  return (seed) => workload(seed, loadsBy, patienceMs)
}

function workload(seed: number, loadsBy: Models['loadsBy'], patienceMs: number): Workload {
  const durationMs = 4 * hourMs
  const hosts = [1, 2].map((at) => ({ ...m4Max, name: `m4-max-${at}` }))
  const perSecond = load * hosts.reduce((sum, host) => sum + capacity(host, meanOf(input), meanOf(output)), 0)
  const inAll = shares.reduce((sum, share) => sum + share, 0)
  const streams = names.map((name): Stream => {
    return { name, key: name, class: 'default', objective: patient, patienceMs }
  })
  const arrivals = streams.flatMap((stream, at) => {
    const random = randomOf(seed, at)
    const gap = poisson(random, (perSecond * shares[at]!) / inAll)
    const ofModel = arrivalsOf(random, durationMs, { stream, input, output, inputMax, outputMax }, gap)
    return ofModel.map((arrival): Arrival => ({ ...arrival, model: stream.name }))
  })
  const models = { names, loadsBy, loadedMax: 1, evictMs, loads }
  return { hosts, streams, durationMs, arrivals: inOrder(arrivals), models }
}
