/** What a client must not be able to reach, steer or learn: keys, lanes, names that leave the network, other paths. */
import { expect, test } from 'vitest'
import { type Endpoint, endpoints } from '../../../src/wire/endpoints.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
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
import type { HttpMessage } from '../../kit/http-message.ts'
import { startLmxDouble } from '../../kit/lmx-double/lmx-double.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  errorOf,
  expectQuiet,
  finishFrame,
  model,
  scenario,
} from './scene.ts'

const json = { 'content-type': 'application/json' }
const okBytes = responseBytes(200, json, chatAnswer('x'))
const story = contentFrame('once') + finishFrame + done

/** Every way to hand over a secret, each with a canary of its own, but for the two that would be refused if they differed (X07). */
const credentials: Headers = {
  authorization: 'Bearer canary-authorization',
  'proxy-authorization': 'Basic canary-proxy',
  'x-api-key': 'canary-authorization',
  'api-key': 'canary-azure-key',
  'x-admin-key': 'canary-admin-key',
  cookie: 'session=canary-cookie',
  'openai-organization': 'canary-organization',
}
const clientSecrets = Object.values(credentials).map((value) => value.slice(value.indexOf('canary')))
const hostKey = 'sk-canary-of-the-host'

test.each<[string, string | undefined]>([
  ['with a key of its own', hostKey],
  ['without a key', undefined],
])("X08: a host %s never sees the client's credentials, in headers or in the query", (_what, apiKey) =>
  scenario(apiKey === undefined ? {} : { apiKey }, async (scene) => {
    scene.host().play(wholeRequest, okBytes)
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story), finalChunk)
    for (const stream of [false, true]) {
      const bytes = chatBytes({ stream }, credentials)
      const request = bytes.toString().replace('/completions HTTP', '/completions?note=canary-query HTTP')
      expect((await scene.ask(request)).status).toBe(200)
    }
    for (const { request, connection } of scene.host().exchanges) {
      expect(request?.header('authorization')).toBe(apiKey === undefined ? undefined : `Bearer ${apiKey}`)
      expect(Buffer.concat(connection.received).toString()).not.toMatch(/canary-(?!of-the)/)
    }
    const secrets = [...clientSecrets, 'canary-query', hostKey]
    return { requests: 2, attempts: { a: 2 }, secrets }
  }),
)

test.each<[string, Buffer]>([
  [
    'headers',
    responseBytes(
      200,
      { ...json, authorization: hostKey, 'x-api-key': hostKey, 'set-cookie': hostKey },
      chatAnswer('x'),
    ),
  ],
  ['a redirect', responseBytes(302, { location: `/login?key=${hostKey}` })],
  ['a 400', jsonResponseBytes(400, { error: { message: `malformed header: Bearer ${hostKey}`, param: hostKey } })],
  ['a 404', jsonResponseBytes(404, { detail: `no such model for ${hostKey}` })],
  ['a 422', jsonResponseBytes(422, { detail: [{ loc: ['header', hostKey], msg: `bad ${hostKey}` }] })],
  ['a 429', jsonResponseBytes(429, { error: `${hostKey} is over its limit` })],
  ['a 500', jsonResponseBytes(500, { error: { message: `headers: {'authorization': 'Bearer ${hostKey}'}` } })],
  ['an error under status 200', responseBytes(200, json, JSON.stringify({ error: { message: `bad ${hostKey}` } }))],
])("X08: the client never sees the host's key, though the host repeats it in %s", async (_where, bytes) => {
  for (const stream of [false, true]) {
    // A host that says it is busy is waited for no longer than this, so that each request meets it once.
    await scenario({ apiKey: hostKey, config: { queue: { waitMsMax: 200 } } }, async (scene) => {
      scene.host().playAlways(wholeRequest, bytes)
      const client = await scene.connect()
      await scene.ask(chatBytes({ stream }), client)
      expect((await scene.host().exchange()).request?.header('authorization')).toBe(`Bearer ${hostKey}`)
      expect(client.received.toString()).not.toContain(hostKey)
      return { requests: 1, attempts: { a: 1 }, secrets: [hostKey] }
    })
  }
})

