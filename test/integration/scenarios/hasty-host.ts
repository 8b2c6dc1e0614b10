/**
 * A host in a thread of its own that closes a connection 0–5 ms after each answer on it, so that requests are written
 * just as it closes; it tells what it executed.
 */
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { parentPort } from 'node:worker_threads'

/** The `user` of every request that was read whole. */
const executed: string[] = []
const closing = new Map<Socket, NodeJS.Timeout>()
let answers = 0

const server = createServer((request, response) => {
  const { socket } = request
  clearTimeout(closing.get(socket))
  if (request.method === 'GET') {
    response.end(JSON.stringify({ object: 'list', data: [{ id: 'm', object: 'model' }] }))
    return
  }
  const parts: Buffer[] = []
  request.on('data', (part: Buffer) => parts.push(part))
  request.on('end', () => {
    const { user } = JSON.parse(Buffer.concat(parts).toString()) as { user: string }
    executed.push(user)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ choices: [{ index: 0, message: { content: `${user} ` }, finish_reason: 'stop' }] }))
    answers += 1
    // Spread over 0–5 ms without a random number, so that a failure can be seen again.
    const delayMs = (answers * 7) % 6
    response.on('finish', () => {
      if (delayMs === 0) socket.destroy()
      else
        closing.set(
          socket,
          setTimeout(() => socket.destroy(), delayMs),
        )
    })
  })
})

server.listen(0, '127.0.0.1', () => {
  tell({ port: (server.address() as AddressInfo).port })
})
parentPort?.on('message', () => tell(executed))

function tell(news: { port: number } | readonly string[]): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(news)
}
