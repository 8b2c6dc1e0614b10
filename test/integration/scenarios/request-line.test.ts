/** Methods, targets and ids that a client may think up. */
import { expect, test } from 'vitest'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import { chatAnswer, chatBytes, errorOf, type Scene, scenario } from './scene.ts'

interface Route {
  readonly path: string
  readonly allow: 'GET, HEAD' | 'POST'
  readonly listener: 'data' | 'admin'
}

const routes: readonly Route[] = [
  ...endpoints.map(({ path }): Route => ({ path, allow: 'POST', listener: 'data' })),
  ...['/v1/models', '/v1/models/m', '/healthz', '/readyz'].map(
    (path): Route => ({ path, allow: 'GET, HEAD', listener: 'data' }),
  ),
  { path: '/metrics', allow: 'GET, HEAD', listener: 'admin' },
]

function portOf(scene: Scene, { listener }: Pick<Route, 'listener'>): number {
  return listener === 'data' ? scene.gateway.port : Number(new URL(scene.gateway.adminUrl).port)
}

const otherMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']

test.each(routes)(
  'C26: $path of the $listener listener takes $allow and answers every other method with 405',
  (route) =>
    scenario({}, async (scene) => {
      for (const method of otherMethods.filter((other) => !route.allow.split(', ').includes(other))) {
        const client = await scene.connect({ port: portOf(scene, route), bodyless: method === 'HEAD' })
        const answer = await scene.ask(requestBytes(method, route.path), client)
        expect(answer.status, method).toBe(405)
        expect(answer.header('allow')).toBe(route.allow)
        expect(answer.header('x-request-id')).toBeDefined()
        if (method !== 'HEAD') expect(JSON.parse(answer.text)).toHaveProperty('error.message')
      }
      return { requests: 0, attempts: {} }
    }),
)

test.each(routes.filter(({ allow }) => allow === 'GET, HEAD'))('C26: HEAD $path is GET without the body', (route) =>
  scenario({}, async (scene) => {
    const port = portOf(scene, route)
    const got = await scene.ask(requestBytes('GET', route.path), await scene.connect({ port }))
    const client = await scene.connect({ port, bodyless: true })
    const answer = await scene.ask(requestBytes('HEAD', route.path), client)
    expect(answer.status).toBe(got.status)
    expect(answer.header('content-type')).toBe(got.header('content-type'))
    // A body would stand where the next answer is expected.
    expect((await scene.ask(requestBytes('HEAD', route.path), client)).status).toBe(got.status)
    expect(client.received.toString()).toMatch(/\r\n\r\n$/)
    return { requests: 0, attempts: {} }
  }),
)

test.each(['data', 'admin'] as const)('C26: what is no request for a path is refused by the %s listener', (listener) =>
  scenario({}, async (scene) => {
    const port = portOf(scene, { listener })
    // The admin listener has no such name as x.
    const [nowhere, nowhereCode]: [number, string] =
      listener === 'data' ? [404, 'not_found'] : [421, 'misdirected_request']
    const refused: [string, number, string][] = [
      ['OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'invalid_request'],
      ['FOO /v1/models HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'invalid_request'],
      ['get /v1/models HTTP/1.1\r\nhost: x\r\n\r\n', 400, 'invalid_request'],
      ['TRACE /nowhere HTTP/1.1\r\nhost: x\r\n\r\n', nowhere, nowhereCode],
      ['FOO\r\n\r\n', 400, 'invalid_request'],
    ]
    for (const [request, status, code] of refused) {
      const answer = await scene.ask(request, await scene.connect({ port }))
      expect(answer.status, request).toBe(status)
      expect(errorOf(answer).code).toBe(code)
    }
    for (const target of ['other.test:80', '127.0.0.1:1', '/v1/models']) {
      const tunnel = await scene.connect({ port })
      await tunnel.send(`CONNECT ${target} HTTP/1.1\r\nhost: x\r\n\r\n`)
      await tunnel.closed()
      expect(tunnel.received.toString(), target).not.toMatch(/^HTTP\/1\.1 2/)
    }
    expect(scene.host().connectionsOpened).toBe(1)
    return { requests: 0, attempts: {} }
  }),
)

test('C26: TRACE does not echo what a client sent', () =>
  scenario({}, async (scene) => {
    for (const path of ['/v1/models', '/nowhere']) {
      const client = await scene.connect()
      await scene.ask(requestBytes('TRACE', path, { cookie: 'canary-of-a-cookie' }), client)
      expect(client.received.toString()).not.toContain('canary-of-a-cookie')
    }
    return { requests: 0, attempts: {} }
  }))

const replaced: readonly [string, string][] = [
  ['10 KiB', 'a'.repeat(10_240)],
  ['65 characters', 'a'.repeat(65)],
  ['nothing', ''],
  ['ANSI colours', '\x1b[31mred'],
  ['a tab', 'a\tb'],
  ['spaces', 'a b'],
  ['quotes', '"},{"level":"error'],
  ['a line separator in UTF-8', '\xe2\x80\xa8forged'],
  ['slashes', '../../etc'],
  ['two ids', 'a, b'],
]

test.each(replaced)('C37: an x-request-id of %s is replaced, and its line in the log is one line', (_what, id) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const request = Buffer.from(chatBytes().toString('latin1').replace('\r\n', `\r\nx-request-id: ${id}\r\n`), 'latin1')
    const client = await scene.connect()
    await client.send(request)
    const answer = await scene.answer(client)
    await answer.over()
    // Node's parser takes no control characters but the tab.
    const isRefused = id.includes('\x1b')
    expect(answer.status).toBe(isRefused ? 400 : 200)
    if (isRefused) return { requests: 0, attempts: {} }
    const made = answer.header('x-request-id')
    expect(made).toMatch(/^req-[0-9A-Za-z]{22}$/)
    expect((await scene.host().exchange()).request?.header('x-request-id')).toBe(made)
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields['requestId']).toBe(made)
    return { requests: 1, attempts: { a: 1 }, secrets: id.length > 8 ? [id] : [] }
  }),
)

test('C37: an x-request-id folded over two lines, or given twice, is no id', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const head = (lines: string): Buffer => Buffer.from(chatBytes().toString().replace('\r\n', `\r\n${lines}\r\n`))
    const folded = await scene.ask(head('x-request-id: a\r\n forged: line'))
    expect(folded.status).toBe(400)
    const twice = await scene.ask(head('x-request-id: first\r\nx-request-id: second'))
    expect(twice.header('x-request-id')).toMatch(/^req-/)
    return { requests: 1, attempts: { a: 1 } }
  }))

test.each([
  ['letters, digits, dots, dashes', 'Client_1.2-3'],
  ['64 characters', 'a'.repeat(64)],
])('C37: an x-request-id of %s is kept: echoed, logged and sent to the host', (_what, id) =>
  scenario({}, async (scene) => {
    const headers: Headers = { 'x-request-id': id }
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const answer = await scene.ask(chatBytes({}, headers))
    expect(answer.header('x-request-id')).toBe(id)
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields['requestId']).toBe(id)
    expect((await scene.host().exchange()).request?.header('x-request-id')).toBe(id)
    return { requests: 1, attempts: { a: 1 } }
  }),
)
