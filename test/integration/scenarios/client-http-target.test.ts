/** Paths, hosts and methods spelled so that one reader finds in them what another one does not. */
import { expect, test } from 'vitest'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { keyedBytes } from './access-scene.ts'
import { chatAnswer, chatBytes, errorOf, model, type Scene, scenario } from './scene.ts'

const ok = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
const body = JSON.stringify({ model, messages: [], input: 'x' })

/** Each makes of a path another spelling that somebody may take for the same, or for one above or beside it. */
const spellings: readonly ((path: string) => string)[] = [
  (path) => `/.${path}`,
  (path) => `/..${path}`,
  (path) => `/x/..${path}`,
  (path) => `/%2e%2e${path}`,
  (path) => `/x/%2e%2e${path}`,
  (path) => `/x/.%2E${path}`,
  (path) => `/v1/models/..${path}`,
  (path) => `/v1/models/../..${path}`,
  (path) => `/v1/models/%2e%2e/%2e%2e${path}`,
  (path) => `/v1/models/..%2f..${path}`,
  (path) => `/v1/..;/..;${path}`,
  (path) => `/..;${path}`,
  (path) => `/x;/..;${path}`,
  (path) => `/${path}`,
  (path) => `//x/..${path}`,
  (path) => `//other.test${path}`,
  (path) => `${path}/`,
  (path) => `${path}//`,
  (path) => `${path}/.`,
  (path) => `${path}/..`,
  (path) => `${path}/x/..`,
  (path) => `${path}/%2e`,
  (path) => `${path}%2f`,
  (path) => `${path}%00`,
  (path) => `${path}%0a`,
  (path) => `${path}%0d%0a`,
  (path) => `${path}%20`,
  (path) => `${path}%09`,
  (path) => `${path};x`,
  (path) => `${path};x=y/`,
  (path) => `${path}.json`,
  (path) => `${path}#`,
  (path) => `${path}#/x`,
  (path) => `${path}%23`,
  (path) => `${path}%3f`,
  (path) => `${path}\\`,
  (path) => `\\${path}`,
  (path) => `/\\${path}`,
  (path) => `/x\\..${path}`,
  (path) => `/x/..\\${path.slice(1)}`,
  (path) => path.replaceAll('/', '\\'),
  (path) => path.replaceAll('/', '%2f'),
  (path) => path.replaceAll('/', '%5c'),
  (path) => path.replaceAll('/', '%252f'),
  (path) => path.replaceAll('/', '//'),
  (path) => path.replaceAll('/', '/./'),
  (path) => path.replaceAll('/', '/%2e/'),
  (path) => path.replaceAll('/', '/x/../'),
  (path) => path.replaceAll('/', '%c0%af'),
  (path) => path.replaceAll('/', '%ef%bc%8f'),
  (path) => path.toUpperCase(),
  (path) => path.replace(/[a-z]/, (letter) => letter.toUpperCase()),
  (path) => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replaceAll(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/[a-z]/, (letter) => `%25${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/[a-z]/, (letter) => `%u00${letter.charCodeAt(0).toString(16)}`),
  (path) => path.replace(/[a-z]/, '%'),
  (path) => `/%c0%ae%c0%ae${path}`,
  (path) => `/%e0%80%ae${path}`,
  (path) => `/\xef\xbc\x8e\xef\xbc\x8e${path}`,
  (path) => `/%ff${path}`,
  (path) => `/%${path}`,
  (path) => `/%2${path}`,
  (path) => `${path}\xff`,
  (path) => `/\x7f${path}`,
  (path) => path.slice(1),
  (path) => `*${path}`,
  (path) => `?${path}`,
  (path) => `/?${path}`,
  (path) => `/x?${path}`,
  (path) => `file://${path}`,
  (path) => `gopher://x${path}`,
  (path) => `http:${path}`,
  (path) => `http:/${path}`,
  (path) => `http://x\\${path}`,
  (path) => `http://x/..${path}`,
  (path) => `http://x#${path}`,
  (path) => `http://x?${path}`,
  (path) => `http://x/%2e%2e${path}`,
]

/** What there is, on either listener, and what a careless path check would keep away from others. */
const routes = [...endpoints.map(({ path }) => path), '/v1/models', '/healthz', '/readyz', '/metrics', '/admin/status']

test.each(routes)('C29: %s has one spelling; every other is nowhere and reaches no host', (path) =>
  scenario({ config: { admin: { metricsToken: 'a-token-of-the-operator' } } }, async (scene) => {
    const asked = scene.host().soundRequests.length
    const wrong: string[] = []
    for (const spell of spellings) {
      const target = spell(path)
      if (target === path) continue
      for (const method of ['GET', 'POST']) {
        const answer = await told(scene, method, target)
        if (![400, 404].includes(answer.status)) wrong.push(`${method} ${target}: ${answer.status}`)
        if (answer.text.includes('lmx_gateway_')) wrong.push(`${method} ${target}: metrics`)
        if (errorOf(answer).message === '') wrong.push(`${method} ${target}: no message`)
      }
    }
    expect(wrong).toEqual([])
    expect(scene.host().soundRequests).toHaveLength(asked)
    return { requests: 0, attempts: {}, secrets: ['a-token-of-the-operator'] }
  }),
)

/** By a connection of its own: some of these end it. */
async function told(scene: Scene, method: string, target: string): Promise<HttpMessage> {
  const length = method === 'POST' ? `content-type: application/json\r\ncontent-length: ${body.length}\r\n` : ''
  const head = `${method} ${target} HTTP/1.1\r\nhost: x\r\n${length}\r\n${method === 'POST' ? body : ''}`
  const client = await scene.connect()
  const answer = await scene.ask(Buffer.from(head, 'latin1'), client)
  client.close()
  return answer
}

test('C29: of the names below /v1/models a slash may be written as it likes, and a name is only ever a name', () =>
  scenario({ hosts: { a: ['org/model', 'a b', 'ä', '..'] } }, async (scene) => {
    const found = ['org/model', 'org%2Fmodel', 'org%2fmodel', 'a%20b', '%C3%A4', '%6frg/model', 'org/model?x=/../y']
    for (const name of found) {
      expect((await scene.ask(requestBytes('GET', `/v1/models/${name}`))).status, name).toBe(200)
    }
    const nowhere = [
      'org//model',
      'org/./model',
      'x/../org/model',
      '..',
      '%2e%2e',
      'org%252Fmodel',
      'org\\model',
      '%zz',
      '%',
      '%00',
      'org/model/',
    ]
    for (const name of nowhere) {
      const answer = await scene.ask(requestBytes('GET', `/v1/models/${name}`))
      expect([400, 404], name).toContain(answer.status)
    }
    return { requests: 0, attempts: {} }
  }))

test('C28: of an absolute target the path counts, and nobody is asked at the host that it names', () =>
  scenario({ hosts: { a: [model], b: [] } }, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const other = scene.host('b')
    const asked = other.soundRequests.length
    const { host } = new URL(other.url)
    for (const origin of [`http://${host}`, `https://${host}`, `http://user:pw@${host}`, 'http://other.test']) {
      const bytes = chatBytes().toString().replace(' /v1', ` ${origin}/v1`)
      expect((await scene.ask(bytes)).status, origin).toBe(200)
      expect((await scene.ask(`GET ${origin}/v1/models HTTP/1.1\r\nhost: x\r\n\r\n`)).status).toBe(200)
      expect((await scene.ask(`GET ${origin}/nowhere HTTP/1.1\r\nhost: x\r\n\r\n`)).status).toBe(404)
      expect((await scene.ask(`GET ${origin} HTTP/1.1\r\nhost: x\r\n\r\n`)).status).toBe(400)
    }
    for (const { request } of scene.host().exchanges) {
      expect(request?.path).toBe('/v1/chat/completions')
      expect(request?.header('host')).toBe(new URL(scene.host().url).host)
    }
    expect(other.soundRequests).toHaveLength(asked)
    return { requests: 4, attempts: { a: 4 } }
  }))

