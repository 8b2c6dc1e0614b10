/**
 * W3: conversations before three unequal Macs, made after Mooncake's conversation trace (FAST'25): prompts and answers as
 * long as there, of which an ideal cache would have to read as much, in blocks of 512 tokens of the trace.
 *
 * All begin with the same system prompt of one block. Every third request or so has a further turn, which brings the whole
 * conversation and something new. Turns come whether or not the one before was answered, as in a trace. Prompts are divided
 * by a number that makes them those of a chat or of an agent; answers are as they are.
 */
import { type HostProfile, unequalMacs } from '../host-profile.ts'
import type { Lengths, Random } from '../random.ts'
import { type Arrival, endlessMs, personal, type Stream, type Workload } from '../workload.ts'
import { inOrder, randomOf } from './arrivals.ts'

export interface SharedBeginnings {
  /** What prompts are divided by. */
  readonly scale: number
  readonly perSecond: number
  /** Blocks that each host keeps. */
  readonly blocksKept: number
  readonly requests?: number
  /** Default: the three that are unequal. */
  readonly hosts?: readonly HostProfile[]
}

/** In tokens of the trace. Its prompts are p50 6,909, p95 39,550, its answers 350 and 698; 37 % of all prompts were there before. */
const firstPrompt: Lengths = { p50: 5_000, p95: 36_000 }
const message: Lengths = { p50: 1_000, p95: 10_000 }
const answer: Lengths = { p50: 300, p95: 700 }
const contextMax = 126_000
const answerMax = 2_000
const systemTokens = 512
const blockOfTrace = 512
const furtherTurn = 0.35
/** Between two turns of a conversation. */
const pauseMs: Lengths = { p50: 60_000, p95: 360_000 }
const promptSigma = 0.1
const requestsInAll = 5_000
/** So long before the first request conversations begin, so that it is one hour like any other. */
const beforehandMs = 1_200_000
/** After the last request, so that it can be answered. */
const afterwardsMs = 120_000

export const chatLike: SharedBeginnings = { scale: 8, perSecond: 0.66, blocksKept: 6_000 }
export const hotter: SharedBeginnings = { scale: 8, perSecond: 0.78, blocksKept: 6_000 }
export const agentLike: SharedBeginnings = { scale: 3, perSecond: 0.38, blocksKept: 4_000 }
export const agentLikeHotter: SharedBeginnings = { ...agentLike, perSecond: 0.46 }

export function sharedBeginnings(asked: SharedBeginnings): (seed: number) => Workload {
  const { scale, blocksKept, requests = requestsInAll } = asked
  return (seed) => {
    const stream: Stream = { name: 'chat', key: 'house', class: 'default', objective: personal, patienceMs: endlessMs }
    const all = conversations(randomOf(seed, 0), stream, asked).filter(({ atMs }) => atMs >= 0)
    const arrivals = inOrder(all).slice(0, requests)
    const hosts = (asked.hosts ?? unequalMacs).map((mac) => ({ ...mac, blocksKept }))
    const durationMs = (arrivals.at(-1)?.atMs ?? 0) + afterwardsMs
    return { hosts, streams: [stream], durationMs, blockTokens: blockOfTrace / scale, arrivals }
  }
}

/** More than are asked for, some of them before the beginning. */
function conversations(random: Random, stream: Stream, asked: SharedBeginnings): Arrival[] {
  const { scale, perSecond, requests = requestsInAll } = asked
  const gapMs = 1000 / (perSecond * (1 - furtherTurn))
  const endMs = (1.2 * 1000 * requests) / perSecond
  const arrivals: Arrival[] = []
  // The first block is that of the system.
  let lastBlock = 0
  const block = (): number => ++lastBlock
  for (let beginsMs = -beforehandMs; beginsMs < endMs; beginsMs += random.exponential(gapMs)) {
    let atMs = beginsMs
    let context = systemTokens + random.tokens(firstPrompt)
    let blocks: readonly number[] = [0]
    for (;;) {
      context = Math.min(context, contextMax)
      const known = blocks
      blocks = Array.from({ length: Math.floor(context / blockOfTrace) }, (_, at) => known[at] ?? block())
      const output = random.tokens(answer, answerMax)
      const input = Math.max(1, Math.round(context / scale))
      const inputExpected = random.mistaken(input, promptSigma)
      arrivals.push({ atMs, stream, input, output, inputExpected, outputMistake: 1, blocks, commonBlocks: 1 })
      if (random.next() >= furtherTurn) break
      context += output + random.tokens(message)
      atMs += random.tokens(pauseMs)
    }
  }
  return arrivals
}
