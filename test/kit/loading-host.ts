/**
 * A host that loads the model that a request names: as Ollama, LM Studio or a router of llama.cpp does it. A load ends, and
 * an answer goes on, when a test says so. Those that put models out blindly end what is being generated with them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { onTestFinished } from 'vitest'
import { listen } from './servers.ts'
import { eventually } from './within.ts'

export type LoadingKind = 'ollama' | 'lm-studio' | 'llama-cpp'

export interface LoadingHostOptions {
  readonly kind: LoadingKind
  readonly models: readonly string[]
  readonly resident?: readonly string[]
  /** How many it holds at once; one unless said. */
  readonly modelsMax?: number
  /** What a model is loaded with, told as long as it is in memory. */
  readonly contextTokens?: number
}

interface Generation {
  readonly model: string
  readonly response: ServerResponse
  readonly goOn: () => void
}

const waitMsMax = 10_000

export async function startLoadingHost(options: LoadingHostOptions): Promise<LoadingHost> {
  const host = new LoadingHost(options)
  const server = createServer((request, response) => void host.serve(request, response))
  const listening = await listen(server)
  host.url = listening.url
  onTestFinished(() => listening.close())
  return host
}

export class LoadingHost {
  url = ''
  /** Models in the order in which their loads began; one for each request that began one. */
  readonly loads: string[] = []
  /** Models of requests for an answer, in their order. */
  readonly asked: string[] = []
  /** Models whose generations it ended to make room. */
  readonly killed: string[] = []
  /** What a load ends with in place of the model. */
  failsWith: number | null = null
  readonly #options: LoadingHostOptions
  readonly #resident: Set<string>
  readonly #loading = new Map<string, (() => void)[]>()
  readonly #generations = new Set<Generation>()

  constructor(options: LoadingHostOptions) {
    this.#options = options
    this.#resident = new Set(options.resident)
  }