/** By which a client would steer the host, or pretend to be somebody. */
const steering = {
  'x-priority': 'high',
  'x-serving-lane': 'interactive',
  'x-client-id': 'somebody-else',
  'x-openclaw-agent-id': 'somebody-else',
  'x-forwarded-for': '10.0.0.1',
  'x-forwarded-host': 'other.test',
  'x-forwarded-proto': 'https',
  'x-real-ip': '10.0.0.1',
  'x-original-url': '/admin/status',
  'x-http-method-override': 'DELETE',
  'x-portkey-custom-host': 'http://127.0.0.1:1',
  'x-fake-fault': '{"crash":true}',
  forwarded: 'for=10.0.0.1',
  via: '1.1 other',
  te: 'trailers',
  origin: 'http://other.test',
  referer: 'http://other.test/',
  'idempotency-key': 'one',
  'accept-encoding': 'gzip, br',
  'user-agent': 'client/1',
}

/** A request of each endpoint as raw bytes. */
function requestFor({ path, body }: Endpoint, name: string, headers: Headers): Buffer {
  if (body === 'json')
    return requestBytes('POST', path, { ...json, ...headers }, JSON.stringify({ model: name, input: 'x' }))
  const form = `--b\r\ncontent-disposition: form-data; name="model"\r\n\r\n${name}\r\n--b--\r\n`
  return requestBytes('POST', path, { 'content-type': 'multipart/form-data; boundary=b', ...headers }, form)
}

