/** One request of the soak over plain node:http, judged by what this client alone can see of its answer. */
import { type Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import type { EndpointPath, RequestPlan } from './request-plan.ts'
import { slowConnection } from './slow-connection.ts'

export interface Verdict {
  /**
   * `stalled`: cut off without a word, as happens to those alone who do not read. `wrong` is what must never be: neither
   * whole, nor told an error, nor left by the client.
   */
  readonly kind: 'complete' | 'refused' | 'broken' | 'left' | 'stalled' | 'wrong'
  readonly status: number | null
  /** The error's code, or what was wrong. */
  readonly detail: string
  readonly contentFrames: number
}

/** `begin`: when a client reads that reads late. */
export function runRequest(plan: RequestPlan, origin: string, agent: Agent, begin: Promise<void>): Promise<Verdict> {
  return new Promise((resolve) => new SoakRequest(plan, resolve).start(origin, agent, begin))
}

class SoakRequest {
  readonly #plan: RequestPlan
  readonly #resolve: (verdict: Verdict) => void
  #request: ClientRequest | undefined
  #status: number | null = null
  #stream: StreamReading | null = null
  #over = false

  constructor(plan: RequestPlan, resolve: (verdict: Verdict) => void) {
    this.#plan = plan
    this.#resolve = resolve
  }

  start(origin: string, agent: Agent, begin: Promise<void>): void {
    const { path, body, id, leave, flood, readPauseMs, heartbeat } = this.#plan
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-request-id': id,
      'x-lmx-gateway-heartbeat': heartbeat,
    }
    const connection =
      readPauseMs === 0 && flood === 'none'
        ? { agent }
        : { createConnection: () => slowConnection(origin, readPauseMs, begin) }
    const request = httpRequest(`${origin}${path}`, { method: 'POST', headers, ...connection })
    this.#request = request
    request.on('response', (response) => this.#answered(response))
    request.on('error', (error) => this.#cut(`no answer: ${error.message}`))
    request.end(body, () => {
      // Whoever leaves before the request is out was never there.
      if (leave !== null && 'afterMs' in leave) setTimeout(() => this.#leave(), leave.afterMs)
    })
  }

  #answered(response: IncomingMessage): void {
    this.#status = response.statusCode ?? 0
    response.on('error', () => {})
    const streamed = response.headers['content-type']?.startsWith('text/event-stream') === true
    if (this.#status === 200 && streamed) this.#readStream(response)
    else this.#readWhole(response)
  }

  #readWhole(response: IncomingMessage): void {
    const pieces: Buffer[] = []
    response.on('data', (piece: Buffer) => pieces.push(piece))
    response.on('close', () => {
      if (!response.complete) return this.#cut('the answer was cut')
      const json = parsed(Buffer.concat(pieces).toString())
      const code = errorIn(json)
      if (this.#status !== 200) this.#end(code === null ? 'wrong' : 'refused', code ?? 'an error without its envelope')
      else if (code !== null || json === undefined) this.#end('wrong', 'a whole answer that is none')
      else this.#end('complete', '')
    })
  }

  #readStream(response: IncomingMessage): void {
    const stream = new StreamReading(this.#plan.path)
    this.#stream = stream
    const { leave } = this.#plan
    response.on('data', (piece: Buffer) => {
      stream.feed(piece)
      if (leave === null) return
      const timeToGo = 'afterFrames' in leave ? stream.contentFrames >= leave.afterFrames : stream.finished
      if (timeToGo && !('afterMs' in leave)) this.#leave()
    })
    response.on('close', () => {
      if (response.complete) {
        const problem = stream.problemOfWhole()
        this.#end(problem === null ? 'complete' : 'wrong', problem ?? (this.#plan.flood === 'none' ? '' : 'flood'))
      } else if (stream.error === null) this.#cut('cut without an error frame')
      else this.#end('broken', stream.error)
    })
  }

  #cut(how: string): void {
    if (this.#plan.flood === 'none') this.#end('wrong', how)
    else this.#end('stalled', this.#plan.readsLate ? 'reading nothing' : 'reading slowly')
  }

  #leave(): void {
    if (this.#over) return
    this.#end('left', '')
    this.#request?.destroy()
  }

  #end(kind: Verdict['kind'], detail: string): void {
    if (this.#over) return
    this.#over = true
    this.#resolve({ kind, status: this.#status, detail, contentFrames: this.#stream?.contentFrames ?? 0 })
  }
}

/** A reader of server-sent events that knows just enough of each dialect to tell a whole answer from a part of one. */
class StreamReading {
  contentFrames = 0
  finished = false
  error: string | null = null
  readonly #path: EndpointPath
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''
  #done = false
  #afterDone = false

  constructor(path: EndpointPath) {
    this.#path = path
  }

  feed(piece: Buffer): void {
    const frames = (this.#rest + this.#decoder.write(piece)).split('\n\n')
    this.#rest = frames.pop() ?? ''
    for (const frame of frames) this.#frame(frame)
  }

  /** Null when everything that makes an answer whole was there, and nothing after it. */
  problemOfWhole(): string | null {
    if (this.error !== null) return 'an error frame, then a proper end'
    if (!this.finished) return 'a proper end without a finish'
    if (!this.#done) return 'a proper end without the last mark'
    return this.#afterDone || this.#rest.trim() !== '' ? 'something after the last mark' : null
  }

  #frame(frame: string): void {
    const data = frame.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trim()] : []))
    if (data.length === 0) return
    if (this.#done) this.#afterDone = true
    if (data[0] === '[DONE]') {
      this.#done = true
      return
    }
    const json = parsed(data.join('\n')) as StreamFrame | undefined
    if (json === undefined) {
      this.error ??= 'a frame that is no JSON'
      return
    }
    this.error ??= errorIn(json)
    if (this.#path === '/v1/messages') this.#message(json)
    else this.#choice(json)
  }

  #choice(json: StreamFrame): void {
    const choice = json.choices?.[0]
    const text = choice?.delta?.content ?? choice?.text ?? ''
    if (text !== '') this.contentFrames += 1
    if (typeof choice?.finish_reason === 'string') this.finished = true
  }

  #message(json: StreamFrame): void {
    if (json.type === 'content_block_delta') this.contentFrames += 1
    if (json.type === 'message_delta') this.finished = true
    if (json.type === 'message_stop') this.#done = true
  }
}

interface StreamFrame {
  readonly type?: string
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null }
    readonly text?: string
    readonly finish_reason?: string | null
  }[]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The code, or the type in Anthropic's envelope, of an error object with a message; null where there is none. */
function errorIn(json: unknown): string | null {
  const { error } = (json ?? {}) as { error?: { message?: unknown; code?: unknown; type?: unknown } }
  if (typeof error?.message !== 'string') return null
  return String(error.code ?? error.type)
}
