/** Requests sent ahead of their answers, bodies held back until they are wanted, and what follows an upgrade. */
import { expect, test } from 'vitest'
import { pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  errorOf,
  finishFrame,
  model,
  type Scene,
  scenario,
} from './scene.ts'

const ok = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
const ids = Array.from({ length: 200 }, (_, index) => `ahead-${index}`)

async function idsInOrder(scene: Scene, requests: readonly Buffer[]): Promise<(string | undefined)[]> {
  const client = await scene.connect()
  await client.send(Buffer.concat(requests))
  const answered: (string | undefined)[] = []
  for (const _ of requests) {
    const answer = await scene.answer(client)
    await answer.over(20_000)
    expect(answer.complete).toBe(true)
    answered.push(answer.header('x-request-id'))
  }
  return answered
}

test('C23: 200 requests in one go are answered in their order, those for hosts and those of our own', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const requests = ids.map((id, index) => {
      const headers: Headers = { 'x-request-id': id }
      if (index % 4 === 1) return requestBytes('GET', '/v1/models', headers)
      if (index % 4 === 2) return requestBytes('POST', '/nowhere', headers, '{}')
      if (index % 4 === 3) return chatBytes({ model: 'unknown' }, headers)
      return chatBytes({}, headers)
    })
    expect(await idsInOrder(scene, requests)).toEqual(ids)
    return { requests: 100, attempts: { a: 50 } }
  }))

test('C23: streams that were sent ahead come whole, one after the other', () =>
  scenario({}, async (scene) => {
    const story = contentFrame('x'.repeat(50_000)) + finishFrame + done
    const sse = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
    scene.host().playAlways(wholeRequest, sse, chunkBytes(story), finalChunk)
    const some = ids.slice(0, 20)
    const requests = some.map((id) => chatBytes({ stream: true }, { 'x-request-id': id }))
    expect(await idsInOrder(scene, requests)).toEqual(some)
    return { requests: 20, attempts: { a: 20 } }
  }))

/** What a kernel takes from a sender and holds for a receiver that does not read: Linux' largest buffers are 4 and 6 MiB. */
const kernelBytesMax = 16 * 1_048_576
/** Requests that are read, answers that wait for their reader: no more of either than this. */
const gatewayBytesMax = 4 * 1_048_576

test.each([
  ['requests that are answered at once', requestBytes('GET', '/v1/models'), 0],
  ['requests of which one is running', requestBytes('GET', '/v1/models'), 1],
  ['requests for which the line is full', chatBytes(), 1],
])('C23: of endless %s only so many are taken from a client that does not read', (_what, one, running) =>
  scenario({ config: { queue: { lengthMax: 8 } } }, async (scene) => {
    scene.host().playAlways(wholeRequest, pause, ok)
    const client = await scene.connect()
    client.socket.pause()
    for (let index = 0; index < running; index++) await client.send(chatBytes())
    const { socket } = client
    const block = Buffer.concat(Array.from({ length: Math.ceil(65_536 / one.length) }, () => one))
    let taken = 0
    let still = 0
    // Until nothing more is taken for a while, or far more than could be.
    while (still < 20 && taken < 256 * 1_048_576) {
      if (socket.writableLength < block.length) socket.write(block)
      await new Promise((resolve) => setTimeout(resolve, 5))
      const now = socket.bytesWritten - socket.writableLength
      still = now === taken ? still + 1 : 0
      taken = now
    }
    expect(taken).toBeLessThanOrEqual(kernelBytesMax + gatewayBytesMax)
    const { exchanges } = scene.host()
    client.resetAndDestroy()
    // A connection that is not read from does not tell of its end; writing to it does.
    const before = exchanges.length
    for (const exchange of exchanges.slice(0, before)) await exchange.step()
    const isQuiet = async () =>
      (await scene.gateway.sum('host_inflight')) + (await scene.gateway.sum('queue_depth')) === 0
    while (!(await isQuiet())) await new Promise((resolve) => setTimeout(resolve, 5))
    // Requests that a host was given before the end of their connection was told: it was closed on them since.
    for (const exchange of exchanges.slice(before)) await exchange.step()
    return { requests: scene.gateway.outcomes().length, attempts: { a: exchanges.length } }
  }),
)

const body = JSON.stringify({ model, messages: [] })
const expecting = { expect: '100-continue', 'content-type': 'application/json', 'content-length': String(body.length) }

