/**
 * W4: one key floods a host of four slots with 300 requests while two people talk, one key sends long requests and an agent
 * works. W8: the same, with estimates that are off by a factor of 2.7 in every third case, and a key with a limit.
 */
import { macOfTheFlood } from '../host-profile.ts'
import type { Lengths } from '../random.ts'
import { type Arrival, endlessMs, hourMs, patient, personal, type Stream, type Workload } from '../workload.ts'
import { type Asking, arrivalOf, arrivalsOf, inOrder, poisson, randomOf } from './arrivals.ts'

interface FloodOptions {
  /** False: the same hour without the 300. */
  readonly flooded?: boolean
  /** Sigma of what the gateway expects of prompts and answers; default: as well as it can. */
  readonly mistake?: number
  /** Adds a key with a limit of tokens per minute that asks for more than that. */
  readonly withLimited?: boolean
}

/** Lengths vary by half around their middle: p95 is 2.3 times the median. */
const around = (p50: number): Lengths => ({ p50, p95: p50 * 2.3 })

const floodAtMs = 60_000
const floodRequests = 300
const agentLoops = 3
const agentPauseMs = 2_000
const limitPerMinute = 6_000

const stream = (name: string, more: Partial<Stream> = {}): Stream => ({
  name,
  key: name,
  class: 'default',
  objective: personal,
  patienceMs: endlessMs,
  ...more,
})

export function flood({ flooded = true, mistake, withLimited = false }: FloodOptions = {}): (seed: number) => Workload {
  return (seed) => {
    const sigmas = mistake === undefined ? {} : { inputSigma: mistake, outputSigma: mistake }
    const asking = (of: Stream, input: number, output: number): Asking => ({
      stream: of,
      input: around(input),
      output: around(output),
      ...sigmas,
    })
    const chat1 = asking(stream('chat1'), 1_000, 250)
    const chat2 = asking(stream('chat2'), 1_000, 250)
    const long = asking(stream('long', { objective: patient }), 6_000, 900)
    const agent = asking(stream('agent', { objective: patient }), 3_000, 300)
    const batch = asking(stream('batch', { objective: { ...patient, firstTokenMs: endlessMs } }), 2_000, 600)
    const limits = { tokensPerMinute: limitPerMinute }
    const limited = asking(stream('limited', { objective: patient, limits, patienceMs: 60_000 }), 400, 100)
    const random = (at: number) => randomOf(seed, at)
    const atRandom = (at: number, of: Asking, perSecond: number): Arrival[] => {
      const own = random(at)
      return arrivalsOf(own, hourMs, of, poisson(own, perSecond))
    }
    const flooding = random(4)
    const loops = random(3)
    const arrivals = [
      ...atRandom(0, chat1, 0.06),
      ...atRandom(1, chat2, 0.04),
      ...atRandom(2, long, 0.004),
      ...Array.from({ length: agentLoops }, () => arrivalOf(loops, loops.exponential(agentPauseMs), agent)),
      ...(flooded ? Array.from({ length: floodRequests }, () => arrivalOf(flooding, floodAtMs, batch)) : []),
      ...(withLimited ? atRandom(5, limited, 0.4) : []),
    ]
    const asked = [chat1, chat2, long, agent, ...(flooded ? [batch] : []), ...(withLimited ? [limited] : [])]
    return {
      hosts: [macOfTheFlood],
      streams: asked.map((one) => one.stream),
      durationMs: hourMs,
      arrivals: inOrder(arrivals),
      next: (ended, nowMs) =>
        ended.stream === agent.stream ? arrivalOf(loops, nowMs + loops.exponential(agentPauseMs), agent) : null,
    }
  }
}
