/** Headers that are odd, too many or too long, from clients and from hosts; and what all of them must leave as it was. */
import { expect, test } from 'vitest'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { good, problems } from '../../unit/config/loading.ts'
import { chatAnswer, chatBytes, errorOf, type Scene, scenario } from './scene.ts'

const answerText = chatAnswer('x')
const ok = jsonResponseBytes(200, JSON.parse(answerText))

/** With lines of its own behind the first one, byte by byte. */
function withLines(lines: string, request = requestBytes('GET', '/v1/models')): Buffer {
  return Buffer.from(request.toString('latin1').replace('\r\n', `\r\n${lines}`), 'latin1')
}

async function told(scene: Scene, request: Buffer): Promise<HttpMessage> {
  const answer = await scene.ask(request)
  expect(answer.complete).toBe(true)
  return answer
}

/** What objects inherit, by name. */
const inherited = Object.getOwnPropertyNames(Object.prototype).toSorted()

function expectUnpolluted(): void {
  expect(Object.getOwnPropertyNames(Object.prototype).toSorted()).toEqual(inherited)
  expect(Object.getOwnPropertySymbols(Object.prototype)).toEqual([])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
}

test.each([
  ['NUL', 'x: a\0b\r\n'],
  ['NUL at the end', 'x: a\0\r\n'],
  ['CR', 'x: a\rb\r\n'],
  ['LF', 'x: a\nb: c\r\n'],
  ['CR in the name', 'a\rb: c\r\n'],
  ['NUL in the name', 'a\0b: c\r\n'],
  ['a space in the name', 'a b: c\r\n'],
  ['an escape', 'x: \x1b[31m\r\n'],
  ['DEL', 'x: \x7f\r\n'],
  ['a colon alone', ':\r\n'],
])('C31: %s in a header is refused, and the next client is served', (_what, lines) =>
  scenario({}, async (scene) => {
    for (const port of [scene.gateway.port, Number(new URL(scene.gateway.adminUrl).port)]) {
      const client = await scene.connect({ port })
      const answer = await scene.ask(withLines(lines), client)
      expect(answer).toMatchObject({ status: 400, complete: true })
      expect(errorOf(answer).code).toBe('invalid_request')
    }
    expect((await told(scene, requestBytes('GET', '/v1/models'))).status).toBe(200)
    return { requests: 0, attempts: {} }
  }),
)

/** `count` headers in all, with the ones that every request of ours has. */
function manyHeaders(count: number, request: Buffer): Buffer {
  const own = request.toString('latin1').split('\r\n\r\n')[0]!.split('\r\n').length - 1
  return withLines(Array.from({ length: count - own }, (_, index) => `a${index}: \r\n`).join(''), request)
}

test('C31: a hundred headers are taken; one more, and two thousand more, are refused', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    for (const request of [chatBytes(), requestBytes('GET', '/v1/models'), requestBytes('GET', '/nowhere')]) {
      expect((await told(scene, manyHeaders(100, request))).status).toBeLessThan(431)
      for (const count of [101, 1_900]) {
        const answer = await told(scene, manyHeaders(count, request))
        expect(answer.status, String(count)).toBe(431)
        expect(errorOf(answer)).toMatchObject({ code: 'headers_too_large', type: 'invalid_request_error' })
        expect(answer.header('connection')).toBe('close')
      }
    }
    return { requests: 1, attempts: { a: 1 } }
  }))

test('C31: 2,001 headers are refused though they are short enough, where the limit of bytes is a higher one', () =>
  scenario({ config: { server: { headerBytesMax: 1_048_576, headersMax: 2_000 } } }, async (scene) => {
    const request = requestBytes('GET', '/v1/models')
    expect((await told(scene, manyHeaders(2_000, request))).status).toBe(200)
    expect((await told(scene, manyHeaders(2_001, request))).status).toBe(431)
    return { requests: 0, attempts: {} }
  }))

test.each([
  ['a header', `x: ${'a'.repeat(17 * 1_024)}\r\n`],
  ['a name', `${'a'.repeat(17 * 1_024)}: x\r\n`],
  ['many small ones', 'aaaaaaaa: bbbbbbbbbbbb\r\n'.repeat(800)],
])('C31: %s of 17 KiB: 431 in the envelope', (_what, lines) =>
  scenario({}, async (scene) => {
    const answer = await told(scene, withLines(lines))
    expect(answer.status).toBe(431)
    expect(errorOf(answer).code).toBe('headers_too_large')
    expect(answer.header('connection')).toBe('close')
    return { requests: 0, attempts: {} }
  }),
)

