/** What the transport does on the wire that no answer shows. */
import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { Transport } from '../../src/hosts/transport.ts'
import type { FailureKind } from '../../src/hosts/transport-failure.ts'
import { listen } from '../kit/servers.ts'
import { within } from '../kit/within.ts'

/** A listener that keeps what comes first on each connection and then hangs up. */
async function listener(): Promise<{ port: number; heard: Promise<Buffer> }> {
  const { promise, resolve } = Promise.withResolvers<Buffer>()
  const server = createServer((socket: Socket) => {
    socket.once('data', (bytes: Buffer) => {
      resolve(bytes)
      socket.destroy()
    })
    socket.on('error', () => {})
  })
  const listening = await listen(server)
  onTestFinished(() => listening.close())
  return { port: listening.port, heard: within(5_000, 'the first bytes', promise) }
}

/** Sends a request and tells how that failed. */
function failed(transport: Transport, options: { fresh: boolean }): Promise<FailureKind> {
  const { promise, resolve } = Promise.withResolvers<FailureKind>()
  const none = () => {}
  const events = { connected: none, head: none, data: none, end: none }
  const request = { method: 'GET', path: '/v1/models', headers: {}, body: null } as const
  transport.send(request, { ...events, failed: ({ kind }) => resolve(kind) }, options)
  return within(5_000, 'the failure', promise)
}

test.each([{ fresh: false }, { fresh: true }])(
  'HTTP/2 is not offered, since closing a connection must end one request alone: %j',
  async (options) => {
    const { port, heard } = await listener()
    const transport = new Transport(`https://127.0.0.1:${port}`, { connectMsMax: 5_000 })
    onTestFinished(() => transport.close())
    const failure = failed(transport, options)
    const hello = await heard
    // The names of protocols in a ClientHello, each behind its length.
    expect(hello.includes('\u0008http/1.1')).toBe(true)
    expect(hello.includes('\u0002h2')).toBe(false)
    expect(await failure).toBe('connect')
  },
)

test.each([{ fresh: false }, { fresh: true }])(
  'every connection asks for the addresses of its name: %j',
  async (options) => {
    const { port, heard } = await listener()
    const asked: string[] = []
    const transport = new Transport(`http://studio.test:${port}`, {
      connectMsMax: 5_000,
      resolveName(name, answer) {
        asked.push(name)
        answer(null, [{ address: '127.0.0.1', family: 4 }])
      },
    })
    onTestFinished(() => transport.close())
    expect(await failed(transport, options)).toBe('disconnected')
    expect((await heard).toString()).toContain(`host: studio.test:${port}`)
    expect(await failed(transport, options)).toBe('disconnected')
    expect(asked).toEqual(['studio.test', 'studio.test'])
  },
)
