/** Pages that call the gateway from a browser: those of the configured origins are let, and of all others nothing is said. */
import { describe, expect, test } from 'vitest'
import { serverOptions } from '../../../src/http/options.ts'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import {
  chunkBytes,
  finalChunk,
  type Headers,
  jsonRequestBytes,
  jsonResponseBytes,
  requestBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { keyedBytes } from './access-scene.ts'
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

const origin = 'https://app.example.org'
const others = ['http://localhost:5173', 'https://HOME.example.org:443']
const letting: SceneOptions = { config: { server: { corsOrigins: [origin, ...others] } } }
const whole = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
/** As a browser asks for OpenAI's client. */
const requested = 'authorization,content-type,x-stainless-arch,x-stainless-lang,x-stainless-os,x-stainless-retry-count'

function preflight(from: string, headers: Headers = {}): Headers {
  return {
    origin: from,
    'access-control-request-method': 'POST',
    'access-control-request-headers': requested,
    ...headers,
  }
}

/** What the answer says to a browser. */
function said(answer: HttpMessage): Record<string, string> {
  const names = answer.headers.filter(([name]) => /^(?:access-control-|vary$|cross-origin)/i.test(name))
  return Object.fromEntries(names.map(([name, value]) => [name.toLowerCase(), value]))
}

const allowed = { 'access-control-allow-origin': origin, vary: 'Origin' }
const paths = [...endpoints.map(({ path }) => path), '/v1/models', '/v1/models/x', '/healthz', '/nowhere', '/metrics']

describe('the question beforehand', () => {
  test.each(paths)('X22: is answered without a key, and alike whatever there is: %s', (path) =>
    scenario(letting, async (scene) => {
      const asked = scene.host().soundRequests.length
      const client = await scene.connect()
      // On one connection, which an answer without a body leaves as it was.
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await scene.ask(requestBytes('OPTIONS', path, preflight(origin)), client)
        expect([answer.status, answer.text]).toEqual([204, ''])
        expect(said(answer)).toEqual({
          ...allowed,
          'access-control-allow-methods': 'GET, POST',
          'access-control-allow-headers': requested,
          'access-control-max-age': '7200',
        })
      }
      expect(scene.host().soundRequests).toHaveLength(asked)
      return { requests: 0, attempts: {} }
    }),
  )

  test.each([
    'http://app.example.org',
    'https://app.example.org:8443',
    'https://app.example.org.evil.test',
    'https://evil.test/https://app.example.org',
    'https://xapp.example.org',
    'https://example.org',
    'https://APP.example.org',
    'https://app.example.org/',
    'app.example.org',
    'http://localhost',
    'http://localhost:51733',
    'null',
    'file://',
    '*',
    '',
  ])('X22: of a foreign origin is no question to us: %j', (foreign) =>
    scenario(letting, async (scene) => {
      for (const path of ['/v1/chat/completions', '/v1/models', '/nowhere']) {
        const answer = await scene.ask(requestBytes('OPTIONS', path, preflight(foreign)))
        expect([403, 404, 405]).toContain(answer.status)
        expect(said(answer)).toEqual({ vary: 'Origin' })
      }
      const refused = await scene.ask(chatBytes({}, { origin: foreign }))
      expect([refused.status, errorOf(refused).code, said(refused)]).toEqual([
        403,
        'permission_denied',
        { vary: 'Origin' },
      ])
      // With a key nobody asks where its owner sends it from; that such a page reads nothing is its browser's affair.
      const created = await scene.gateway.createKey({ name: 'k' })
      scene.host().play(wholeRequest, whole)
      const answer = await scene.ask(keyedBytes(created, {}, { origin: foreign }))
      expect([answer.status, said(answer)]).toEqual([200, { vary: 'Origin' }])
      return { requests: 2, attempts: { a: 1 } }
    }),
  )

  test('X22: each configured origin is told its own name, as browsers write it', () =>
    scenario(letting, async (scene) => {
      for (const one of [origin, 'http://localhost:5173', 'https://home.example.org']) {
        const answer = await scene.ask(requestBytes('OPTIONS', '/v1/models', preflight(one)))
        expect(answer.header('access-control-allow-origin')).toBe(one)
      }
      return { requests: 0, attempts: {} }
    }))

  test.each(['a b', 'a,,b', ',', 'a;b', 'a: b', '*', '"a"', 'ä', 'a,<b>', 'x'.repeat(1_025)])(
    'X22: what is no list of names is not repeated: %j',
    (names) =>
      scenario(letting, async (scene) => {
        const headers = preflight(origin, { 'access-control-request-headers': names })
        const answer = await scene.ask(requestBytes('OPTIONS', '/v1/models', headers))
        expect(answer.status).toBe(204)
        expect(answer.header('access-control-allow-headers')).toBeUndefined()
        return { requests: 0, attempts: {} }
      }),
  )

  test('X22: OPTIONS with a body, or without a method to ask for, is what it was', () =>
    scenario(letting, async (scene) => {
      const bare = await scene.ask(requestBytes('OPTIONS', '/v1/models', { origin }))
      expect(bare.status).toBe(405)
      const body = await scene.ask(requestBytes('OPTIONS', '/v1/models', preflight(origin), 'x'))
      expect(body.status).toBe(405)
      const huge = await scene.ask(requestBytes('OPTIONS', '/v1/models', preflight(origin), 'x'.repeat(100_000)))
      expect(huge.status).toBe(413)
      for (const answer of [bare, body, huge]) expect(said(answer)).toMatchObject(allowed)
      return { requests: 0, attempts: {} }
    }))
})

