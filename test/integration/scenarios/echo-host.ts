/** A host that answers each chat with its last message, streamed piece by piece, and sometimes drops a connection instead. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Listening, listen } from '../../kit/servers.ts'
import { chatAnswer, contentFrame, done, finishFrame, model } from './scene.ts'

export interface EchoHostOptions {
  /** Called once for each chat: true resets its connection in place of an answer. */
  readonly drops?: () => boolean
  /** Between two pieces of a stream. */
  readonly pieceMs?: number
}

export class EchoHost {
  answers = 0
  /** Of the chats that came, those that were dropped included. */
  readonly requestIds = new Set<string>()
  readonly #options: EchoHostOptions
  #listening: Listening | undefined

  private constructor(options: EchoHostOptions) {
    this.#options = options
  }

  static async start(options: EchoHostOptions = {}): Promise<EchoHost> {
    const host = new EchoHost(options)
    const server = createServer(
      { keepAliveTimeout: 60_000 },
      (request, response) => void host.#answer(request, response),
    )
    host.#listening = await listen(server)
    return host
  }

  get url(): string {
    return this.#listening?.url ?? ''
  }

  async close(): Promise<void> {
    await this.#listening?.close()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      const found = request.url === '/v1/models'
      response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify(found ? { object: 'list', data: [{ id: model, object: 'model' }] } : {}))
      return
    }
    this.requestIds.add(String(request.headers['x-request-id']))
    const chat = await readChat(request)
    if (chat === null) return
    if (this.#options.drops?.() === true) {
      request.socket.resetAndDestroy()
      return
    }
    this.answers += 1
    if (chat.stream) this.#stream(response, pieces(chat.text))
    else {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(chatAnswer(chat.text))
    }
  }

  #stream(response: ServerResponse, parts: readonly string[]): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    let at = 0
    const next = (): void => {
      if (response.destroyed) return
      const part = parts[at]
      at += 1
      if (part === undefined) {
        response.end(finishFrame + done)
        return
      }
      response.write(contentFrame(part))
      if (this.#options.pieceMs === undefined) setImmediate(next)
      else setTimeout(next, this.#options.pieceMs)
    }
    next()
  }
}

interface Chat {
  readonly stream: boolean
  readonly text: string
}

async function readChat(request: IncomingMessage): Promise<Chat | null> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    // The gateway left in the middle of its request.
    return null
  }
  const body = JSON.parse(Buffer.concat(chunks).toString()) as { stream?: boolean; messages: { content: string }[] }
  return { stream: body.stream === true, text: body.messages.at(-1)?.content ?? '' }
}

/** Parted at its spaces. */
function pieces(text: string): string[] {
  return text.split(/(?<= )/)
}