test('C31: a request line of 17 KiB: 431, and of 15 KiB: the path is not there', () =>
  scenario({}, async (scene) => {
    expect((await told(scene, requestBytes('GET', `/${'a'.repeat(17 * 1_024)}`))).status).toBe(431)
    expect((await told(scene, requestBytes('GET', `/v1/models?${'a'.repeat(17 * 1_024)}`))).status).toBe(431)
    const answer = await told(scene, requestBytes('GET', `/${'a'.repeat(15 * 1_024)}`))
    expect(answer.status).toBe(404)
    expect(answer.text.length).toBeLessThan(1_000)
    return { requests: 0, attempts: {} }
  }))

const prototypeNames = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
  'polluted',
]

test.each(prototypeNames)('C31, X26: a header named %s is one like any other', (name) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const lines = `${name}: polluted\r\n${name}: twice\r\n`
    expect((await told(scene, withLines(lines, chatBytes()))).status).toBe(200)
    for (const path of ['/v1/models', '/v1/models/__proto__', '/nowhere', '/healthz']) {
      const answer = await told(scene, withLines(lines, requestBytes('GET', path)))
      expect([200, 404], path).toContain(answer.status)
    }
    const { request } = await scene.host().exchange()
    expect(request?.header(name)).toBeUndefined()
    expectUnpolluted()
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each(prototypeNames)(
  'X26: a query, a body and a name that hold %s change nothing of what objects inherit',
  (name) =>
    scenario({}, async (scene) => {
      scene.host().playAlways(wholeRequest, ok)
      const query = `?${name}[polluted]=1&${name}.polluted=1&a[${name}][polluted]=1&${name}=1`
      const ask = chatBytes().toString().replace(' HTTP/1.1', `${query} HTTP/1.1`)
      expect((await told(scene, Buffer.from(ask))).status).toBe(200)
      const bodies = [
        `{"${name}":{"polluted":1},"model":"m","messages":[]}`,
        `{"model":"m","messages":[{"${name}":{"polluted":1}}],"stream_options":{"${name}":{"polluted":1}},"stream":false}`,
        `{"model":"m","constructor":{"prototype":{"polluted":1}},"messages":[],"metadata":{"${name}":{"polluted":1}}}`,
      ]
      const json = { 'content-type': 'application/json' }
      for (const body of bodies) {
        expect((await told(scene, requestBytes('POST', '/v1/chat/completions', json, body))).status).toBe(200)
      }
      const named = await told(scene, chatBytes({ model: name }))
      expect(named.status).toBe(404)
      expect((await told(scene, requestBytes('GET', `/v1/models/${name}`))).status).toBe(404)
      expect((await told(scene, chatBytes({ previous_response_id: name }))).status).toBe(200)
      // Passed on as it was, for the host to make of it what it likes.
      expect(scene.host().exchanges[1]?.request?.text).toBe(bodies[0])
      expectUnpolluted()
      return { requests: 6, attempts: { a: 5 } }
    }),
)

test('X26: a host whose list, answer and usage hold such names changes nothing either', () =>
  scenario({ hosts: { a: ['m', ...prototypeNames] } }, async (scene) => {
    const usage = '"usage":{"__proto__":{"polluted":1},"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}'
    const body = answerText.replace(/"usage":\{[^}]*\}/, usage)
    scene
      .host()
      .playAlways(
        wholeRequest,
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n__proto__: polluted\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      )
    for (const name of prototypeNames) {
      expect((await told(scene, chatBytes({ model: name }))).status, name).toBe(200)
      expect((await told(scene, requestBytes('GET', `/v1/models/${name}`))).status, name).toBe(200)
    }
    expectUnpolluted()
    return { requests: prototypeNames.length, attempts: { a: prototypeNames.length } }
  }))

test.each([
  'server: { __proto__: { polluted: 1 } }',
  '__proto__: { polluted: 1 }',
  'constructor: { prototype: { polluted: 1 } }',
  '"__proto__": { server: { port: 1 } }',
  'server: &a { port: 5000 }\nadmin: { <<: *a, __proto__: { polluted: 1 } }',
  'hosts: [{ url: "http://127.0.0.1:1", __proto__: { polluted: 1 } }]',
])('X26: a configuration cannot reach what objects inherit: %j', async (yaml) => {
  expect((await problems({ yaml })).length).toBeGreaterThan(0)
  expectUnpolluted()
})