describe('the answer itself', () => {
  test('X22: may be read, with its headers, whole, as a stream and as every kind of error; the host has no say in it', () =>
    scenario(letting, async (scene) => {
      const own = { origin }
      const answers: HttpMessage[] = []
      const ofHost = {
        'access-control-allow-origin': '*',
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': '*',
        vary: 'accept',
      }
      scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x')), ofHost))
      answers.push(await scene.ask(chatBytes({}, own)))
      const frames = [contentFrame('x'), finishFrame, done].map(chunkBytes)
      scene.host().play(wholeRequest, sseHeadBytes(ofHost), ...frames, finalChunk)
      answers.push(await scene.ask(chatBytes({ stream: true }, own)))
      scene.host().play(wholeRequest, jsonResponseBytes(500, {}, ofHost))
      answers.push(await scene.ask(chatBytes({}, own)))
      answers.push(await scene.ask(chatBytes({ model: 'none' }, own)))
      answers.push(
        await scene.ask(requestBytes('POST', '/v1/chat/completions', { ...own, 'content-type': 'text/plain' }, '{}')),
      )
      answers.push(await scene.ask(jsonRequestBytes('/v1/chat/completions', 1, own)))
      answers.push(await scene.ask(requestBytes('GET', '/nowhere', own)))
      answers.push(await scene.ask(requestBytes('GET', '/x/../y', own)))
      answers.push(await scene.ask(requestBytes('GET', '/v1/models', own)))
      answers.push(await scene.ask(requestBytes('GET', '/healthz', own)))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 502, 404, 415, 400, 404, 404, 200, 200])
      for (const answer of answers) {
        const { 'access-control-expose-headers': list = '', ...rest } = said(answer)
        expect(rest).toEqual(allowed)
        const exposed = list.split(', ')
        expect(exposed).toEqual(expect.arrayContaining(['retry-after', 'x-ratelimit-remaining-tokens']))
        const names = answer.headers.map(([name]) => name.toLowerCase())
        // That one is for a proxy in between.
        const ours = names.filter((name) => /^x-|^retry/.test(name) && name !== 'x-accel-buffering')
        expect(exposed).toEqual(expect.arrayContaining(ours))
      }
      return { requests: 6, attempts: { a: 3 } }
    }))

  test('X22: what is asked without an origin says only that it would depend on one', () =>
    scenario(letting, async (scene) => {
      expect(said(await scene.ask(requestBytes('GET', '/v1/models')))).toEqual({ vary: 'Origin' })
      return { requests: 0, attempts: {} }
    }))

  test('X22: the listener of the operator has none of this', () =>
    scenario(letting, async (scene) => {
      const port = Number(new URL(scene.gateway.adminUrl).port)
      for (const method of ['OPTIONS', 'GET']) {
        const answer = await scene.ask(
          requestBytes(method, '/metrics', preflight(origin)),
          await scene.connect({ port }),
        )
        expect(answer.status).not.toBe(204)
        expect(Object.keys(said(answer)).filter((name) => name.startsWith('access-control-'))).toEqual([])
      }
      return { requests: 0, attempts: {} }
    }))
})