/** The head of a request alone, whose sender waits before it sends the body. */
function headBytes(method: string, path: string, headers: Headers): string {
  const lines = Object.entries({ host: 'x', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

test.each(['100-continue', '100-Continue'])('C25: expect: %s is told to go on when the body is wanted', (expectation) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const client = await scene.connect()
    for (let round = 0; round < 2; round++) {
      await client.send(headBytes('POST', '/v1/chat/completions', { ...expecting, expect: expectation }))
      expect((await client.response()).status).toBe(100)
      expect(scene.host().exchanges).toHaveLength(round)
      expect((await scene.ask(body, client)).status).toBe(200)
    }
    expect((await scene.host().exchange()).request?.header('expect')).toBeUndefined()
    return { requests: 2, attempts: { a: 2 } }
  }),
)

test('C25: a body that comes without waiting is taken as well', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const client = await scene.connect()
    await client.send(headBytes('POST', '/v1/chat/completions', expecting) + body)
    expect((await client.response()).status).toBe(100)
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer.status).toBe(200)
    return { requests: 1, attempts: { a: 1 } }
  }))

test.each<[number, string, string, Headers, number]>([
  [413, 'POST', '/v1/chat/completions', { 'content-length': '1073741824' }, 1],
  [415, 'POST', '/v1/chat/completions', { 'content-type': 'text/plain' }, 1],
  [415, 'POST', '/v1/chat/completions', { 'content-encoding': 'gzip' }, 1],
  [404, 'POST', '/v1/nowhere', {}, 0],
  [405, 'POST', '/v1/models', {}, 0],
  [413, 'PUT', '/v1/chat/completions', { 'content-length': '1073741824' }, 0],
  [405, 'PUT', '/v1/chat/completions', {}, 0],
  [200, 'GET', '/v1/models', {}, 0],
  [405, 'GET', '/v1/chat/completions', {}, 0],
])('C25: %i comes before any 100: %s %s %j', (status, method, path, headers, requests) =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    const answer = await scene.ask(headBytes(method, path, { ...expecting, ...headers }), client)
    expect(answer).toMatchObject({ status, complete: true })
    // Nobody can tell whether the body will follow, so nothing more is read as a request.
    await client.send(requestBytes('GET', '/v1/models'))
    client.halfClose()
    await client.closed()
    expect(client.received.toString().match(/HTTP\/1\.1 /g)).toHaveLength(1)
    return { requests, attempts: {} }
  }),
)

test.each(['200-ok', '100-continue, 200-ok', '100', '', 'x'.repeat(1_000)])(
  'C25: an expectation that nobody can meet is refused: %j',
  (expectation) =>
    scenario({}, async (scene) => {
      for (const path of ['/v1/chat/completions', '/v1/models', '/nowhere']) {
        const client = await scene.connect()
        const answer = await scene.ask(headBytes('POST', path, { ...expecting, expect: expectation }), client)
        expect(answer).toMatchObject({ status: 417, complete: true })
        expect(errorOf(answer)).toMatchObject({ code: 'expectation_failed', type: 'invalid_request_error' })
        expect(answer.header('connection')).toBe('close')
      }
      return { requests: 0, attempts: {} }
    }),
)

test('C25: from HTTP/1.0 no expectation counts', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    for (const expectation of ['100-continue', '200-ok']) {
      const head = headBytes('POST', '/v1/chat/completions', { ...expecting, expect: expectation })
      expect((await scene.ask(head.replace('HTTP/1.1', 'HTTP/1.0') + body)).status).toBe(200)
    }
    return { requests: 2, attempts: { a: 2 } }
  }))

const upgrades: readonly Headers[] = [
  { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'AA==' },
  { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' },
  { connection: 'upgrade', upgrade: 'TLS/1.3' },
  { connection: 'upgrade', upgrade: 'HTTP/1.1' },
  { connection: 'keep-alive', upgrade: 'websocket' },
  { upgrade: '' },
]

test.each(upgrades)('C33: an upgrade is ignored, and what stands behind it is not run: %j', (headers) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const behind = chatBytes({ marker: 'behind' })
    for (const first of [chatBytes({}, headers), requestBytes('GET', '/v1/models', headers)]) {
      const client = await scene.connect()
      const answer = await scene.ask(Buffer.concat([first, behind]), client)
      expect(answer).toMatchObject({ status: 200, complete: true })
      expect(answer.header('connection')).toBe('close')
      expect(answer.header('upgrade')).toBeUndefined()
      await client.closed()
      expect(client.received.toString().match(/HTTP\/1\.1 /g)).toHaveLength(1)
    }
    for (const { request } of scene.host().exchanges) expect(request?.text).not.toContain('behind')
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('C33: what comes behind an upgrade while its answer is under way is not run either', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, pause, ok)
    const client = await scene.connect()
    await client.send(chatBytes({}, upgrades[0]))
    const exchange = await scene.host().exchange()
    await client.send(chatBytes({ marker: 'behind' }))
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer.status).toBe(200)
    client.halfClose()
    await client.closed()
    expect(scene.host().exchanges).toHaveLength(1)
    return { requests: 1, attempts: { a: 1 } }
  }))
