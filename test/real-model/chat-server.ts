/** OpenAI's chat API over one engine, as an HTTP listener. */

import { once } from 'node:events'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { ChatAnswer, doneFrame } from './chat-answer.ts'
import { type ChatRequest, RequestError, readChatRequest } from './chat-request.ts'
import type { Engine, Generation } from './engine.ts'

const bodyBytesMax = 1_048_576

export function chatServer(engine: Engine, model: string): RequestListener {
  const api = new Api(engine, model)
  return (request, response) => void api.answer(request, response)
}

class Api {
  readonly #engine: Engine
  readonly #model: string

  constructor(engine: Engine, model: string) {
    this.#engine = engine
    this.#model = model
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#route(request, response)
    } catch (error) {
      answerError(response, error)
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const card = { id: this.#model, object: 'model', created: 0, owned_by: 'test' }
    switch (`${request.method} ${path}`) {
      case 'GET /health':
        answerJson(response, 200, { status: 'ok' })
        return
      case 'GET /engine':
        answerJson(response, 200, this.#engine.state())
        return
      case 'GET /v1/models':
        answerJson(response, 200, { object: 'list', data: [card] })
        return
      case 'POST /v1/chat/completions':
        await this.#chat(readChatRequest(await readBody(request)), response)
        return
      default:
        throw new RequestError(404, `there is no ${request.method} ${path}`)
    }
  }

  async #chat(chat: ChatRequest, response: ServerResponse): Promise<void> {
    if (chat.model !== this.#model) {
      throw new RequestError(404, `there is no model ${chat.model}, only ${this.#model}`, 'model_not_found')
    }
    const prompt = this.#engine.prompt(chat.messages)
    const room = this.#engine.room(prompt)
    if (room <= 0) {
      throw new RequestError(400, `the prompt is ${1 - room} tokens too long`, 'context_length_exceeded')
    }
    const { temperature, topP, seed, ignoreEnd } = chat
    const generation = {
      prompt,
      tokensMax: chat.tokensMax ?? room,
      temperature,
      topP,
      seed,
      ignoreEnd,
      signal: clientGone(response),
    }
    const answer = new ChatAnswer(this.#model)
    if (chat.stream) await this.#stream(chat, answer, generation, response)
    else await this.#whole(answer, generation, response)
  }

  async #whole(answer: ChatAnswer, generation: Omit<Generation, 'onText'>, response: ServerResponse): Promise<void> {
    let content = ''
    const onText = async (text: string) => {
      content += text
    }
    const generated = await this.#engine.generate({ ...generation, onText })
    response.writeHead(200, { 'content-type': 'application/json' }).end(answer.whole(content, generated))
  }

  async #stream(
    chat: ChatRequest,
    answer: ChatAnswer,
    generation: Omit<Generation, 'onText'>,
    response: ServerResponse,
  ): Promise<void> {
    const { signal } = generation
    const onText = async (text: string) => {
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
        response.write(answer.roleFrame())
      }
      if (!response.write(answer.contentFrame(text))) await once(response, 'drain', { signal })
    }
    const generated = await this.#engine.generate({ ...generation, onText })
    // An answer without a visible token has its head still to come.
    if (!response.headersSent) await onText('')
    response.write(answer.finishFrame(generated))
    if (chat.includeUsage) response.write(answer.usageFrame(generated))
    response.end(doneFrame)
  }
}

/** Aborted as soon as the connection closes before the answer is out. */
function clientGone(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  return gone.signal
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new RequestError(413, `a body may have ${bodyBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function answerError(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const known = error instanceof RequestError ? error : new RequestError(500, String(error))
  const type = known.status < 500 ? 'invalid_request_error' : 'server_error'
  answerJson(response, known.status, { error: { message: known.message, type, param: null, code: known.code } })
}