/** By which some servers are told another path, host or method than the request line has. */
const overrides: readonly Headers[] = [
  { 'x-original-url': '/metrics' },
  { 'x-rewrite-url': '/metrics' },
  { 'x-forwarded-prefix': '/admin' },
  { 'x-forwarded-host': 'other.test', 'x-forwarded-proto': 'https', 'x-forwarded-port': '1' },
  { forwarded: 'host=other.test;proto=https;for="[::1]"' },
  { 'x-host': 'other.test' },
  { 'x-http-method-override': 'GET' },
  { 'x-http-method': 'DELETE' },
  { 'x-method-override': 'PUT' },
  { host: 'other.test' },
  { host: 'other.test:99' },
  { host: '169.254.169.254' },
  { host: '127.0.0.1:4001' },
  { host: 'localhost' },
  { host: '[::1]:4001' },
  { host: 'OTHER.test' },
  { host: 'xn--bcher-kva.test' },
]

test.each(overrides)('C30: %j changes neither where a request goes nor what it is', (headers) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    expect((await scene.ask(chatBytes({}, headers))).status).toBe(200)
    expect((await scene.ask(requestBytes('GET', '/v1/models', headers))).text).toContain('"object":"list"')
    expect((await scene.ask(requestBytes('GET', '/nowhere', headers))).status).toBe(404)
    expect((await scene.ask(requestBytes('GET', '/v1/chat/completions', headers))).status).toBe(405)
    expect((await scene.ask(requestBytes('GET', '/metrics', headers))).status).toBe(404)
    const { request } = await scene.host().exchange()
    expect(request?.startLine).toBe('POST /v1/chat/completions HTTP/1.1')
    expect(request?.header('host')).toBe(new URL(scene.host().url).host)
    const arrived = request?.headers.map(([name]) => name.toLowerCase()) ?? []
    expect(Object.keys(headers).filter((name) => name !== 'host' && arrived.includes(name))).toEqual([])
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each(['', 'a b', 'a/b', 'a\\b', 'a@b', 'a?b', 'a#b', 'a,b', '[::1', 'x:99999', 'x:y', '%00', 'ä', ':80'])(
  'C30: a host of %j is refused or counts for nothing',
  (host) =>
    scenario({}, async (scene) => {
      const bytes = `GET /healthz HTTP/1.1\r\nhost: ${host}\r\n\r\n`
      const answer = await scene.ask(Buffer.from(bytes, 'latin1'))
      expect([200, 400]).toContain(answer.status)
      if (answer.status === 400) expect(errorOf(answer).code).toBe('invalid_request')
      const nowhere = await scene.ask(Buffer.from(bytes.replace('healthz', 'metrics'), 'latin1'))
      expect([400, 404]).toContain(nowhere.status)
      return { requests: 0, attempts: {} }
    }),
)

const ownNames = [undefined, '127.0.0.1:4001', 'localhost', '[::1]:4001']

test.each(overrides)(
  'C30: on the admin listener %j opens nothing, and a name that is not its own is refused',
  (headers) =>
    scenario({}, async (scene) => {
      const { adminUrl, adminToken } = scene.gateway
      const port = Number(new URL(adminUrl).port)
      const operator = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' }
      const foreign = !ownNames.includes(headers['host'])
      const asked: [string, string, Headers, number][] = [
        ['GET', '/admin/keys', {}, 401],
        ['GET', '/metrics', {}, 200],
        ['GET', '/nowhere', {}, 401],
        ['GET', '/nowhere', operator, 404],
        ['GET', '/v1/models', operator, 404],
        ['GET', '/admin/keys', operator, 200],
        ['POST', '/admin/teams', operator, 405],
      ]
      for (const [method, path, more, status] of asked) {
        const answer = await scene.ask(
          requestBytes(method, path, { ...headers, ...more }),
          await scene.connect({ port }),
        )
        expect([method, path, answer.status]).toEqual([method, path, foreign ? 421 : status])
        expect(answer.header('x-content-type-options')).toBe('nosniff')
        if (foreign) expect(errorOf(answer).code).toBe('misdirected_request')
      }
      return { requests: 0, attempts: {}, secrets: [adminToken] }
    }),
)

const isOfOrigins = /^(access-control-|vary|cross-origin)/i

test.each([...endpoints.map(({ path }) => path), '/v1/models', '/healthz', '/nowhere', '/metrics'])(
  'C27: a browser of another origin that asks whether it may is told nothing: %s',
  (path) =>
    scenario({}, async (scene) => {
      const preflight = {
        origin: 'http://other.test',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type',
        'access-control-request-private-network': 'true',
      }
      const adminPort = Number(new URL(scene.gateway.adminUrl).port)
      for (const port of [scene.gateway.port, adminPort]) {
        for (const method of ['OPTIONS', 'GET']) {
          const answer = await scene.ask(requestBytes(method, path, preflight), await scene.connect({ port }))
          if (port === adminPort) expect(answer.status).toBe(403)
          else if (method === 'OPTIONS') expect([403, 404, 405]).toContain(answer.status)
          const allowing = answer.headers.filter(([name, value]) => isOfOrigins.test(name) && value !== 'same-origin')
          expect(allowing).toEqual([])
        }
      }
      return { requests: 0, attempts: {} }
    }),
)

test('C27: where keys are asked for it is told that its page is not let, not that it lacks one', () =>
  scenario({}, async (scene) => {
    const { key } = await scene.gateway.createKey({ name: 'k' })
    const preflight = { origin: 'http://other.test', 'access-control-request-method': 'POST' }
    for (const path of [...endpoints.map((endpoint) => endpoint.path), '/v1/models', '/v1/nowhere']) {
      for (const more of [{}, { authorization: `Bearer ${key}` }]) {
        const answer = await scene.ask(requestBytes('OPTIONS', path, { ...preflight, ...more }))
        expect([path, answer.status]).toEqual([path, 403])
        expect(answer.text).toMatch(/permission_(?:denied|error)/)
        expect(answer.text).toContain('server.corsOrigins')
        expect(answer.headers.filter(([name]) => /^access-control-/i.test(name))).toEqual([])
      }
      // What is no such question is asked for a key as before.
      for (const more of [{ origin: preflight.origin }, { 'access-control-request-method': 'POST' }])
        expect((await scene.ask(requestBytes('OPTIONS', path, more))).status).toBe(401)
    }
    return { requests: 0, attempts: {} }
  }))

test('C27: nor is it told by the answer of a host', () =>
  scenario({}, async (scene) => {
    const allowing = { 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'true' }
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x')), allowing))
    const created = await scene.gateway.createKey({ name: 'k' })
    const answer = await scene.ask(keyedBytes(created, {}, { origin: 'http://other.test' }))
    expect(answer.status).toBe(200)
    expect(answer.headers.filter(([name]) => /^access-control-/i.test(name))).toEqual([])
    return { requests: 1, attempts: { a: 1 } }
  }))
