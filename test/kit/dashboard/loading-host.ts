/** A host like Ollama with two models and memory for one: a request for the other one waits until that is loaded. It tells what of a prompt its cache had. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setTimeout as pause } from 'node:timers/promises'
import { listen } from '../servers.ts'

export const loadedInTurns = ['swap-a:8b', 'swap-b:8b'] as const
const loadMs = 150
const tokenMs = 10
const words = ['once ', 'upon ', 'a ', 'time ', 'there ', 'was']

export interface LoadingHost {
  readonly url: string
  stop(): Promise<void>
}

export async function startLoadingHost(): Promise<LoadingHost> {
  let resident: string = loadedInTurns[0]
  const lists: Readonly<Record<string, () => unknown>> = {
    '/api/version': () => ({ version: '0.12.6' }),
    '/api/tags': () => ({ models: loadedInTurns.map((name) => ({ name })) }),
    '/api/ps': () => ({ models: [{ name: resident, context_length: 4_096 }] }),
  }
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const list = lists[request.url ?? '']
    if (list !== undefined) {
      json(response, list())
      return
    }
    let body = ''
    for await (const piece of request) body += String(piece)
    if (body === '') {
      json(response, { error: 'not found' }, 404)
      return
    }
    const { model } = JSON.parse(body) as { model: string }
    if (model !== resident) {
      await pause(loadMs)
      resident = model
    }
    await answer(response, model)
  }
  const listening = await listen(createServer((request, response) => void serve(request, response)))
  return { url: listening.url, stop: () => listening.close() }
}

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

async function answer(response: ServerResponse, model: string): Promise<void> {
  const frame = (more: object): string =>
    `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, ...more })}\n\n`
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const content of words) {
    await pause(tokenMs)
    response.write(frame({ choices: [{ index: 0, delta: { content }, finish_reason: null }] }))
  }
  response.write(frame({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }))
  const usage = { prompt_tokens: 400, completion_tokens: words.length, prompt_tokens_details: { cached_tokens: 300 } }
  response.write(frame({ choices: [], usage: { ...usage, total_tokens: 400 + words.length } }))
  response.end('data: [DONE]\n\n')
}