/** What a browser sends on behalf of a page without asking the gateway beforehand: the hosts would work for it, unseen. */
describe('a page that nobody let in, where keys are not asked for', () => {
  const fromPage = (scene: Scene): readonly Headers[] => [
    { origin: 'https://evil.test' },
    { origin: 'null' },
    { origin: '' },
    { origin: 'app://evil' },
    { origin: `${origin}, https://evil.test` },
    // By a name of the page's own that was turned to our address, so that to the browser it is one and the same.
    { origin: `http://evil.test:${scene.gateway.port}`, host: `evil.test:${scene.gateway.port}` },
    { origin: `http://127.0.0.1:${scene.gateway.port}`, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]

  test.each(endpoints)('X22: is refused before its body is read: $path', ({ path, body }) =>
    scenario(letting, async (scene) => {
      const pages = fromPage(scene)
      const form = body === 'json' ? 'application/json' : 'multipart/form-data; boundary=b'
      for (const page of pages) {
        const client = await scene.connect()
        // One byte of a thousand: who waited for the others would not answer.
        await client.send(requestBytes('POST', path, { 'content-type': form, 'content-length': '1000', ...page }, '{'))
        const answer = await scene.answer(client)
        await answer.over()
        expect(answer.status).toBe(403)
        expect(answer.text).toMatch(
          /permission_(?:denied|error)[^]*server\.corsOrigins|server\.corsOrigins[^]*permission_/,
        )
      }
      return { requests: pages.length, attempts: {} }
    }),
  )

  test('X22: learns no model either, and may ask how the gateway is', () =>
    scenario(letting, async (scene) => {
      for (const page of fromPage(scene)) {
        for (const path of ['/v1/models', '/v1/models/m']) {
          const answer = await scene.ask(requestBytes('GET', path, page))
          expect([answer.status, errorOf(answer).code]).toEqual([403, 'permission_denied'])
        }
        for (const path of ['/healthz', '/readyz']) {
          expect((await scene.ask(requestBytes('GET', path, page))).status).toBe(200)
        }
      }
      return { requests: 0, attempts: {} }
    }))

  test('X22: is told so in the log, under the name of those who have no key', () =>
    scenario({}, async (scene) => {
      await scene.ask(chatBytes({}, { origin }))
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ key: 'unknown', status: 403, end: 'GA', error: 'permission_denied' })
      return { requests: 1, attempts: {} }
    }))

  test('X22: where there are keys, is told that it lacks one', () =>
    scenario(letting, async (scene) => {
      await scene.gateway.createKey({ name: 'k' })
      expect((await scene.ask(chatBytes({}, { origin: 'https://evil.test' }))).status).toBe(401)
      return { requests: 1, attempts: {} }
    }))

  test('X22: those that are let, what a person types, and programs are served', () =>
    scenario(letting, async (scene) => {
      const served: readonly Headers[] = [{ origin, 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'none' }, {}]
      for (const headers of served) {
        scene.host().play(wholeRequest, whole)
        expect((await scene.ask(chatBytes({}, headers))).status).toBe(200)
      }
      return { requests: served.length, attempts: { a: served.length } }
    }))
})

describe('the pages of an application', () => {
  const ofApplications = [
    'app://obsidian.md',
    'tauri://localhost',
    'vscode-webview://1abc',
    'chrome-extension://abcdef',
  ]

  test.each(ofApplications)('X22: are let by the scheme of their own: %s', (own) =>
    scenario({ config: { server: { corsOrigins: [own] } } }, async (scene) => {
      expect((await scene.ask(requestBytes('OPTIONS', '/v1/models', preflight(own)))).status).toBe(204)
      scene.host().play(wholeRequest, whole)
      const answer = await scene.ask(chatBytes({}, { origin: own }))
      expect([answer.status, answer.header('access-control-allow-origin')]).toEqual([200, own])
      for (const foreign of [`${own}x`, `x${own}`, own.replace('://', '://x.'), 'null', own.split('//')[0]!]) {
        expect((await scene.ask(chatBytes({}, { origin: foreign }))).status, foreign).toBe(403)
      }
      return { requests: 6, attempts: { a: 1 } }
    }),
  )

  test.each([
    'null',
    '*',
    'app://',
    'app:obsidian',
    'app://*',
    'app://x/y',
    '://x',
    'file://',
    'App://x',
    'https://*.a.org',
  ])('X22: what is no origin cannot be let: %s', (text) => {
    expect(serverOptions.safeParse({ corsOrigins: [text] }).success).toBe(false)
  })
})
