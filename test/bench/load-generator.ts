/** The clients of the benchmark, a process of its own: sends what it is told to, and counts what really arrived. */
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { benchModel } from './traffic.ts'

/** So many requests, at most `clients` at once; each asks for `tokens`. */
export interface LoadOrder {
  readonly url: string
  /** Null before a gateway that has no keys. */
  readonly key: string | null
  /** Asks to be told how fast each answer was. */
  readonly receipts: boolean
  readonly kind: 'stream' | 'request'
  readonly requests: number
  readonly clients: number
  readonly tokens: number
}

export interface LoadResult {
  readonly requests: number
  /** Tokens in events that arrived; 0 for whole answers. */
  readonly tokens: number
  readonly tookMs: number
  /** What went wrong, by its words; nothing of it may happen in a measurement. */
  readonly failures: Readonly<Record<string, number>>
}

const contentMark = '"content":"'
const prompt = 'A question of the size that people ask. '.repeat(50)
const agent = new Agent({ keepAlive: true })

process.on('message', (order: LoadOrder) => void run(order).then((result) => process.send?.(result)))
process.on('disconnect', () => process.exit(0))

async function run(order: LoadOrder): Promise<LoadResult> {
  const body = JSON.stringify({
    model: benchModel,
    stream: order.kind === 'stream',
    max_tokens: order.tokens,
    messages: [{ role: 'user', content: prompt }],
  })
  const failures: Record<string, number> = {}
  let begun = 0
  let tokens = 0
  const beganMs = performance.now()
  const client = async () => {
    while (begun < order.requests) {
      begun++
      try {
        const delivered = await tokensOfOne(order, body)
        tokens += delivered
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error)
        failures[words] = (failures[words] ?? 0) + 1
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(order.clients, order.requests) }, client))
  return { requests: begun, tokens, tookMs: performance.now() - beganMs, failures }
}

/** Rejects where the answer is not whole, or has fewer tokens than were asked for. */
function tokensOfOne({ url, key, receipts, kind, tokens }: LoadOrder, body: string): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(key === null ? {} : { authorization: `Bearer ${key}` }),
    ...(receipts ? { 'x-lmx-gateway-receipt': '1' } : {}),
  }
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}/v1/chat/completions`, { method: 'POST', headers, agent }, (response) => {
      const expected = kind === 'stream' ? tokens : 0
      tokensIn(response, expected).then(resolve, reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function tokensIn(response: IncomingMessage, expected: number): Promise<number> {
  const count = expected === 0 ? await whole(response) : await countTokens(response)
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`)
  if (count !== expected) throw new Error(`${count} tokens instead of ${expected}`)
  return count
}

function countTokens(response: IncomingMessage): Promise<number> {
  let tokens = 0
  let unfinished = ''
  response.setEncoding('latin1').on('data', (text: string) => {
    const events = (unfinished + text).split('\n\n')
    unfinished = events.pop() ?? ''
    for (const event of events) if (event.includes(contentMark)) tokens++
  })
  return ended(response).then(() => tokens)
}

function whole(response: IncomingMessage): Promise<number> {
  response.resume()
  return ended(response).then(() => 0)
}

function ended(response: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on('error', () => {})
    response.on('close', () => (response.complete ? resolve() : reject(new Error('the answer was cut'))))
  })
}
