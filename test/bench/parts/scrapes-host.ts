/** Hosts of many models, in one process: an answer at once, so that the gateway comes to have a series for each model of each host. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen } from '../../kit/servers.ts'
import type { ScrapesHostOrder } from './scrapes.ts'

/** Long enough for whoever comes at the same time to be sent elsewhere. */
const answerMs = 30
const created = 1_750_000_000

process.on('message', ({ hosts, models }: ScrapesHostOrder) => {
  void Promise.all(Array.from({ length: hosts }, () => start(models))).then((urls) => process.send?.({ urls }))
})
process.on('disconnect', () => process.exit(0))

async function start(models: readonly string[]): Promise<string> {
  const data = models.map((id) => ({ id, object: 'model', created, owned_by: 'bench' }))
  const list = JSON.stringify({ object: 'list', data })
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void response.setHeader('content-type', 'application/json').end(list)
    let body = ''
    request.setEncoding('utf8').on('data', (text: string) => (body += text))
    request.on('end', () => setTimeout(() => answer(request, response, body), answerMs))
  })
  server.keepAliveTimeout = 120_000
  return (await listen(server)).url
}

function answer(_request: IncomingMessage, response: ServerResponse, body: string): void {
  const { model } = JSON.parse(body) as { model: string }
  const chunk = { id: 'c-1', object: 'chat.completion.chunk', created, model }
  const choice = (delta: object, reason: string | null) => ({ choices: [{ index: 0, delta, finish_reason: reason }] })
  const usage = { prompt_tokens: 20, completion_tokens: 2, total_tokens: 22 }
  const events = [
    { ...chunk, ...choice({ role: 'assistant', content: 'a' }, null) },
    { ...chunk, ...choice({ content: 'b' }, null) },
    { ...chunk, ...choice({}, 'stop') },
    { ...chunk, choices: [], usage },
  ]
  response.setHeader('content-type', 'text/event-stream')
  response.end(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`)
}
