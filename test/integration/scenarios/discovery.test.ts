/** What a stranger can find out from the listener of clients: that there is one. */
import { createSocket } from 'node:dgram'
import { expect, onTestFinished, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { disclosuresIn } from './disclosures.ts'
import { chatAnswer, chatBytes, errorOf, scenario } from './scene.ts'

/** Where programs tell who they are, and what they should not. */
const paths = [
  '/',
  '/.well-known/',
  '/.well-known/agent.json',
  '/.well-known/ai-plugin.json',
  '/.well-known/change-password',
  '/.well-known/http-opportunistic',
  '/.well-known/mcp.json',
  '/.well-known/oauth-authorization-server',
  '/.well-known/oauth-protected-resource',
  '/.well-known/openid-configuration',
  '/.well-known/security.txt',
  '/metrics',
  '/admin',
  '/admin/keys',
  '/admin/openapi.json',
  '/api/tags',
  '/api/version',
  '/debug/pprof/',
  '/docs',
  '/favicon.ico',
  '/health',
  '/info',
  '/openapi.json',
  '/.env',
  '/props',
  '/robots.txt',
  '/server-status',
  '/slots',
  '/v1',
  '/v1/admin',
  '/v1/keys',
  '/version',
] as const

const usualHeaders = [
  'content-type',
  'content-length',
  'date',
  'connection',
  'keep-alive',
  'x-request-id',
  'x-should-retry',
]

/** All that the answer says, less its date and the id that it has alone. */
function wholeText({ headers, text }: HttpMessage): string {
  const told = headers.filter(([name]) => !/^(?:date|x-request-id|content-length|keep-alive)$/i.test(name))
  return `${told.map((header) => header.join(': ')).join('\n')}\n${text}`
}

test.each(['GET', 'HEAD', 'POST'])('X40: there is nothing to discover, by %s', (method) =>
  scenario({ apiKey: 'key-of-the-host' }, async (scene) => {
    const asked = scene.host().soundRequests.length
    for (const path of paths) {
      const client = await scene.connect({ bodyless: method === 'HEAD' })
      const answer = await scene.ask(requestBytes(method, path), client)
      client.close()
      expect([path, answer.status]).toEqual([path, 404])
      if (method !== 'HEAD') {
        const { code, message } = errorOf(answer)
        expect(code).toBe('not_found')
        expect(message).toMatch(/^There is no (?:GET|POST) \S+ here\.(?: The base URL ends in \/v1, once: \S+\.)?$/)
      }
      expectSaysNothing(answer, path)
    }
    expect(scene.host().soundRequests).toHaveLength(asked)
    return { requests: 0, attempts: {}, secrets: ['key-of-the-host'] }
  }),
)

test('X40: what anybody may ask says whether it runs and no more', () =>
  scenario({ apiKey: 'key-of-the-host', hosts: { 'host-by-name': ['secret-model'] } }, async (scene) => {
    const healthz = await scene.ask(requestBytes('GET', '/healthz'))
    expect([healthz.status, healthz.text]).toEqual([200, '{"status":"ok"}'])
    const readyz = await scene.ask(requestBytes('GET', '/readyz'))
    expect([readyz.status, readyz.text]).toEqual([200, '{"status":"ready"}'])
    for (const answer of [healthz, readyz]) expectSaysNothing(answer)
    return { requests: 0, attempts: {} }
  }))

test('X40: nor is it announced to the network', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    await scene.ask(chatBytes())
    expect(datagramSockets()).toBe(0)
    // That one would be seen.
    const socket = createSocket('udp4')
    onTestFinished(() => void socket.close())
    await new Promise<void>((resolve) => {
      socket.bind(0, '127.0.0.1', resolve)
    })
    expect(datagramSockets()).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('X34: the address that a proxy tells reaches neither a host nor a log nor a metric', () =>
  scenario({ config: { server: { trustedProxies: ['127.0.0.0/8'] } } }, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const told = { 'x-forwarded-for': '198.51.100.77', forwarded: 'for=198.51.100.77', 'x-real-ip': '198.51.100.77' }
    expect((await scene.ask(chatBytes({}, told))).status).toBe(200)
    const { request } = await scene.host().exchange()
    expect(JSON.stringify(request?.headers)).not.toContain('198.51.100.77')
    return { requests: 1, attempts: { a: 1 }, secrets: ['198.51.100.77'] }
  }))

function datagramSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name.startsWith('UDP')).length
}

/** No name of a program, no version, no key, no model, no host, no address. */
function expectSaysNothing(answer: HttpMessage, path = ''): void {
  const names = answer.headers.map(([name]) => name.toLowerCase())
  expect(names.filter((name) => !usualHeaders.includes(name))).toEqual([])
  const text = wholeText(answer).replaceAll(path, '')
  expect(disclosuresIn(text)).toEqual([])
  expect(text).not.toMatch(/lmx|hono|node|undici|0\.0\.0|key-of-the-host|secret-model|host-by-name|127\.0\.0\.1/i)
}