test.each(endpoints)('X11: of all headers by which a client could steer the host of $path, none arrives', (endpoint) =>
  // The page is let, or none of them would be looked at.
  scenario({ apiKey: hostKey, config: { server: { corsOrigins: [steering.origin] } } }, async (scene) => {
    scene.host().play(wholeRequest, okBytes)
    const asked = { ...steering, ...credentials, accept: 'application/json', 'anthropic-version': '2023-06-01' }
    expect((await scene.ask(requestFor(endpoint, model, asked))).status).toBe(200)
    const { request } = await scene.host().exchange()
    const own = ['accept', 'accept-encoding', 'authorization', 'connection', 'content-length', 'content-type', 'host']
    const names = [...own, 'user-agent', 'x-request-id', ...(endpoint.anthropic ? ['anthropic-version'] : [])]
    expect(request?.headers.map(([name]) => name.toLowerCase()).toSorted()).toEqual(names.toSorted())
    expect(request?.header('user-agent')).toMatch(/^lmx-gateway\//)
    expect(request?.header('host')).toBe(new URL(scene.host().url).host)
    expect(request?.path).toBe(endpoint.path)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

const offLan = [
  'copilot/gpt-4o',
  'github-copilot/gpt-4o',
  'gemini-cli/pro',
  'preset:code',
  'COPILOT/gpt-4o',
  'Preset:Code',
]

test.each(endpoints)('X11: $path refuses names that would leave the network, though the host lists them', (endpoint) =>
  scenario({ hosts: { a: [model, ...offLan] } }, async (scene) => {
    for (const name of offLan) {
      const answer = await scene.ask(requestFor(endpoint, name, {}))
      expect(answer.status, name).toBe(403)
      expect(answer.text).toContain('would leave the local network')
    }
    for (const line of await scene.gateway.outcomesOnce(offLan.length)) {
      expect(line.fields).toMatchObject({ end: 'GA', error: 'model_not_allowed', model: null })
    }
    return { requests: offLan.length, attempts: {} }
  }),
)

test.each([' copilot/gpt-4o', 'copilot%2fgpt-4o', 'auto', `${model}\0`, 'http://127.0.0.1:1/v1'])(
  'X11: a name that no host lists is not passed on for the host to make sense of: %j',
  (name) =>
    scenario({}, async (scene) => {
      const answer = await scene.ask(chatBytes({ model: name }))
      expect(answer.status).toBe(404)
      expect(errorOf(answer).code).toBe('model_not_found')
      return { requests: 1, attempts: {} }
    }),
)

test('X11: a name that would leave the network is passed on where the configuration of a host has it', async () => {
  await using double = await startLmxDouble({ models: ['org/a', 'copilot/gpt-4o', 'gemini-cli/pro'] })
  await using gateway = await startGateway({ hosts: [{ url: double.url, models: ['copilot/gpt-4o'] }] })
  const ask = async (name: string): Promise<number> => {
    const body = JSON.stringify({ model: name, messages: [{ role: 'user', content: 'x' }] })
    const response = await fetch(`${gateway.baseUrl}/chat/completions`, { method: 'POST', headers: json, body })
    await response.text()
    return response.status
  }
  expect([await ask('copilot/gpt-4o'), await ask('gemini-cli/pro')]).toEqual([200, 403])
  expect(double.inferenceRequests.map((request) => request.json)).toEqual([
    expect.objectContaining({ model: 'copilot/gpt-4o' }),
  ])
  await expectQuiet(gateway, { requests: 2 })
})

/** Every path of an LMX host that is not relayed, the optional ones included. */
const lmxRoutes: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/v1/discovery'],
  ['GET', '/.well-known/opta-lmx'],
  ['GET', '/v1/chat/stream'],
  ['POST', '/v1/rag/ingest'],
  ['POST', '/v1/rag/query'],
  ['POST', '/v1/rag/context'],
  ['GET', '/v1/rag/collections'],
  ['DELETE', '/v1/rag/collections/x'],
  ['GET', '/v1/skills'],
  ['POST', '/v1/skills/x/execute'],
  ['POST', '/v1/skills/mcp/call'],
  ['POST', '/mcp/call'],
  ['GET', '/mcp/tools'],
  ['POST', '/v1/agents/runs'],
  ['GET', '/v1/agents/runs'],
  ['GET', '/v1/agents/runs/x'],
  ['POST', '/v1/agents/runs/x/cancel'],
  ['GET', '/v1/agents/runs/x/events'],
  ['GET', '/v1/sessions'],
  ['GET', '/metrics'],
  ['GET', '/docs'],
  ['GET', '/openapi.json'],
  ['GET', '/admin/health'],
  ['GET', '/admin/diagnostics'],
  ['GET', '/admin/status'],
  ['GET', '/admin/memory'],
  ['GET', '/admin/models'],
  ['GET', '/admin/models/available'],
  ['POST', '/admin/models/load'],
  ['POST', '/admin/models/load/confirm'],
  ['POST', '/admin/models/unload'],
  ['DELETE', '/admin/models/org%2Fa'],
  ['POST', '/admin/models/download'],
  ['GET', '/admin/models/downloads'],
  ['GET', '/admin/models/download/x/progress'],
  ['POST', '/admin/models/probe'],
  ['GET', '/admin/models/compatibility'],
  ['POST', '/admin/models/autotune'],
  ['GET', '/admin/models/org%2Fa/performance'],
  ['POST', '/admin/benchmark'],
  ['POST', '/admin/benchmark/run'],
  ['GET', '/admin/presets'],
  ['GET', '/admin/stack'],
  ['POST', '/admin/quantize'],
  ['GET', '/admin/predictor'],
  ['GET', '/admin/helpers'],
  ['GET', '/admin/device'],
  ['GET', '/admin/sessions'],
  ['GET', '/admin/logs'],
  ['POST', '/admin/config/reload'],
  ['GET', '/admin/events'],
  ['GET', '/admin/metrics'],
  ['GET', '/admin/metrics/json'],
  ['POST', '/admin/rag/index'],
]

test('X12: of an LMX host only the relayed paths can be reached', async () => {
  await using double = await startLmxDouble({ models: ['org/a'] })
  await using gateway = await startGateway({ hosts: [{ url: double.url }], probe: { everyMs: 600_000 } })
  const seenByHost = double.requests.length
  const wrong: string[] = []
  for (const [method, path] of lmxRoutes) {
    for (const spelled of [path, `${path}/`, `/${path}`, path.toUpperCase()]) {
      const init = method === 'POST' ? { headers: json, body: '{"model_id":"org/a","model":"org/a"}' } : {}
      const response = await fetch(`${gateway.url}${spelled}`, { method, ...init })
      const text = await response.text()
      if (response.status !== 404 || !text.includes('"error"')) wrong.push(`${method} ${spelled}: ${response.status}`)
    }
  }
  expect(wrong).toEqual([])
  expect(double.requests.slice(seenByHost)).toEqual([])
  await expectQuiet(gateway, { requests: 0 })
})

test('X12: an upgrade to a WebSocket is no way around it', () =>
  scenario({}, async (scene) => {
    const seenByHost = scene.host().soundRequests.length
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    }
    for (const path of ['/v1/chat/stream', '/v1/chat/completions', '/v3/ws']) {
      const answer = await scene.ask(requestBytes('GET', path, upgrade))
      expect(answer.status, path).toBe(path === '/v1/chat/completions' ? 405 : 404)
    }
    expect(scene.host().soundRequests).toHaveLength(seenByHost)
    return { requests: 0, attempts: {} }
  }))

const ownNames = [
  'authorization',
  'x-request-id',
  'user-agent',
  'accept-encoding',
  'content-type',
  'content-length',
  'host',
]

test.each([ownNames, [...ownNames, 'close'], ownNames.map((name) => name.toUpperCase())])(
  "X33: a client cannot strip the gateway's own headers by naming them in Connection (%#)",
  (...names) =>
    scenario({ apiKey: hostKey }, async (scene) => {
      scene.host().play(wholeRequest, okBytes)
      const answer = await scene.ask(chatBytes({}, { connection: names.join(', '), 'x-request-id': 'mine' }))
      expect(answer.status).toBe(200)
      expect(answer.header('x-request-id')).toBe('mine')
      const { request } = await scene.host().exchange()
      expect(request?.header('authorization')).toBe(`Bearer ${hostKey}`)
      expect(request?.header('x-request-id')).toBe('mine')
      expect(request?.header('user-agent')).toMatch(/^lmx-gateway\//)
      expect(request?.header('accept-encoding')).toBe('identity')
      expect(request?.header('content-type')).toBe('application/json')
      expect(request?.header('connection')).toBe('keep-alive')
      return { requests: 1, attempts: { a: 1 } }
    }),
)

const adminPaths = [
  '/metrics',
  '/admin',
  '/admin/',
  '/admin/keys',
  '/admin/hosts',
  '/admin/config',
  '/dashboard',
  '/mcp',
  '/events',
]
const dataPaths = [...endpoints.map(({ path }) => path), '/v1/models', '/v1/models/m', '/healthz', '/readyz']

test('X39: nothing of the admin listener is on the data port, whoever asks', () =>
  scenario({ config: { admin: { metricsToken: 'a-token-of-the-operator' } } }, async (scene) => {
    for (const path of adminPaths) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const answer = await scene.ask(requestBytes(method, path, { authorization: 'Bearer a-token-of-the-operator' }))
        expectNotThere(answer, `${method} ${path}`)
        expect(answer.text).not.toContain('lmx_gateway_')
      }
    }
    return { requests: 0, attempts: {}, secrets: ['a-token-of-the-operator'] }
  }))

test('X39: nothing of the data listener is on the admin port', () =>
  scenario({}, async (scene) => {
    const { adminUrl, adminToken } = scene.gateway
    const port = Number(new URL(adminUrl).port)
    const operator = { ...json, authorization: `Bearer ${adminToken}` }
    for (const path of dataPaths) {
      for (const method of ['GET', 'POST']) {
        const body = method === 'POST' ? '{}' : ''
        const answer = await scene.ask(requestBytes(method, path, operator, body), await scene.connect({ port }))
        expectNotThere(answer, `${method} ${path}`)
        // Without the token not even that is told.
        const stranger = await scene.ask(requestBytes(method, path, json, body), await scene.connect({ port }))
        expect(stranger.status).toBe(401)
      }
    }
    return { requests: 0, attempts: {}, secrets: [adminToken] }
  }))

function expectNotThere(answer: HttpMessage, what: string): void {
  expect(answer.status, what).toBe(404)
  expect(JSON.parse(answer.text)).toHaveProperty('error.message')
}
