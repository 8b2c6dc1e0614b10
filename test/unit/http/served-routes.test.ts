/** Large answers of the admin listener: piece by piece, so that none of them holds the event loop. */
import { createServer, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AdminParts } from '../../../src/http/admin/admin-parts.ts'
import { metricsRoute } from '../../../src/http/admin/metrics-route.ts'
import { serveRoutes } from '../../../src/http/admin/served-routes.ts'
import { everyTurn } from '../../kit/event-loop.ts'
import { listen } from '../../kit/servers.ts'

const pieceBytes = 50_000
const pieceCount = 40
const pieces = Array.from({ length: pieceCount }, (_, at) => Buffer.alloc(pieceBytes, 97 + (at % 26)))

/** A listener with one large page. */
async function served() {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const page = { ...metricsRoute, run: async () => ({ pieces, contentType: 'text/plain' }) }
  serveRoutes(app, [page], {} as AdminParts)
  const listener = getRequestListener(app.fetch)
  return listen(createServer((incoming, outgoing) => void listener(incoming, outgoing)))
}

afterEach(() => void vi.restoreAllMocks())

describe('an answer of many pieces', () => {
  it('goes out a piece in a turn, and whole', async () => {
    const written = vi.spyOn(ServerResponse.prototype, 'write')
    const byTurn: number[] = []
    let before = 0
    const stop = everyTurn(() => {
      byTurn.push(written.mock.calls.length - before)
      before = written.mock.calls.length
    })
    const server = await served()
    const answer = await fetch(`${server.url}/metrics`)
    expect(answer.headers.get('content-length')).toBe(String(pieceCount * pieceBytes))
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.concat(pieces))).toBe(true)
    stop()
    await server.close()
    // The last goes out with the end of the answer.
    expect(before).toBe(pieceCount - 1)
    expect(Math.max(...byTurn)).toBe(1)
  })

  it('waits for a reader that takes nothing, and ends with one that leaves', async () => {
    const written = vi.spyOn(ServerResponse.prototype, 'write')
    const server = await served()
    const { hostname, port } = new URL(server.url)
    const reader = connect({ host: hostname, port: Number(port) })
    reader.pause().write('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.replaceAll('x', new URL(server.url).host))
    await pause(200)
    const taken = written.mock.calls.length
    reader.destroy()
    await pause(50)
    await server.close()
    expect(taken).toBeGreaterThan(0)
    expect(written.mock.calls.length).toBe(taken)
  })
})
