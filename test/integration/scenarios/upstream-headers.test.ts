/** What a host says in status and headers that must not reach the client, or nobody at all. */
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { ChaosHost, wholeRequest } from '../../kit/chaos-host.ts'
import {
  chunkBytes,
  finalChunk,
  type Headers,
  jsonResponseBytes,
  responseBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, scenario } from './scene.ts'

const json = { 'content-type': 'application/json' }
const story = contentFrame('once') + finishFrame + done

test.each([301, 302, 303, 307, 308])('U24: a %d to another host is not followed', (status) =>
  scenario({}, async (scene) => {
    const other = await ChaosHost.start({ models: ['m'] })
    try {
      const location = `${other.url}/v1/chat/completions`
      scene.host().play(wholeRequest, responseBytes(status, { ...json, location }, chatAnswer('elsewhere')))
      const answer = await scene.ask(chatBytes())
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      expect(answer.header('location')).toBeUndefined()
      expect(answer.text).not.toContain(other.url)
      expect(other.connectionsOpened).toBe(0)
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UH')
    } finally {
      await other.close()
    }
    return { requests: 1, attempts: { a: 1 } }
  }),
)

const hostOwn: Headers = {
  'set-cookie': 'session=secret-of-the-host',
  server: 'uvicorn',
  connection: 'x-of-the-host',
  'x-of-the-host': '1',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'x-of-the-host',
  'www-authenticate': 'Bearer',
  'strict-transport-security': 'max-age=1',
  'alt-svc': 'h3=":443"',
  link: '</style.css>; rel=preload',
  'x-request-id': 'id-of-the-host',
  'x-ratelimit-limit-requests': '1',
  'openai-organization': 'somebody',
  'cache-control': 'public, max-age=3600',
  'content-language': 'en',
  etag: '"1"',
  vary: 'Origin',
  via: '1.1 other',
}
const everyAnswer = [
  'connection',
  'content-type',
  'date',
  'keep-alive',
  'x-lmx-gateway-attempts',
  'x-lmx-gateway-host',
  'x-lmx-gateway-model',
  'x-lmx-gateway-queue-ms',
  'x-lmx-gateway-reason',
  'x-request-id',
]

function namesOf(answer: HttpMessage): string[] {
  return answer.headers.map(([name]) => name.toLowerCase()).toSorted()
}

test('U25: of the headers of an answer, the client gets those of a list and no other', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(hostOwn), chunkBytes(story), finalChunk)
    scene.host().play(wholeRequest, responseBytes(200, { ...json, ...hostOwn }, chatAnswer('x')))
    scene.host().play(wholeRequest, jsonResponseBytes(500, {}, hostOwn))
    const client = await scene.connect()
    const stream = await scene.ask(chatBytes({ stream: true }), client)
    expect(namesOf(stream)).toEqual(
      [...everyAnswer, 'cache-control', 'transfer-encoding', 'x-accel-buffering'].toSorted(),
    )
    expect(stream.header('cache-control')).toBe('no-cache')
    expect(stream.header('connection')).toBe('keep-alive')
    const answer = await scene.ask(chatBytes(), client)
    expect(namesOf(answer)).toEqual([...everyAnswer, 'content-length'].toSorted())
    const failed = await scene.ask(chatBytes(), client)
    expect(namesOf(failed)).toEqual([...everyAnswer, 'content-length', 'x-should-retry'].toSorted())
    for (const message of [stream, answer, failed]) expect(message.header('x-request-id')).not.toBe('id-of-the-host')
    return { requests: 3, attempts: { a: 3 }, secrets: ['secret-of-the-host'] }
  }))

const hostKey = 'sk-canary-of-the-host'
/** As servers show keys that they did not take: even that much is nobody's business. */
const maskedKey = `${hostKey.slice(0, 9)}***${hostKey.slice(-4)}`

test.each([
  [401, jsonResponseBytes(401, { error: { message: `Invalid API key: ${hostKey}`, type: 'auth', param: hostKey } })],
  [401, jsonResponseBytes(401, { detail: `Invalid or missing API key ${maskedKey}` }, { 'www-authenticate': hostKey })],
  [403, jsonResponseBytes(403, { error: `${hostKey} may not` })],
  [403, responseBytes(403, { 'content-type': 'text/html' }, `<p>${hostKey}</p>`)],
])(
  "U41: a host's %d is a fault of the gateway's key, not of the client's, and the key is not echoed (%#)",
  (_status, bytes) =>
    scenario({ apiKey: hostKey }, async (scene) => {
      scene.host().play(wholeRequest, bytes)
      scene.host().play(wholeRequest, bytes)
      const client = await scene.connect()
      for (const stream of [false, true]) {
        const answer = await scene.ask(chatBytes({ stream }), client)
        expect(answer.status).toBe(502)
        expect(errorOf(answer)).toMatchObject({ code: 'upstream_auth_failed', type: 'upstream_error' })
        expect(answer.header('x-should-retry')).toBe('false')
        expect(answer.header('www-authenticate')).toBeUndefined()
      }
      // The gateway did send the key, so what the host echoed was there to be leaked.
      expect((await scene.host().exchange()).request?.header('authorization')).toBe(`Bearer ${hostKey}`)
      expect(client.received.toString()).not.toContain('sk-canary')
      return { requests: 2, attempts: { a: 2 }, secrets: ['sk-canary'] }
    }),
)

test('U41: a key that a host echoes in an error inside of a stream stays here too', () =>
  scenario({ apiKey: hostKey }, async (scene) => {
    const echo = `data: ${JSON.stringify({ error: { message: `bad key ${hostKey}`, code: 401 } })}\n\n`
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(echo), finalChunk)
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once') + echo), finalChunk)
    const before = await scene.ask(chatBytes({ stream: true }))
    expect(before.status).toBe(502)
    const after = await scene.ask(chatBytes({ stream: true }))
    expect(after.status).toBe(200)
    for (const answer of [before, after]) {
      expect(errorOf(answer).code).toBe('upstream_auth_failed')
      expect(answer.text).not.toContain(hostKey)
    }
    return { requests: 2, attempts: { a: 2 }, secrets: [hostKey] }
  }))

const gzipped = gzipSync(chatAnswer('x'))
let fiveLayers = Buffer.from(chatAnswer('x'))
for (let layer = 0; layer < 5; layer += 1) fiveLayers = gzipSync(fiveLayers)

test.each<[string, string, Buffer]>([
  ['gzip', 'gzip', gzipped],
  ['five layers of gzip', 'gzip, gzip, gzip, gzip, gzip', fiveLayers],
  ['a thousand encodings', Array.from({ length: 1_000 }, () => 'gzip').join(', '), gzipped],
  ['an encoding that does not exist', 'x-secret', gzipped],
])('U50: an answer compressed against the request is refused unread: %s', (_what, encoding, body) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, responseBytes(200, { ...json, 'content-encoding': encoding }, body))
    host.play(wholeRequest, sseHeadBytes({ 'content-encoding': encoding }), chunkBytes(gzipSync(story)), finalChunk)
    for (const stream of [false, true]) {
      const answer = await scene.ask(chatBytes({ stream }))
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      expect(answer.header('content-encoding')).toBeUndefined()
    }
    for (const { request } of host.exchanges) expect(request?.header('accept-encoding')).toBe('identity')
    for (const line of await scene.gateway.outcomesOnce(2)) expect(line.fields['end']).toBe('UH')
    return { requests: 2, attempts: { a: 2 } }
  }),
)
