/** Clients over TLS: the same gateway, behind a handshake that is bounded, of today's versions only, and never of another protocol. */
import { X509Certificate } from 'node:crypto'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as pauseMs } from 'node:timers/promises'
import { type ConnectionOptions, connect as connectSecurely, type SecureVersion, type TLSSocket } from 'node:tls'
import { Hono } from 'hono'
import { expect, onTestFinished, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/base/clock.ts'
import { Listener } from '../../../src/http/listener.ts'
import { serverOptions } from '../../../src/http/options.ts'
import { TlsFiles } from '../../../src/http/tls-files.ts'
import { certificateFolder } from '../../kit/certificate-files.ts'
import { authority, certificate } from '../../kit/certificates.ts'
import { pause, reset, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, requestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { silentLog } from '../../kit/silent-log.ts'
import { eventually, within } from '../../kit/within.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  errorOf,
  finishFrame,
  type Scene,
  type SceneOptions,
  scenario,
} from './scene.ts'

const ca = authority()
const own = certificate('gateway', { by: ca, for: ['gateway.test', '127.0.0.1'] })
const trusting: ConnectionOptions = { ca: ca.cert, servername: 'gateway.test' }
const whole = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
const frames = [contentFrame('one '), contentFrame('two '), finishFrame, done] as const

/** A scenario whose gateway serves over TLS. */
function secured(options: SceneOptions, play: Parameters<typeof scenario>[1]): Promise<void> {
  const folder = certificateFolder()
  const tls = { cert: folder.write('cert.pem', own.cert), key: folder.write('key.pem', own.key) }
  const { server } = options.config ?? {}
  return scenario({ ...options, config: { ...options.config, server: { ...server, tls } } }, play)
}

const connected = (scene: Scene) => scene.connect({ tls: trusting })

/** What the server makes of a client that proposes this: the protocol it got, or the code of its error. */
async function proposal(scene: Scene, options: ConnectionOptions): Promise<string> {
  const socket = connectSecurely({ ...trusting, host: '127.0.0.1', port: scene.gateway.port, ...options })
  onTestFinished(() => void socket.destroy())
  return within(
    5_000,
    'the handshake',
    new Promise<string>((resolve) => {
      socket.once('secureConnect', () => resolve(`${socket.getProtocol()} ${String(socket.alpnProtocol)}`))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    }),
  )
}

/** Bytes that come on a connection until its other side ends it. */
async function untilClosed(socket: Socket): Promise<string> {
  let heard = ''
  socket.on('data', (bytes: Buffer) => {
    heard += bytes.toString('latin1')
  })
  socket.on('error', () => {})
  await within(10_000, 'the end of the connection', new Promise((resolve) => socket.once('close', resolve)))
  return heard
}

function plain(scene: Scene): Socket {
  const socket = createConnection({ host: '127.0.0.1', port: scene.gateway.port })
  onTestFinished(() => void socket.destroy())
  return socket
}

/** A handshake whose record never comes to its end, until the connections are closed. */
async function drip(sockets: readonly Socket[]): Promise<void> {
  const record = Buffer.from('160301020001000001fc', 'hex')
  for (let at = 0; sockets.some((socket) => !socket.closed); at += 1) {
    for (const socket of sockets) if (socket.writable) socket.write(Buffer.from([record[at] ?? 0]))
    expect(at, 'bytes that were taken').toBeLessThan(400)
    await pauseMs(20)
  }
}

test('X32: an answer and a stream come over TLS, the stream frame by frame', () =>
  secured({}, async (scene) => {
    expect(scene.gateway.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    scene.host().play(wholeRequest, whole)
    const client = await connected(scene)
    expect((await scene.ask(chatBytes(), client)).status).toBe(200)
    scene
      .host()
      .play(wholeRequest, sseHeadBytes(), ...frames.flatMap((frame) => [chunkBytes(frame), pause] as const), finalChunk)
    await client.send(chatBytes({ stream: true }))
    const exchange = await scene.host().exchange(1)
    const answer = await scene.answer(client)
    let sent = ''
    for (const frame of frames) {
      sent += frame
      // The host stands still behind each frame until it was read at the other end.
      await eventually(5_000, 'the frame', () => answer.text === sent)
      await exchange.step()
    }
    await answer.over()
    expect(answer.complete).toBe(true)
    return { requests: 2, attempts: { a: 2 } }
  }))

test.each(['closes', 'resets'] as const)('X32: a client that %s leaves its host too', (way) =>
  secured({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(frames[0]), pause)
    const client = await connected(scene)
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await eventually(5_000, 'the first frame', () => answer.text === frames[0])
    if (way === 'closes') client.close()
    // Without a word of TLS, as a killed program or a lost network does.
    else client.resetAndDestroy()
    const exchange = await scene.host().exchange()
    await exchange.peerLeft()
    expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499 })
    await exchange.step()
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each(['leaves', 'answered'] as const)('X32: a client that ends its sending side %s', (halfClose) =>
  secured({ config: { server: { halfClose } } }, async (scene) => {
    scene.host().play(wholeRequest, pause, whole)
    const client = await connected(scene)
    await client.send(chatBytes())
    const exchange = await scene.host().exchange()
    await exchange.paused()
    client.halfClose()
    if (halfClose === 'leaves') {
      await exchange.peerLeft()
      await exchange.step()
      expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CH' })
    } else {
      // In one process all that was written before is read before this resolves, the end of the client's side too.
      await scene.gateway.metrics()
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.complete]).toEqual([200, true])
    }
    expect(await client.closed()).toBe('fin')
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('X32: a stream that breaks does not end as a whole one does, also where only the end of the connection ends it', () =>
  secured({}, async (scene) => {
    for (const version of ['1.1', '1.0']) {
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(frames[0]), reset)
      const client = await connected(scene)
      const bytes = chatBytes({ stream: true }).toString().replace('HTTP/1.1', `HTTP/${version}`)
      const answer = await scene.ask(bytes, client)
      expect(errorOf(answer).code).toBe('upstream_disconnected')
      if (version === '1.1') expect(answer.complete).toBe(false)
      expect([version, await client.closed()]).toEqual([version, version === '1.0' ? 'reset' : 'fin'])
    }
    return { requests: 2, attempts: { a: 2 } }
  }))

test('X32: what is no HTTP gets its 400 over TLS, and the connection ends in the orderly way', () =>
  secured({ config: { server: { headerBytesMax: 1_024 } } }, async (scene) => {
    for (const [bytes, status] of [
      ['this is no HTTP\r\n\r\n', 400],
      [`GET /${'x'.repeat(2_000)} HTTP/1.1\r\n\r\n`, 431],
    ] as const) {
      const client = await connected(scene)
      const answer = await scene.ask(bytes, client)
      expect([answer.status, answer.complete]).toEqual([status, true])
      expect(await client.closed()).toBe('fin')
    }
    return { requests: 0, attempts: {} }
  }))

test('X32: versions before 1.2 are refused, and so is every protocol but HTTP/1.1', () =>
  secured({}, async (scene) => {
    const old = (maxVersion: SecureVersion): ConnectionOptions => {
      return { minVersion: 'TLSv1', maxVersion, ciphers: 'ALL:@SECLEVEL=0' }
    }
    expect(await proposal(scene, old('TLSv1'))).toMatch(/^ERR_SSL|^ECONNRESET|^EPROTO/)
    expect(await proposal(scene, old('TLSv1.1'))).toMatch(/^ERR_SSL|^ECONNRESET|^EPROTO/)
    expect(await proposal(scene, old('TLSv1.2'))).toBe('TLSv1.2 false')
    expect(await proposal(scene, {})).toBe('TLSv1.3 false')
    expect(await proposal(scene, { ALPNProtocols: ['h2', 'http/1.1'] })).toBe('TLSv1.3 http/1.1')
    expect(await proposal(scene, { ALPNProtocols: ['h2'] })).toMatch(/^ERR_SSL/)
    return { requests: 0, attempts: {} }
  }))

test('X32: a client may not negotiate anew', () =>
  secured({}, async (scene) => {
    const client = await scene.connect({ tls: { ...trusting, maxVersion: 'TLSv1.2' } })
    const socket = client.socket as TLSSocket
    const refused = new Promise<boolean>((resolve) => {
      socket.once('error', () => resolve(true))
      socket.renegotiate({}, (error) => resolve(error !== null))
    })
    expect(await within(5_000, 'the end of the negotiation', refused)).toBe(true)
    return { requests: 0, attempts: {} }
  }))

test('X32: plain HTTP on the port is told of TLS, and reaches nobody', () =>
  secured({}, async (scene) => {
    for (const bytes of [requestBytes('GET', '/healthz'), chatBytes()]) {
      const socket = plain(scene)
      socket.write(bytes)
      const heard = await untilClosed(socket)
      expect(heard).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
      expect(heard).toContain('This port speaks TLS')
    }
    return { requests: 0, attempts: {} }
  }))

test.each(['nothing', 'a byte now and then', 'junk'])(
  'X32: whoever sends %s instead of a handshake is let go',
  (what) =>
    secured({ config: { server: { headerMsMax: 300, connectionsPerAddressMax: 2 } } }, async (scene) => {
      // Two at a time: the room of those that left is given to the next.
      for (let turn = 0; turn < 3; turn += 1) {
        const sockets = [plain(scene), plain(scene)]
        const ends = sockets.map(untilClosed)
        if (what === 'junk') for (const socket of sockets) socket.write(Buffer.alloc(64, 0xff))
        if (what === 'a byte now and then') await drip(sockets)
        expect((await Promise.all(ends)).join('')).not.toContain('HTTP')
      }
      scene.host().play(wholeRequest, whole)
      expect((await scene.ask(chatBytes(), await connected(scene))).status).toBe(200)
      return { requests: 1, attempts: { a: 1 } }
    }),
)

test('X32: a request that never comes whole is answered 408 over TLS too', () =>
  secured({ config: { server: { headerMsMax: 300 } } }, async (scene) => {
    const client = await connected(scene)
    await client.send('GET /healthz HTTP/1.1\r\nhost:')
    // Node looks every two seconds.
    const answer = await client.response(40_000)
    await answer.over()
    expect([answer.status, answer.complete]).toEqual([408, true])
    expect(await client.closed()).toBe('fin')
    return { requests: 0, attempts: {} }
  }))

test('X32: one connection too many is closed before its handshake', () =>
  secured({ config: { server: { connectionsPerAddressMax: 1 } } }, async (scene) => {
    const first = await connected(scene)
    expect(await proposal(scene, {})).toBe('ECONNRESET')
    first.close()
    let told = 'ECONNRESET'
    // The gateway may still have to see that the first has left.
    for (let tries = 0; told === 'ECONNRESET' && tries < 500; tries += 1) told = await proposal(scene, {})
    expect(told).toBe('TLSv1.3 false')
    return { requests: 0, attempts: {} }
  }))

/** A listener by itself, with nothing behind it. */
async function listenerWith(tls: TlsFiles, clock: Clock): Promise<{ listener: Listener; port: number }> {
  const limits = { ...serverOptions.parse({ headerMsMax: 600_000 }), clientStallMsMax: 30_000 }
  const listener = new Listener(() => Promise.resolve(new Hono()), limits, clock, undefined, { tls })
  const { port } = await listener.listen('127.0.0.1', 0)
  return { listener, port }
}

test('X32: a handshake that has begun does not hold up the end of a listener', async () => {
  const folder = certificateFolder()
  const paths = { cert: folder.write('cert.pem', own.cert), key: folder.write('key.pem', own.key) }
  const { listener, port } = await listenerWith(
    new TlsFiles(paths, { clock: systemClock, log: silentLog }),
    systemClock,
  )
  const socket = createConnection({ host: '127.0.0.1', port })
  const closed = untilClosed(socket)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(Buffer.from([0x16]))
  // Accepted in turn: when this one has been served the other is known.
  const other = await RawClient.open(port, { tls: trusting })
  other.close()
  await within(40_000, 'the end of the listener', listener.close())
  expect(await closed).toBe('')
})

test('X32: a certificate that was renewed is given to new connections, and those that are open stay', async () => {
  const folder = certificateFolder()
  const paths = { cert: folder.write('cert.pem', own.cert), key: folder.write('key.pem', own.key) }
  const clock = new FakeClock()
  const { listener, port } = await listenerWith(new TlsFiles(paths, { clock, log: silentLog }), clock)
  onTestFinished(() => listener.close())
  const before = await RawClient.open(port, { tls: trusting })
  const renewed = certificate('gateway', { by: ca, for: ['gateway.test'] })
  folder.write('cert.pem', renewed.cert)
  folder.write('key.pem', renewed.key)
  await clock.advance(60_000)
  const after = await RawClient.open(port, { tls: trusting })
  expect(fingerprint(after)).toBe(new X509Certificate(renewed.cert).fingerprint256)
  expect(fingerprint(before)).toBe(new X509Certificate(own.cert).fingerprint256)
  for (const client of [before, after]) {
    await client.send(requestBytes('GET', '/nowhere'))
    expect((await client.response()).status).toBe(404)
    client.close()
  }
})

function fingerprint({ socket }: RawClient): string {
  return (socket as TLSSocket).getPeerCertificate().fingerprint256
}
