/** Pages that call the gateway from a browser: those of the configured origins are let, and of all others nothing is said. */
import { describe, expect, test } from 'vitest'
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
import { chatAnswer, chatBytes, contentFrame, done, finishFrame, type SceneOptions, scenario } from './scene.ts'

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
        expect([404, 405]).toContain(answer.status)
        expect(said(answer)).toEqual({ vary: 'Origin' })
      }
      // Such a page is kept away by its browser; whoever has no browser sends no origin.
      scene.host().play(wholeRequest, whole)
      const answer = await scene.ask(chatBytes({}, { origin: foreign }))
      expect([answer.status, said(answer)]).toEqual([200, { vary: 'Origin' }])
      return { requests: 1, attempts: { a: 1 } }
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
