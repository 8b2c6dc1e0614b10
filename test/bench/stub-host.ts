/** The host of the benchmark, a process of its own: answers made beforehand, so that it costs little beside the gateway. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen } from '../kit/servers.ts'
import { benchModel, frameEveryMs } from './traffic.ts'

export interface ToStub {
  readonly ask: 'address'
}
export interface FromStub {
  readonly url: string
}

/** Streams are spread over so many moments of a frame's time, as those of hosts that know nothing of each other. */
const moments = 5
const chunk = { id: 'chatcmpl-bench', object: 'chat.completion.chunk', created: 1_750_000_000, model: benchModel }
const usageOf = (tokens: number) => ({ prompt_tokens: 500, completion_tokens: tokens, total_tokens: 500 + tokens })

const roleFrame = frame({ ...chunk, choices: [{ index: 0, delta: { role: 'assistant' }, finish_reason: null }] })
const tokenFrame = frame({ ...chunk, choices: [{ index: 0, delta: { content: ' word' }, finish_reason: null }] })
const lastFrame = frame({ ...chunk, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })
const doneFrame = Buffer.from('data: [DONE]\n\n')
const models = JSON.stringify({
  object: 'list',
  data: [{ id: benchModel, object: 'model', created: 1_750_000_000, owned_by: 'bench' }],
})
const wholeAnswer = JSON.stringify({
  ...chunk,
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(100) }, finish_reason: 'stop' }],
  usage: usageOf(100),
})

interface RunningStream {
  readonly response: ServerResponse
  readonly tokens: number
  left: number
}

const running: Set<RunningStream>[] = Array.from({ length: moments }, () => new Set())
let moment = 0
let streamsBegun = 0

const server = createServer((request, response) => {
  if (request.url === '/v1/models') return void response.setHeader('content-type', 'application/json').end(models)
  if (request.method !== 'POST') return void response.writeHead(404).end()
  // It takes traces and metrics as well, and forgets them.
  if (request.url !== '/v1/chat/completions') return void request.resume().on('end', () => response.end())
  readJson(request, (body) => answer(body, response))
})
// An idle connection that is closed just as a request is written on it would count as an error of the gateway.
server.keepAliveTimeout = 120_000
const { url } = await listen(server)
setInterval(tick, frameEveryMs / moments)

process.on('message', () => process.send?.({ url } satisfies FromStub))
process.on('disconnect', () => process.exit(0))

function answer({ stream, max_tokens: tokens }: BenchBody, response: ServerResponse): void {
  if (!stream) return void response.setHeader('content-type', 'application/json').end(wholeAnswer)
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(roleFrame)
  const begun: RunningStream = { response, tokens, left: tokens }
  const streams = running[streamsBegun++ % moments]!
  streams.add(begun)
  response.once('close', () => streams.delete(begun))
}

function tick(): void {
  moment = (moment + 1) % moments
  for (const stream of running[moment]!) {
    if (stream.left-- > 0) stream.response.write(tokenFrame)
    else {
      running[moment]!.delete(stream)
      const usage = frame({ ...chunk, choices: [], usage: usageOf(stream.tokens) })
      stream.response.end(Buffer.concat([lastFrame, usage, doneFrame]))
    }
  }
}

interface BenchBody {
  readonly stream: boolean
  readonly max_tokens: number
}

function readJson(request: IncomingMessage, done: (body: BenchBody) => void): void {
  const pieces: Buffer[] = []
  request.on('data', (piece: Buffer) => pieces.push(piece))
  request.on('end', () => done(JSON.parse(Buffer.concat(pieces).toString()) as BenchBody))
}

function frame(value: object): Buffer {
  return Buffer.from(`data: ${JSON.stringify(value)}\n\n`)
}
