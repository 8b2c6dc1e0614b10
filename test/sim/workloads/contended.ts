/**
 * Keys that always have requests waiting, the ones of which are hundreds of times as large as the others', and a person who asks
 * now and then: what several gateways must hand on to each other, wherever each key comes in.
 */
import type { HostProfile } from '../host-profile.ts'
import type { Lengths } from '../random.ts'
import { endlessMs, patient, personal, type Stream, type Workload } from '../workload.ts'
import { type Asking, arrivalOf, arrivalsOf, inOrder, poisson, randomOf } from './arrivals.ts'

/** Its requests end many times in a beat, so that what gateways tell each other is always late. */
const batching: HostProfile = {
  name: 'batching',
  slots: 8,
  prefillTokensPerSecond: 20_000,
  decodeTokensPerSecond: 80,
  slowdown: 0.05,
  decodeShareDuringPrefill: 0.8,
}

const around = (p50: number): Lengths => ({ p50, p95: p50 * 1.6 })
const tenMinutesMs = 600_000

/** By key: tokens of prompts and answers, and how many of its clients ask again as soon as they were answered. */
const floods = [
  { input: 6_000, output: 300, clients: 20 },
  { input: 40, output: 8, clients: 40 },
  { input: 1_500, output: 100, clients: 20 },
  { input: 200, output: 20, clients: 40 },
]

export const contended =
  (durationMs = tenMinutesMs) =>
  (seed: number): Workload => {
    const asking = floods.map(({ input, output }, at): Asking => {
      const name = `flood${at + 1}`
      const stream: Stream = { name, key: name, class: 'default', objective: patient, patienceMs: endlessMs }
      return { stream, input: around(input), output: around(output) }
    })
    const person: Stream = {
      name: 'person',
      key: 'person',
      class: 'default',
      objective: personal,
      patienceMs: endlessMs,
    }
    const asked: Asking = { stream: person, input: around(300), output: around(40) }
    const randoms = floods.map((_flood, at) => randomOf(seed, at))
    const own = randomOf(seed, floods.length)
    const first = asking.flatMap((of, at) =>
      Array.from({ length: floods[at]?.clients ?? 0 }, () => arrivalOf(randoms[at] ?? own, 0, of)),
    )
    return {
      hosts: [batching],
      streams: [...asking.map(({ stream }) => stream), person],
      durationMs,
      arrivals: inOrder([...first, ...arrivalsOf(own, durationMs, asked, poisson(own, 0.3))]),
      next: ({ stream }, nowMs) => {
        const at = asking.findIndex((of) => of.stream === stream)
        const [of, random] = [asking[at], randoms[at]]
        return of === undefined || random === undefined ? null : arrivalOf(random, nowMs, of)
      },
    }
  }