test('X26: an alias may bear such a name, __proto__ apart, and is one like any other', async () => {
  const names = prototypeNames.map((name) => `"${name}": m`).join(', ')
  const { models } = await good({ yaml: `models: { aliases: { ${names} } }` })
  expectUnpolluted()
  const kept = prototypeNames.filter((name) => name !== '__proto__')
  expect(Object.keys(models.aliases).toSorted()).toEqual(kept.toSorted())
})

/** What a host puts into the two headers that pass. */
const hostValues: readonly [string, string][] = [
  ['CR LF, encoded', 'a.mp3%0d%0aset-cookie: canary-of-a-split'],
  ['CR LF, twice encoded', 'a.mp3%250d%250aset-cookie: canary-of-a-split'],
  ['CR LF as other letters that end in the same bytes', 'a.mp3\xc4\x8d\xc4\x8aset-cookie: canary-of-a-split'],
  ['CR LF as in overlong UTF-8', 'a.mp3\xc0\x8d\xc0\x8aset-cookie: canary-of-a-split'],
  ['letters in UTF-8', 'f\xc3\xbcr.mp3'],
  ['letters in Latin-1', 'f\xfcr.mp3'],
  ['signs outside of every page', '\xf0\x9f\x8e\xb5.mp3'],
  ['an escape in brackets', '<script>.mp3'],
]

test.each(hostValues)('X29: %s in a header of a host splits nothing, and breaks nothing', (_what, value) =>
  scenario({}, async (scene) => {
    for (const header of [
      `content-disposition: attachment; filename="${value}"`,
      `content-type: application/json; x="${value}"`,
    ]) {
      const type = header.startsWith('content-type') ? '' : 'content-type: application/json\r\n'
      const head = `HTTP/1.1 200 OK\r\n${type}${header}\r\ncontent-length: ${answerText.length}\r\n\r\n`
      scene.host().play(wholeRequest, Buffer.from(head + answerText, 'latin1'))
      const answer = await told(scene, chatBytes())
      expect(answer).toMatchObject({ status: 200, text: answerText })
      expect(answer.header('set-cookie')).toBeUndefined()
      const colon = header.indexOf(':')
      expect(answer.header(header.slice(0, colon))).toBe(header.slice(colon + 2))
    }
    return { requests: 2, attempts: { a: 2 } }
  }),
)

test.each([
  ['CR', 'a\rset-cookie: canary-of-a-split'],
  ['LF', 'a\nset-cookie: canary-of-a-split'],
  ['NUL', 'a\0b'],
  ['a folded line', 'a\r\n set-cookie: canary-of-a-split'],
])('X29: %s itself in a header of a host makes its answer unusable, or goes nowhere', (_what, value) =>
  scenario({}, async (scene) => {
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-disposition: ${value}\r\ncontent-length: ${answerText.length}\r\n\r\n`
    scene.host().playAlways(wholeRequest, Buffer.from(head + answerText, 'latin1'))
    const answer = await told(scene, chatBytes())
    expect([200, 502]).toContain(answer.status)
    expect(answer.headers.filter(([name, text]) => name === 'set-cookie' || text.includes('canary'))).toEqual([])
    return { requests: 1, attempts: { a: scene.host().exchanges.length } }
  }),
)

test('X29: nothing that a client sends comes back in a header, but for a plain request id', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const split = '%0d%0aset-cookie:%20canary-of-a-split'
    // Without a key no page is served whose origin nobody let in.
    const { key } = await scene.gateway.createKey({ name: 'k' })
    const headers: Headers = { 'x-request-id': split, accept: split, origin: split, authorization: `Bearer ${key}` }
    for (const request of [
      chatBytes({}, headers),
      requestBytes('GET', `/v1/models/${split}`, headers),
      requestBytes('GET', `/x?${split}`, headers),
    ]) {
      const answer = await told(scene, request)
      expect(answer.headers.filter(([, text]) => text.includes('canary'))).toEqual([])
    }
    return { requests: 1, attempts: { a: 1 } }
  }))
