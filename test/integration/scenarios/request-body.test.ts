/** Bodies that are too large, of a form that is not taken, or where none belongs. */
import { expect, test } from 'vitest'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { chatAnswer, chatBytes, errorOf, model, type Scene, scenario } from './scene.ts'

const gibibyte = 1_073_741_824
/** What is read of a refused body, so that its sender gets to see the answer. */
const drainedBytesMax = 65_536
/** What a kernel takes from a sender and holds for a receiver that does not read: Linux' largest buffers are 4 and 6 MiB. */
const kernelBytesMax = 16 * 1_048_576

function headBytes(method: string, path: string, headers: Headers): string {
  const lines = Object.entries({ host: '127.0.0.1', 'content-type': 'application/json', ...headers })
  return `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** Sends until the server is gone, `bytesMax` at the most; returns how many bytes were taken from us. */
async function flood(client: RawClient, block: Buffer, bytesMax: number): Promise<number> {
  const { socket } = client
  const before = socket.bytesWritten
  const gone = client.closed(20_000)
  let sent = 0
  while (client.endedBy === undefined && sent < bytesMax) {
    // A send that fails is one to a server that has closed, which `closed` tells.
    await Promise.race([client.send(block).catch(() => {}), gone])
    sent += block.length
  }
  return socket.bytesWritten - socket.writableLength - before
}

async function expectRefused(answer: HttpMessage, status: number, code: string): Promise<void> {
  await answer.over()
  expect(answer).toMatchObject({ status, complete: true })
  expect(errorOf(answer).code).toBe(code)
  expect(answer.header('connection')).toBe('close')
}

test('C13: a declared body over the limit is refused before a byte of it was sent', () =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    await client.send(headBytes('POST', '/v1/chat/completions', { 'content-length': String(gibibyte) }))
    await expectRefused(await scene.answer(client), 413, 'request_too_large')
    await client.closed()
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'GR', status: 413 })
    return { requests: 1, attempts: {} }
  }))

test('C13: of a declared body over the limit that comes all the same, hardly anything is taken', () =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    await client.send(headBytes('POST', '/v1/chat/completions', { 'content-length': String(gibibyte) }))
    const taken = await flood(client, Buffer.alloc(65_536, ' '), gibibyte)
    await expectRefused(await scene.answer(client), 413, 'request_too_large')
    expect(taken).toBeLessThanOrEqual(drainedBytesMax + kernelBytesMax)
    return { requests: 1, attempts: {} }
  }))

/** A chat request of exactly this many bytes. */
function chatBody(bytes: number): Buffer {
  const body = Buffer.alloc(bytes, ' ')
  body.write(JSON.stringify({ model, messages: [] }))
  return body
}

const limit = 100_000
const limited = { config: { relay: { bodyBytesMax: limit, multipartBytesMax: limit } } }
const chunkedHead = headBytes('POST', '/v1/chat/completions', { 'transfer-encoding': 'chunked' })

/** In chunks of an odd size, so that the limit falls inside of one. */
function inChunks(body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; at += 7_777) parts.push(chunkBytes(body.subarray(at, at + 7_777)))
  return Buffer.concat(parts)
}

test('C13, C14: a body of just the limit is served, declared and chunked', () =>
  scenario(limited, async (scene) => {
    const body = chatBody(limit)
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const client = await scene.connect()
    const declared = headBytes('POST', '/v1/chat/completions', { 'content-length': String(limit) })
    expect((await scene.ask(Buffer.concat([Buffer.from(declared), body]), client)).status).toBe(200)
    const chunked = Buffer.concat([Buffer.from(chunkedHead), inChunks(body), Buffer.from('0\r\n\r\n')])
    expect((await scene.ask(chunked, client)).status).toBe(200)
    for (const { request } of scene.host().exchanges) expect(request?.body).toEqual(body)
    return { requests: 2, attempts: { a: 2 } }
  }))

test('C14: a chunked body is refused at the first byte over the limit, whether it ends there or never', () =>
  scenario(limited, async (scene) => {
    const over = inChunks(chatBody(limit + 1))
    for (const [index, end] of ['0\r\n\r\n', ''].entries()) {
      const client = await scene.connect()
      await client.send(Buffer.concat([Buffer.from(chunkedHead), over, Buffer.from(end)]))
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status: 413, complete: true })
      expect(errorOf(answer).code).toBe('request_too_large')
      expect((await scene.gateway.outcomesOnce(index + 1))[index]?.fields).toMatchObject({ end: 'GR', status: 413 })
    }
    return { requests: 2, attempts: {} }
  }))

test('C14: of a chunked body without end, hardly more than the limit is taken', () =>
  scenario(limited, async (scene) => {
    const client = await scene.connect()
    await client.send(chunkedHead)
    const taken = await flood(client, chunkBytes(Buffer.alloc(65_536, ' ')), gibibyte)
    await expectRefused(await scene.answer(client), 413, 'request_too_large')
    expect(taken).toBeLessThanOrEqual(limit + drainedBytesMax + kernelBytesMax)
    return { requests: 1, attempts: {} }
  }))

test('C14: a refusal for another reason does not read an endless chunked body either', () =>
  scenario(limited, async (scene) => {
    const client = await scene.connect()
    const headers = { 'transfer-encoding': 'chunked', 'content-type': 'text/plain' }
    await client.send(headBytes('POST', '/v1/chat/completions', headers))
    const taken = await flood(client, chunkBytes(Buffer.alloc(65_536, ' ')), gibibyte)
    await expectRefused(await scene.answer(client), 415, 'unsupported_media_type')
    expect(taken).toBeLessThanOrEqual(drainedBytesMax + kernelBytesMax)
    return { requests: 1, attempts: {} }
  }))

/** Forms that a browser sends across origins without asking, and none at all. */
const simpleForms = ['text/plain', 'text/plain;charset=UTF-8', 'application/x-www-form-urlencoded', undefined]

test.each(endpoints)('C20: $path takes no body of a form that a browser may send unasked', (endpoint) =>
  scenario({}, async (scene) => {
    const otherForm = endpoint.body === 'json' ? 'multipart/form-data; boundary=x' : 'application/json'
    const forms = [...simpleForms, otherForm]
    for (const form of forms) {
      const headers: Headers = form === undefined ? {} : { 'content-type': form }
      const body = JSON.stringify({ model, messages: [], input: 'x', query: 'x', documents: [] })
      const answer = await scene.ask(requestBytes('POST', endpoint.path, headers, body))
      expect(answer.status, String(form)).toBe(415)
      const { error } = JSON.parse(answer.text) as { error: { type: string } }
      expect(error.type).toBe('invalid_request_error')
    }
    for (const line of await scene.gateway.outcomesOnce(forms.length)) expect(line.fields['end']).toBe('GR')
    return { requests: forms.length, attempts: {} }
  }),
)

test('C20: JSON with parameters or of a kind of its own is JSON', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const forms = ['application/json; charset=utf-8', 'Application/JSON', 'application/vnd.api+json']
    for (const form of forms) expect((await scene.ask(chatBytes({}, { 'content-type': form }))).status, form).toBe(200)
    return { requests: forms.length, attempts: { a: forms.length } }
  }))

const bodyless = [
  ['GET', '/v1/models'],
  ['GET', '/v1/chat/completions'],
  ['GET', '/healthz'],
  ['DELETE', '/v1/models/m'],
  ['PUT', '/v1/chat/completions'],
  ['GET', '/nowhere'],
] as const
const hundredMebibytes = 104_857_600

const framings: readonly Headers[] = [
  { 'content-length': String(hundredMebibytes) },
  { 'transfer-encoding': 'chunked' },
]

test.each(bodyless)('C35: %s %s with a body of 100 MiB is refused unread, declared and chunked', (method, path) =>
  scenario({}, async (scene) => {
    const { gateway } = scene
    const adminPort = Number(new URL(gateway.adminUrl).port)
    const operator = { authorization: `Bearer ${gateway.adminToken}` }
    for (const framing of framings) {
      const refused = [413, 'request_too_large'] as const
      await expectFloodRefused(scene, { head: headBytes(method, path, framing), port: gateway.port, refused })
      const admin = headBytes(method, path, framing)
      await expectFloodRefused(scene, { head: admin, port: adminPort, refused: [401, 'invalid_api_key'] })
      const known = headBytes(method, path, { ...operator, ...framing })
      await expectFloodRefused(scene, { head: known, port: adminPort, refused: [404, 'not_found'] })
    }
    expect(scene.host().soundRequests.filter((request) => request.includes('nowhere'))).toEqual([])
    return { requests: 0, attempts: {} }
  }),
)

test.each(['/metrics', '/admin/keys', '/admin/usage'])('C35: so it is by GET %s of the admin listener', (path) =>
  scenario({}, async (scene) => {
    const port = Number(new URL(scene.gateway.adminUrl).port)
    for (const framing of framings) {
      const head = headBytes('GET', path, { authorization: `Bearer ${scene.gateway.adminToken}`, ...framing })
      await expectFloodRefused(scene, { head, port, refused: [413, 'request_too_large'] })
    }
    return { requests: 0, attempts: {} }
  }),
)

interface Flood {
  readonly head: string
  readonly port: number
  readonly refused: readonly [status: number, code: string]
}

async function expectFloodRefused(scene: Scene, { head, port, refused }: Flood): Promise<void> {
  const client = await scene.connect({ port })
  await client.send(head)
  const plain = Buffer.alloc(65_536, ' ')
  const taken = await flood(client, head.includes('chunked') ? chunkBytes(plain) : plain, hundredMebibytes)
  await expectRefused(await scene.answer(client), ...refused)
  expect(taken).toBeLessThanOrEqual(drainedBytesMax + kernelBytesMax)
}

test('C35: a small body that some clients send with every request is dropped, and the connection goes on', () =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    for (const size of [2, drainedBytesMax]) {
      const request = Buffer.concat([
        Buffer.from(headBytes('GET', '/v1/models', { 'content-length': String(size) })),
        Buffer.alloc(size, ' '),
      ])
      expect((await scene.ask(request, client)).status).toBe(200)
    }
    await client.send(headBytes('GET', '/v1/models', { 'content-length': String(drainedBytesMax + 1) }))
    await expectRefused(await scene.answer(client), 413, 'request_too_large')
    return { requests: 0, attempts: {} }
  }))
