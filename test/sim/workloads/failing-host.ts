/**
 * W7: W3 with the fastest of the three Macs gone, or three times as slow, from the tenth to the twentieth minute. The other
 * two can do what is asked, and no more. Requests are judged by when they came: before, meanwhile, or afterwards.
 */
import type { Arrival, Fault, Stream, Workload } from '../workload.ts'
import { chatLike, sharedBeginnings } from './shared-beginnings.ts'

const fromMs = 600_000
const forMs = 600_000
/** Until what has piled up may have been worked off. */
const recoversMs = 120_000
const perSecond = 0.4
const untilMs = 2_400_000
const requests = Math.round((untilMs / 1000) * perSecond)

export function failingHost(fault: Pick<Fault, 'slower'>): (seed: number) => Workload {
  const make = sharedBeginnings({ ...chatLike, perSecond, requests })
  return (seed) => {
    const { streams: all, arrivals, ...workload } = make(seed)
    const streams = all.flatMap((stream) => phases.map((name): Stream => ({ ...stream, name })))
    const dealt = arrivals.map((arrival): Arrival => ({ ...arrival, stream: streams[phaseAt(arrival.atMs)]! }))
    const faults = [{ host: workload.hosts[0]!.name, atMs: fromMs, forMs, ...fault }]
    return { ...workload, streams, arrivals: dealt, faults }
  }
}

const phases = ['before', 'meanwhile', 'recovery', 'afterwards'] as const

function phaseAt(atMs: number): number {
  return [fromMs, fromMs + forMs, fromMs + forMs + recoversMs].filter((beginsMs) => atMs >= beginsMs).length
}
