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
  /** A slow reader stops this long after each piece. */
  readonly readPauseMs: number
  /** Its wish for signs of life while it waits. */
  readonly heartbeat: 'off' | 'comment' | 'chunk'
}

const leaveShare = 0.1
const slowReaderShare = 0.05

export function drawRequest(random: SeededRandom, id: string): RequestPlan {
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
