/** Clients that keep a gateway busy with all sorts of requests, and note what they saw of each. */
import { setTimeout as pause } from 'node:timers/promises'
import { isStream, type KnownRequest, type RequestKind, unixMs } from './known-request.ts'
import { inventedMark, nuisances } from './nuisances.ts'

export interface LoadPlan {
  /** http://127.0.0.1:port of the gateway. */
  readonly url: string
  readonly keys: readonly { readonly name: string; readonly key: string }[]
  /** Of each model so many requests at a time: more than there are slots, and some wait. */
  readonly clients: Readonly<Record<string, number>>
}

const kinds: readonly RequestKind[] = [
  'chat_stream',
  'chat_stream',
  'whole',
  'completion_stream',
  'chat_stream',
  'leaver',
  'chat_stream',
  'chat_stream',
  'whole',
  'chat_stream',
]
const wholeTokens = 20
const fewTokens = 6
const nuisanceEveryMs = 100

export class MixedClients {
  readonly requests: KnownRequest[] = []
  /** How long requests took that wait for nothing and come to nothing: what a client's stopwatch has beyond the gateway's. */
  readonly lagsMs: number[] = []
  readonly #plan: LoadPlan
  readonly #stopped = new AbortController()
  readonly #clients: Promise<void>[] = []

  constructor(plan: LoadPlan) {
    this.#plan = plan
  }

  begin(): void {
    for (const [model, count] of Object.entries(this.#plan.clients)) {
      for (let at = 0; at < count; at += 1) this.#clients.push(this.#client(model, at))
    }
    this.#clients.push(this.#nuisance())
  }

  /** Nobody asks anew; resolves once every answer under way has ended. */
  async end(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#clients)
  }

  async #client(model: string, index: number): Promise<void> {
    const { keys } = this.#plan
    for (let turn = index * 3; !this.#stopped.signal.aborted; turn += 1) {
      const kind = kinds[turn % kinds.length] ?? 'whole'
      const key = keys[(index + turn) % keys.length]
      if (key === undefined) throw new Error('a load needs keys')
      await this.#ask(kind, model, key, lengthOf(kind, turn))
    }
  }

  async #ask(kind: RequestKind, model: string, key: LoadPlan['keys'][number], tokens: number): Promise<void> {
    const request = this.#sent(kind, model, key.name)
    const left = new AbortController()
    if (kind === 'leaver') setTimeout(() => left.abort(), 150 + 37 * (request.id % 20))
    try {
      const response = await fetch(`${this.#plan.url}${pathOf(kind)}`, {
        method: 'POST',
        headers: { ...headersOf(request), authorization: `Bearer ${key.key}` },
        body: JSON.stringify({ model, ...questionOf(kind, request.id), max_tokens: tokens, stream: isStream(request) }),
        signal: left.signal,
      })
      request.status = response.status
      await readAnswer(response, request)
    } catch (error) {
      if (!left.signal.aborted) throw error
    }
    request.endedMs = unixMs()
  }

  #sent(kind: RequestKind, model: string, key: string): KnownRequest {
    const request: KnownRequest = {
      id: this.requests.length,
      kind,
      model,
      key,
      sentMs: unixMs(),
      firstContentMs: null,
      endedMs: null,
      status: null,
      host: null,
      arrivedMs: null,
      tokensAtMs: [],
      hostEndedMs: null,
    }
    this.requests.push(request)
    return request
  }

  /** One who sends what nobody configured: each text of it is its own. */
  async #nuisance(): Promise<void> {
    const { url, keys, clients } = this.#plan
    const known = { url, key: keys[0]?.key ?? '', model: Object.keys(clients)[0] ?? '' }
    for (let turn = 0; !this.#stopped.signal.aborted; turn += 1) {
      const asks = nuisances[turn % nuisances.length]
      const sentMs = unixMs()
      if (asks !== undefined) await (await asks(known, turn)).arrayBuffer()
      this.lagsMs.push(unixMs() - sentMs)
      await pause(nuisanceEveryMs)
    }
  }
}

/** Between 40 and 99 tokens, of each third stream so few that one more or less is seen; and for the whole answer what is sent at once. */
function lengthOf(kind: RequestKind, turn: number): number {
  if (kind === 'whole') return wholeTokens
  return turn % 3 === 0 ? fewTokens : 40 + ((turn * 17) % 60)
}

function pathOf(kind: RequestKind): string {
  return kind === 'completion_stream' ? '/v1/completions' : '/v1/chat/completions'
}

function headersOf({ id }: KnownRequest) {
  return {
    'content-type': 'application/json',
    'x-request-id': `${inventedMark}-id-${id}`,
    'user-agent': `${inventedMark}-agent/${id}`,
  }
}

/** Its id comes back from the journal of the double that got it. */
function questionOf(kind: RequestKind, id: number): object {
  const content = `request ${id}`
  const question = kind === 'completion_stream' ? { prompt: content } : { messages: [{ role: 'user', content }] }
  return { ...question, user: `${inventedMark}-user-${id}` }
}

export function idIn(json: unknown): number {
  const { prompt, messages } = json as { prompt?: string; messages?: { content: string }[] }
  return Number((prompt ?? messages?.[0]?.content ?? '').split(' ')[1])
}

async function readAnswer(response: Response, request: KnownRequest): Promise<void> {
  if (response.body === null) return
  const decoder = new TextDecoder()
  let open = ''
  for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
    if (request.firstContentMs !== null || !isStream(request)) continue
    const frames = (open + decoder.decode(bytes, { stream: true })).split('\n\n')
    open = frames.pop() ?? ''
    if (frames.some(hasContent)) request.firstContentMs = unixMs()
  }
}

function hasContent(frame: string): boolean {
  if (!frame.startsWith('data: {')) return false
  const { choices = [] } = JSON.parse(frame.slice(6)) as { choices?: { delta?: { content?: string }; text?: string }[] }
  return choices.some(({ delta, text }) => (delta?.content ?? text ?? '') !== '')
}
