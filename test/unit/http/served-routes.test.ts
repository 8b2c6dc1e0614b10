/** Large answers of the admin listener: piece by piece, so that none of them holds the event loop. */
import { createServer, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AdminParts } from '../../../src/http/admin/admin-parts.ts'
import { metricsRoute } from '../../../src/http/admin/metrics-route.ts'
import { serveRoutes } from '../../../src/http/admin/served-routes.ts'
import { everyTurn } from '../../kit/event-loop.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { listen } from '../../kit/servers.ts'
import { eventually } from '../../kit/within.ts'

const pieceBytes = 50_000
const pieceCount = 40
const pieces = Array.from({ length: pieceCount }, (_, at) => Buffer.alloc(pieceBytes, 97 + (at % 26)))

/** More than the kernel takes for a reader that takes nothing. */
const largePieces = Array.from({ length: 20 }, () => Buffer.alloc(1_000_000, 97))

/** A listener with one large page. */
async function served(sent: readonly Buffer[], clock = new FakeClock()) {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const page = { ...metricsRoute, run: async () => ({ pieces: sent, contentType: 'text/plain' }) }
  serveRoutes(app, [page], { clock } as unknown as AdminParts)
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
    const server = await served(pieces)
    const answer = await fetch(`${server.url}/metrics`)
    expect(answer.headers.get('content-length')).toBe(String(pieceCount * pieceBytes))
    expect(Buffer.from(await answer.arrayBuffer()).equals(Buffer.concat(pieces))).toBe(true)
    stop()
    await server.close()
    // The last goes out with the end of the answer.
    expect(before).toBe(pieceCount - 1)
    expect(Math.max(...byTurn)).toBe(1)
  })

  /** It asked, and what it was sent fills all there is on the way. */
  async function idleReader(clock: FakeClock) {
    const written = vi.spyOn(ServerResponse.prototype, 'write')
    const server = await served(largePieces, clock)
    onTestFinished(() => server.close())
    const { host, hostname, port } = new URL(server.url)
    const reader = connect({ host: hostname, port: Number(port) })
    const closed = new Promise((resolve) => reader.once('close', resolve))
    reader.pause().write(`GET /metrics HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    await eventually(4_000, 'a full connection', () => clock.pendingTimers > 0)
    return { reader, closed, written }
  }

  it('waits for a reader that takes nothing, and ends with one that leaves', async () => {
    const clock = new FakeClock()
    const { reader, written } = await idleReader(clock)
    const taken = written.mock.calls.length
    await clock.advance(29_999)
    expect(written).toHaveBeenCalledTimes(taken)
    reader.destroy()
    await eventually(4_000, 'the end of the wait', () => clock.pendingTimers === 0)
    expect(written).toHaveBeenCalledTimes(taken)
  })

  it('does not wait for ever', async () => {
    const clock = new FakeClock()
    const { reader, closed } = await idleReader(clock)
    await clock.advance(30_000)
    reader.resume()
    await closed
    expect(reader.bytesRead).toBeLessThan(20_000_000)
  })
})
