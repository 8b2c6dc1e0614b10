/** W1: people who talk to a model, with the lengths of the Azure conversation trace, at a part of what the hosts can do. */
import { capacity, m2Ultra, m4Max } from '../host-profile.ts'
import { type Lengths, meanOf } from '../random.ts'
import { endlessMs, hourMs, personal, type Stream, type Workload } from '../workload.ts'
import { arrivalsOf, inOrder, poisson, randomOf } from './arrivals.ts'

const input: Lengths = { p50: 1_020, p95: 4_083 }
const output: Lengths = { p50: 129, p95: 451 }
const inputMax = 16_384
const outputMax = 4_096

/** Eight keys; the busiest sends eight times as much as the least busy one. */
const shares = [8, 6, 4, 3, 2, 2, 1, 1]

export function conversations(load: number, durationMs = hourMs): (seed: number) => Workload {
  return (seed) => {
    const hosts = [m4Max, m2Ultra]
    const perSecond = load * hosts.reduce((sum, host) => sum + capacity(host, meanOf(input), meanOf(output)), 0)
    const sharesInAll = shares.reduce((sum, share) => sum + share, 0)
    const streams = shares.map((_share, at): Stream => {
      return { name: 'chat', key: `key${at + 1}`, class: 'default', objective: personal, patienceMs: endlessMs }
    })
    const arrivals = streams.flatMap((stream, at) => {
      const random = randomOf(seed, at)
      const gap = poisson(random, (perSecond * shares[at]!) / sharesInAll)
      return arrivalsOf(random, durationMs, { stream, input, output, inputMax, outputMax }, gap)
    })
    return { hosts, streams, durationMs, arrivals: inOrder(arrivals) }
  }
}
