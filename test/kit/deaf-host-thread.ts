/** The thread of a DeafHost: answers until it is told to sleep. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import type { DeafHostNews } from './deaf-host.ts'

const asleep = workerData as Int32Array
const models = { object: 'list', data: [{ id: 'org/stub-a', object: 'model', created: 0, owned_by: 'deaf' }] }
const answer = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 0,
  model: 'org/stub-a',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Here again.' }, finish_reason: 'stop' }],
}

const tell = (news: DeafHostNews) => parentPort?.postMessage(news, [])

const server = createServer((request, response) => {
  tell({ request: `${request.method} ${request.url}` })
  request.resume()
  // Each request comes on a connection of its own, so that the next one must be accepted.
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(request.method === 'POST' ? answer : models))
})

server.on('connection', () => tell('connection'))

server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => tell({ port: (server.address() as AddressInfo).port }))

parentPort?.on('message', () => {
  Atomics.wait(asleep, 0, 1)
})
