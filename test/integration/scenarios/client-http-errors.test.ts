/** What errors give away: every way to fail that a client or a host can bring about, and nothing in it but the sentence. */
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { halfClose, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import {
  chunkBytes,
  finalChunk,
  type Headers,
  jsonResponseBytes,
  requestBytes,
  responseBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import { listen } from '../../kit/servers.ts'
import { disclosuresIn } from './disclosures.ts'
import { chatAnswer, chatBytes, contentFrame, expectQuiet, type Scene, scenario } from './scene.ts'

test('X31: what is looked for would be found', () => {
  const planted = [
    'connect ECONNREFUSED 127.0.0.1:8080',
    'see http://studio:1234/v1',
    'Error: x\n    at Relay.run (relay.ts:1:2)',
    'TypeError: x',
    'lmx 1.2.3',
    'Traceback (most recent call last)',
  ]
  expect(planted.filter((text) => disclosuresIn(text).length === 0)).toEqual([])
  expect(disclosuresIn('"n" must be a whole number from 1 to 16.')).toEqual([])
})

const json = { 'content-type': 'application/json' }
const post = (body: string | Buffer, headers: Headers = json, path = '/v1/chat/completions'): Buffer =>
  requestBytes('POST', path, headers, body)

/** Every error that the gateway makes of what a client sends. */
const clientFaults: readonly (Buffer | string)[] = [
  ...[
    '',
    '{',
    '[]',
    'null',
    '{"model":1}',
    '{"model":"m","n":0}',
    '{"model":"m","model":"m"}',
    '\xff',
    `{"a":${'['.repeat(99)}`,
  ].map((body) => post(body)),
  ...['{"model":"unknown"}', '{"model":"copilot/x"}', '{"model":"../../etc/passwd"}', '{"model":"m","stream":"x"}'].map(
    (body) => post(body),
  ),
  post('{"model":"m","previous_response_id":"unknown"}', json, '/v1/responses'),
  ...endpoints.flatMap(({ path }) => [
    requestBytes('GET', path),
    post('x', { 'content-type': 'text/plain' }, path),
    post('x', { ...json, 'content-encoding': 'gzip' }, path),
  ]),
  ...[
    '/',
    '/v1',
    '/nowhere',
    '/metrics',
    '/v1/models/unknown',
    '/v1/../x',
    '/v1/models/%2e%2e/x',
    '/chat/completions',
    '/v1/v1/models',
  ].map((path) => requestBytes('GET', path)),
  post('x', { 'content-type': 'multipart/form-data' }, '/v1/audio/transcriptions'),
  post('--b\r\n', { 'content-type': 'multipart/form-data; boundary=b' }, '/v1/audio/transcriptions'),
  post('', { ...json, 'content-length': '99999999999' }),
  post('', { ...json, expect: 'x' }),
  post('', { ...json, host: 'a b' }),
  'GET / HTTP/1.1\r\n\r\n',
  'GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n',
  'GET / HTTP/3.0\r\nhost: x\r\n\r\n',
  'junk\r\n\r\n',
  `GET / HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
  `GET / HTTP/1.1\r\nhost: x\r\n${'x: y\r\n'.repeat(200)}\r\n`,
  'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n',
  'POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nz\r\n',
]

async function toldBy(scene: Scene, request: Buffer | string): Promise<string> {
  const client = await scene.connect()
  const answer = await scene.ask(request, client)
  client.close()
  return `${answer.startLine}\n${answer.headers.map((pair) => pair.join(': ')).join('\n')}\n\n${answer.text}`
}

/** Dates and ids are no secrets. */
function withoutOwn(text: string): string {
  return text.replace(/^HTTP\/1\.1 .*\n/, '').replaceAll(/^(?:Date|x-request-id|Keep-Alive|retry-after-ms): .*$/gim, '')
}

test('X31: no error that a client brings about says where, by what or at which line', () =>
  scenario({ config: { relay: { bodyMsMax: 200 } } }, async (scene) => {
    const given: string[] = []
    for (const request of clientFaults) {
      const text = await toldBy(scene, request)
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /)
      given.push(...disclosuresIn(withoutOwn(text)))
    }
    expect(given).toEqual([])
    return { requests: scene.gateway.outcomes().length, attempts: {} }
  }))

const chatText = chatAnswer('x')

/** Every way in which a host fails without a sentence of its own. */
const hostFaults: Readonly<Record<string, readonly ScriptStep[]>> = {
  'a reset': [wholeRequest, reset],
  'an end': [wholeRequest, halfClose],
  junk: [wholeRequest, 'junk\r\n\r\n', halfClose],
  'HTTP of another version': [wholeRequest, 'HTTP/9.9 200 OK\r\n\r\n', halfClose],
  'two lengths': [wholeRequest, 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab'],
  'a short answer': [wholeRequest, responseBytes(200, { ...json, 'content-length': '999' }, chatText), halfClose],
  'a short head': [wholeRequest, 'HTTP/1.1 200 OK\r\ncontent-type: app', halfClose],
  'a huge head': [wholeRequest, `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`],
  'HTML with a path': [
    wholeRequest,
    responseBytes(500, { 'content-type': 'text/html' }, '<pre>at /usr/lib/app.py:1 nginx/1.2.3</pre>'),
  ],
  'HTML under status 200': [
    wholeRequest,
    responseBytes(200, { 'content-type': 'text/html' }, '<pre>nginx/1.2.3 at 10.0.0.1</pre>'),
  ],
  'a redirect': [wholeRequest, responseBytes(302, { location: 'http://10.0.0.1:99/login' })],
  'a key refused': [wholeRequest, jsonResponseBytes(401, { error: { message: 'bad key at 10.0.0.1' } })],
  'a status of no meaning': [wholeRequest, responseBytes(599)],
  'no JSON': [wholeRequest, responseBytes(200, json, '{"a":')],
  'headers that say who it is': [
    wholeRequest,
    jsonResponseBytes(
      400,
      { error: { message: 'no' } },
      { server: 'uvicorn/1.2.3', 'x-powered-by': 'Express', via: '1.1 10.0.0.1' },
    ),
  ],
  'an encoding': [wholeRequest, responseBytes(200, { ...json, 'content-encoding': 'gzip' }, 'x')],
  'a stream that resets': [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('x')), reset],
  'a stream that ends': [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('x')), finalChunk],
  'a stream of junk': [wholeRequest, sseHeadBytes(), chunkBytes('data: {junk\n\n'), finalChunk],
  'a stream that breaks its chunks': [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('x')), 'zz\r\n'],
}

test.each(Object.entries(hostFaults))('X31: nor does one that a host brings about by %s', (_what, script) =>
  scenario({ apiKey: 'sk-canary-of-the-host' }, async (scene) => {
    scene.host().playAlways(...script)
    const given: string[] = []
    for (const stream of [false, true])
      given.push(...disclosuresIn(withoutOwn(await toldBy(scene, chatBytes({ stream })))))
    expect(given).toEqual([])
    return { requests: 2, attempts: { a: scene.host().exchanges.length }, secrets: ['sk-canary-of-the-host'] }
  }),
)

test('X31: nor one for which no host can be reached', async () => {
  const gone = await listen(createServer())
  await gone.close()
  await using gateway = await startGateway({
    hosts: [
      { name: 'gone', url: gone.url, kind: 'openai', models: ['m'] },
      { name: 'nameless', url: 'http://nowhere.invalid:8080', kind: 'openai', models: ['m'] },
    ],
    queue: { waitMsMax: 100 },
  })
  const texts: string[] = []
  for (const [path, init] of [
    ['/v1/chat/completions', { method: 'POST', headers: json, body: '{"model":"m","messages":[]}' }],
    ['/v1/chat/completions', { method: 'POST', headers: json, body: '{"model":"other","messages":[]}' }],
    ['/v1/models/other', {}],
    ['/readyz', {}],
  ] as const) {
    const response = await fetch(gateway.url + path, init)
    expect(response.status).toBeGreaterThanOrEqual(400)
    texts.push(await response.text())
  }
  expect(texts.flatMap(disclosuresIn)).toEqual([])
  await expectQuiet(gateway, { requests: 2 })
})
