/** What one request of the soak asks for, and how its client behaves: drawn from the seed before anything runs. */
import { defaultModel } from '../kit/lmx-double/options.ts'
import type { SeededRandom } from './seeded-random.ts'

export type EndpointPath = '/v1/chat/completions' | '/v1/completions' | '/v1/messages' | '/v1/embeddings'

/** When a client leaves: after a time (in the line, or while nothing came yet), after so many frames, or with the last ones. */
export type Leave = { readonly afterMs: number } | { readonly afterFrames: number } | { readonly atFinish: true }

export interface RequestPlan {
  readonly id: string
  readonly path: EndpointPath
  readonly stream: boolean
  readonly body: string
  readonly leave: Leave | null
  /** Its answer is about as much as the system and the gateway hold for a client that does not read, or far more. */
  readonly flood: 'none' | 'brim' | 'over'
  /** Reads nothing until the gateway has given it up. */
  readonly readsLate: boolean
  /** A slow reader stops this long after each piece. */
  readonly readPauseMs: number
  /** Its wish for signs of life while it waits. */
  readonly heartbeat: 'off' | 'comment' | 'chunk'
}

const leaveShare = 0.1
const slowReaderShare = 0.05

/** Of so many requests, one floods a client that does not read and one a client that reads slowly: so each run has some. */
const floodEvery = 25
/** Marks the prompts that are answered with a flood. */
export const floodWord = 'flood'
const floodBytes = 16_777_216
/** Around what the system takes for a client that does not read: what is left then is the end of the answer. */
const brimBytes = [3_500_000, 4_500_000] as const
/** What a slow reader takes at once. */
const pieceBytes = 65_536

export interface Flood {
  /** One for each token. */
  readonly words: readonly string[]
  /** So few of them, and so many, come to the brim. */
  readonly brim: readonly [number, number]
  /** So that it is read much more slowly than it is made. */
  readonly readPauseMs: number
}

/** Words so long that even a slow model floods. */
export function floodAt(tokensPerSecond: number): Flood {
  const wordBytes = Math.min(524_288, Math.floor(10_485_760 / tokensPerSecond))
  const words = Array.from({ length: Math.ceil(floodBytes / wordBytes) }, () => `${'x'.repeat(wordBytes - 1)} `)
  return {
    words,
    brim: [Math.floor(brimBytes[0] / wordBytes), Math.ceil(brimBytes[1] / wordBytes)],
    readPauseMs: Math.ceil((3_500 * pieceBytes) / (wordBytes * tokensPerSecond)),
  }
}

export function drawRequest(random: SeededRandom, number: number, flood: Flood): RequestPlan {
  const id = `soak-${number}`
  const at = number % floodEvery
  return at === 8 || at === 20 ? drawFlood(random, { id, readsLate: at === 8, flood }) : drawOrdinary(random, id)
}

interface FloodAsked {
  readonly id: string
  readonly readsLate: boolean
  readonly flood: Flood
}

function drawFlood(random: SeededRandom, { id, readsLate, flood }: FloodAsked): RequestPlan {
  const path = random.of<EndpointPath>(['/v1/chat/completions', '/v1/completions', '/v1/messages'])
  const brim = readsLate && random.chance(0.5)
  const tokens = brim ? random.between(...flood.brim) : flood.words.length
  const asked = { text: `${floodWord} ${id}`, tokens, stream: true, usage: random.chance(0.5) }
  return {
    id,
    path,
    stream: true,
    body: JSON.stringify(bodyFor(path, asked)),
    leave: null,
    flood: brim ? 'brim' : 'over',
    readsLate,
    readPauseMs: readsLate ? 0 : flood.readPauseMs,
    heartbeat: random.of(['off', 'comment', 'chunk']),
  }
}

function drawOrdinary(random: SeededRandom, id: string): RequestPlan {
  const path = drawPath(random)
  const stream = path !== '/v1/embeddings' && random.chance(0.75)
  const tokens = random.chance(0.1) ? random.between(60, 120) : random.between(1, 40)
  const text = `Request ${id}: ${'tell me more '.repeat(random.between(1, 60))}`
  return {
    id,
    path,
    stream,
    body: JSON.stringify(bodyFor(path, { text, tokens, stream, usage: random.chance(0.5) })),
    leave: random.chance(leaveShare) ? drawLeave(random, tokens) : null,
    flood: 'none',
    readsLate: false,
    readPauseMs: random.chance(slowReaderShare) ? random.between(50, 400) : 0,
    heartbeat: random.of(['off', 'comment', 'chunk']),
  }
}

function drawPath(random: SeededRandom): EndpointPath {
  const at = random.next()
  if (at < 0.6) return '/v1/chat/completions'
  if (at < 0.75) return '/v1/completions'
  return at < 0.9 ? '/v1/messages' : '/v1/embeddings'
}

function drawLeave(random: SeededRandom, tokens: number): Leave {
  const at = random.next()
  if (at < 0.5) return { afterMs: random.between(0, at < 0.25 ? 60 : 1_500) }
  return at < 0.85 ? { afterFrames: random.between(1, tokens) } : { atFinish: true }
}

interface Asked {
  readonly text: string
  readonly tokens: number
  readonly stream: boolean
  readonly usage: boolean
}

function bodyFor(path: EndpointPath, { text, tokens, stream, usage }: Asked): object {
  const messages = [{ role: 'user', content: text }]
  const model = defaultModel
  switch (path) {
    case '/v1/embeddings':
      return { model, input: text }
    case '/v1/completions':
      return { model, prompt: text, stream, max_tokens: tokens }
    case '/v1/messages':
      return { model, messages, stream, max_tokens: tokens }
    default:
      return {
        model,
        messages,
        stream,
        max_tokens: tokens,
        ...(stream && usage ? { stream_options: { include_usage: true } } : {}),
      }
  }
}