  get resident(): readonly string[] {
    return [...this.#resident]
  }

  get generating(): readonly string[] {
    return [...this.#generations].map(({ model }) => model)
  }

  /** Its user puts a model out, or its time there was up. */
  unload(model: string): void {
    this.#resident.delete(model)
  }

  /** Resolves when it has begun so many loads in all. */
  begun(loads: number): Promise<void> {
    return eventually(waitMsMax, `${loads} loads to begin`, () => this.loads.length >= loads)
  }

  /** The load of the model is done. */
  loaded(model: string): void {
    const waiting = this.#loading.get(model) ?? []
    this.#loading.delete(model)
    if (this.failsWith === null) this.#resident.add(model)
    for (const goOn of waiting) goOn()
  }

  /** Resolves when so many answers are being made. */
  making(answers: number): Promise<void> {
    return eventually(waitMsMax, `${answers} answers under way`, () => this.#generations.size >= answers)
  }

  /** Ends the answers that are being made, of one model or of all. */
  finish(model?: string): void {
    for (const one of this.#generations) if (model === undefined || one.model === model) one.goOn()
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request
    if (method === 'GET') {
      this.#list(url, response)
      return
    }
    let text = ''
    for await (const piece of request) text += String(piece)
    const { model, stream = false } = JSON.parse(text) as { model: string; stream?: boolean }
    this.asked.push(model)
    if (!this.#resident.has(model)) await this.#load(model)
    if (!this.#resident.has(model)) {
      sendJson(response, { error: { message: 'model failed to load', type: 'server_error' } }, this.failsWith ?? 500)
      return
    }
    await this.#answer(model, stream, response)
  }

  async #load(model: string): Promise<void> {
    const joins = this.#options.kind === 'ollama' && this.#loading.has(model)
    if (!joins) this.loads.push(model)
    await this.#makeRoom(model)
    const waiting = this.#loading.get(model) ?? []
    this.#loading.set(model, waiting)
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  async #makeRoom(model: string): Promise<void> {
    const { kind, modelsMax = 1 } = this.#options
    while (this.#resident.size >= modelsMax) {
      const [out] = this.#resident
      if (out === undefined || out === model) return
      if (kind === 'ollama') await eventually(waitMsMax, 'its runner to be idle', () => !this.generating.includes(out))
      this.#resident.delete(out)
      for (const one of this.#generations) {
        if (one.model !== out) continue
        this.killed.push(out)
        one.response.destroy()
      }
    }
  }

  async #answer(model: string, stream: boolean, response: ServerResponse): Promise<void> {
    const ended = Promise.withResolvers<void>()
    const generation = { model, response, goOn: ended.resolve }
    this.#generations.add(generation)
    response.once('close', () => {
      this.#generations.delete(generation)
      ended.resolve()
    })
    if (stream) response.writeHead(200, { 'content-type': 'text/event-stream' }).write(frame(model, { content: 'one' }))
    await ended.promise
    if (response.destroyed) return
    const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
    if (stream) {
      response.write(frame(model, { content: ' two' }))
      response.write(frame(model, {}, 'stop'))
      response.end('data: [DONE]\n\n')
    } else {
      const message = { role: 'assistant', content: 'one two' }
      const choices = [{ index: 0, message, finish_reason: 'stop' }]
      sendJson(response, { id: 'chatcmpl-1', object: 'chat.completion', created: 1, model, choices, usage })
    }
  }

  #list(url: string, response: ServerResponse): void {
    const body = lists[this.#options.kind](url, {
      models: this.#options.models,
      resident: this.#resident,
      loading: new Set(this.#loading.keys()),
      modelsMax: this.#options.modelsMax ?? 1,
      contextTokens: this.#options.contextTokens,
    })
    if (this.#options.kind === 'llama-cpp') response.setHeader('server', 'llama.cpp')
    if (body === null) sendJson(response, { error: { message: 'not found', type: 'not_found_error', code: 404 } }, 404)
    else sendJson(response, body)
  }
}

interface Held {
  readonly models: readonly string[]
  readonly resident: ReadonlySet<string>
  readonly loading: ReadonlySet<string>
  readonly modelsMax: number
  readonly contextTokens: number | undefined
}

const openAi = (models: readonly string[], more: (id: string) => object = () => ({})) => ({
  object: 'list',
  data: models.map((id) => ({ id, object: 'model', created: 1, owned_by: 'local', ...more(id) })),
})

const lists: Readonly<Record<LoadingKind, (url: string, held: Held) => object | null>> = {
  ollama(url, { models, resident, loading, contextTokens }) {
    if (url === '/api/version') return { version: '0.12.6' }
    if (url === '/api/tags') return { models: models.map((name) => ({ name, model: name })) }
    // A runner that is still being loaded stands there, too.
    if (url === '/api/ps') {
      const there = [...resident].map((name) => ({ name, model: name, context_length: contextTokens }))
      return { models: [...there, ...[...loading].map((name) => ({ name, model: name }))] }
    }
    return url === '/v1/models' ? openAi(models) : null
  },
  'lm-studio'(url, { models, resident }) {
    if (url === '/v1/models') return openAi(models)
    if (url !== '/api/v0/models') return { error: `Unexpected endpoint or method. (GET ${url})` }
    return openAi(models, (id) => ({ state: resident.has(id) ? 'loaded' : 'not-loaded' }))
  },
  'llama-cpp'(url, { models, resident, loading, modelsMax }) {
    if (url === '/health') return { status: 'ok' }
    if (url === '/props') return { role: 'router', max_instances: modelsMax, models_autoload: true }
    const valueOf = (id: string): string => {
      if (resident.has(id)) return 'loaded'
      return loading.has(id) ? 'loading' : 'unloaded'
    }
    return url === '/v1/models' ? openAi(models, (id) => ({ status: { value: valueOf(id) } })) : null
  },
}

function frame(model: string, delta: object, finishReason: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finishReason }]
  return `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices })}\n\n`
}

function sendJson(response: ServerResponse, body: object, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
