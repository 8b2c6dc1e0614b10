/** W5: 32 agents of four keys, each of which sends its next request when its last was answered, with a growing context. */
import { m4Max } from '../host-profile.ts'
import type { Lengths } from '../random.ts'
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
const blockTokens = 64
/** What a host keeps: 24 contexts of half of the longest. */
const blocksKept = (24 * (contextMax / 2)) / blockTokens
/** More than a context has. */
const blocksApart = 1_024

export function agents(seed: number): Workload {
  const random = randomOf(seed, 0)
  const streams = agentsOfKeys.map((count): Stream => {
    const name = `agents${count}`
    return { name, key: name, class: 'default', objective: patient, patienceMs: endlessMs, leavesAfterMs: 600_000 }
  })
  const conversations = new WeakMap<Arrival, number>()
  let begun = 0
  const turn = (stream: Stream, atMs: number, context: number, conversation: number): Arrival => {
    const output = random.tokens(answer, answerMax)
    const inputExpected = random.mistaken(context, promptSigma)
    const blocks = blocksOf(conversation, 0, context)
    const answerBlocks = blocksOf(conversation, context, context + output)
    const arrival = { atMs, stream, input: context, output, inputExpected, outputMistake: 1, blocks, answerBlocks }
    conversations.set(arrival, conversation)
    return arrival
  }
  const first = (stream: Stream, atMs: number) => turn(stream, atMs, random.tokens(firstPrompt), begun++)
  const next = (ended: Arrival, nowMs: number): Arrival => {
    const { stream, input, output } = ended
    const conversation = conversations.get(ended)
    const atMs = nowMs + random.exponential(toolMs)
    const context = input + output + random.tokens(toolResult)
    if (context > contextMax || conversation === undefined) return first(stream, atMs)
    return turn(stream, atMs, context, conversation)
  }
  const arrivals = streams
    .flatMap((stream, at) => Array.from({ length: agentsOfKeys[at]! }, () => first(stream, random.exponential(toolMs))))
    .toSorted((a, b) => a.atMs - b.atMs)
  const hosts = [1, 2].map((at) => ({ ...m4Max, name: `m4-max-${at}`, blocksKept }))
  return { hosts, streams, durationMs: hourMs, blockTokens, arrivals, next }
}

/** Those that end after the first and up to the last of these tokens of a context. */
function blocksOf(conversation: number, fromTokens: number, toTokens: number): number[] {
  const [from, to] = [Math.floor(fromTokens / blockTokens), Math.floor(toTokens / blockTokens)]
  return Array.from({ length: to - from }, (_, at) => conversation * blocksApart + from + at)
}
