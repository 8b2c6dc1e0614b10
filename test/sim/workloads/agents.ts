/** W5: 32 agents of four keys, each of which sends its next request when its last was answered, with a growing context. */
import { m4Max } from '../host-profile.ts'
import type { Lengths, Random } from '../random.ts'
import { type Arrival, endlessMs, hourMs, patient, type Stream, type Workload } from '../workload.ts'
import { randomOf } from './arrivals.ts'

/** How many agents the keys run. */
const agentsOfKeys = [1, 3, 8, 20]
const firstPrompt: Lengths = { p50: 2_000, p95: 6_000 }
/** What a tool gives back, added to the context with the answer. */
const toolResult: Lengths = { p50: 500, p95: 3_000 }
const answer: Lengths = { p50: 150, p95: 600 }
const answerMax = 4_096
const toolMs = 2_000
/** It begins anew with a context longer than this. */
const contextMax = 32_000
const promptSigma = 0.1

export function agents(seed: number): Workload {
  const random = randomOf(seed, 0)
  const streams = agentsOfKeys.map((count): Stream => {
    const name = `agents${count}`
    return { name, key: name, class: 'default', objective: patient, patienceMs: endlessMs, leavesAfterMs: 600_000 }
  })
  let conversations = 0
  const first = (stream: Stream, atMs: number) =>
    turn(random, stream, atMs, { context: random.tokens(firstPrompt), shared: 0, conversation: conversations++ })
  const next = ({ stream, input, output, conversation }: Arrival, nowMs: number): Arrival => {
    const atMs = nowMs + random.exponential(toolMs)
    const context = input + output + random.tokens(toolResult)
    if (context > contextMax || conversation === null) return first(stream, atMs)
    return turn(random, stream, atMs, { context, shared: input + output, conversation })
  }
  const arrivals = streams
    .flatMap((stream, at) => Array.from({ length: agentsOfKeys[at]! }, () => first(stream, random.exponential(toolMs))))
    .toSorted((a, b) => a.atMs - b.atMs)
  const hosts = [1, 2].map((at) => ({ ...m4Max, name: `m4-max-${at}`, prefixesKept: 24 }))
  return { hosts, streams, durationMs: hourMs, arrivals, next }
}

interface Turn {
  readonly context: number
  readonly shared: number
  readonly conversation: number
}

function turn(random: Random, stream: Stream, atMs: number, { context, shared, conversation }: Turn): Arrival {
  return {
    atMs,
    stream,
    input: context,
    output: random.tokens(answer, answerMax),
    inputExpected: random.mistaken(context, promptSigma),
    outputMistake: 1,
    shared,
    conversation,
  }
}
