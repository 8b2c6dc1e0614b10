import { describe, expect, test } from 'vitest'
import { endpoints } from '../../../src/wire/endpoints.ts'
import { acceptableRequestId, type HeaderFields, headersToClient, headersToHost } from '../../../src/wire/headers.ts'

const endpoint = (name: string) => endpoints.find((one) => one.name === name)!
const own = { requestId: 'req-1', userAgent: 'lmx-gateway/1', apiKey: undefined, trace: {} }
const always = { 'accept-encoding': 'identity', 'user-agent': 'lmx-gateway/1', 'x-request-id': 'req-1' }

/** What clients and the proxies before us send, none of which is a host's business. */
const clientHeaders: HeaderFields = {
  authorization: 'Bearer client-secret',
  'x-api-key': 'client-secret',
  'api-key': 'client-secret',
  cookie: 'session=secret',
  host: 'gateway:4000',
  connection: 'authorization, x-request-id, accept-encoding, user-agent',
  'keep-alive': 'timeout=5',
  'proxy-authorization': 'Basic secret',
  'proxy-connection': 'keep-alive',
  te: 'trailers',
  trailer: 'x-request-id',
  'transfer-encoding': 'chunked',
  upgrade: 'websocket',
  expect: '100-continue',
  'content-length': '999',
  'content-encoding': 'identity',
  'accept-encoding': 'gzip, br',
  'user-agent': 'OpenAI/Python 1.0',
  'x-request-id': 'the-clients',
  'x-forwarded-for': '10.0.0.1',
  'x-forwarded-host': 'a',
  forwarded: 'for=10.0.0.1',
  via: '1.1 a',
  'x-priority': 'high',
  'x-serving-lane': 'fast',
  'x-client-id': 'me',
  'x-lmx-gateway-priority': 'interactive',
  'x-lmx-gateway-heartbeat': 'comment',
  'x-stainless-lang': 'python',
  'openai-organization': 'org',
  'idempotency-key': 'a',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  tracestate: 'a=1',
  baggage: 'user=secret',
  origin: 'http://a',
  referer: 'http://a',
}

describe('headersToHost', () => {
  test('are an allow-list: only the form of the request passes', () => {
    const headers = { ...clientHeaders, accept: 'text/event-stream', 'content-type': 'application/json; charset=utf-8' }
    for (const one of endpoints) {
      expect(headersToHost(headers, one, own)).toEqual({
        accept: 'text/event-stream',
        'content-type': 'application/json; charset=utf-8',
        ...always,
      })
    }
  })

  test('a client that names our own headers in Connection does not take them away', () => {
    const connection = 'close, authorization, x-request-id, accept-encoding, user-agent, content-type'
    const headers = { connection, 'content-type': 'application/json' }
    expect(headersToHost(headers, endpoint('chat_completions'), { ...own, apiKey: 'host-key' })).toEqual({
      'content-type': 'application/json',
      authorization: 'Bearer host-key',
      ...always,
    })
  })

  test('the key is the host’s, never the client’s', () => {
    const headers = headersToHost(clientHeaders, endpoint('messages'), { ...own, apiKey: 'host-key' })
    expect(headers['authorization']).toBe('Bearer host-key')
    expect(JSON.stringify(headers)).not.toContain('secret')
  })

  test('Anthropic’s versions and betas pass on Anthropic’s paths alone', () => {
    const headers = { 'anthropic-version': '2023-06-01', 'anthropic-beta': 'a,b' }
    expect(headersToHost(headers, endpoint('messages'), own)).toEqual({ ...headers, ...always })
    expect(headersToHost(headers, endpoint('count_tokens'), own)).toEqual({ ...headers, ...always })
    expect(headersToHost(headers, endpoint('chat_completions'), own)).toEqual(always)
  })

  test('of a header that came twice the first counts', () => {
    expect(headersToHost({ accept: ['a/b', 'c/d'] }, endpoint('speech'), own)['accept']).toBe('a/b')
    expect(headersToHost({ accept: [] }, endpoint('speech'), own)).not.toHaveProperty('accept')
  })
})

describe('headersToClient', () => {
  test('are an allow-list: only the form of the answer passes', () => {
    expect(
      headersToClient({
        'content-type': 'audio/mpeg',
        'content-disposition': 'attachment; filename="a.mp3"',
        'content-length': '7',
        'transfer-encoding': 'chunked',
        'set-cookie': ['a=b', 'c=d'],
        'access-control-allow-origin': '*',
        server: 'uvicorn',
        date: 'today',
        vary: 'Origin',
        connection: 'close, content-type',
        'x-request-id': 'the-hosts',
        'retry-after': '5',
        location: 'http://elsewhere',
        'strict-transport-security': 'max-age=1',
        'x-should-retry': 'true',
      }),
    ).toEqual({ 'content-type': 'audio/mpeg', 'content-disposition': 'attachment; filename="a.mp3"' })
  })

  test('of an answer without any are none', () => {
    expect(headersToClient({})).toEqual({})
  })
})

describe('a value with a control character', () => {
  const codes = [...Array(32).keys(), 127].filter((code) => code !== 9)

  test.each(codes)('of code %i is dropped, both ways', (code) => {
    const value = `a${String.fromCharCode(code)}b`
    expect(headersToClient({ 'content-type': value })).toEqual({})
    expect(headersToHost({ 'content-type': value }, endpoint('speech'), own)).toEqual(always)
  })

  test('but a tab, and letters of other languages, are none', () => {
    expect(headersToClient({ 'content-type': 'a\tb' })).toEqual({ 'content-type': 'a\tb' })
    expect(headersToClient({ 'content-disposition': 'filename="\xe9"' })).toHaveProperty('content-disposition')
  })
})

describe('acceptableRequestId', () => {
  test.each(['a', 'req-1', 'A.b_c-9', 'x'.repeat(64), '0b2f0c1e-8f2f-4f0e-9a59-7f0a3c9d2e11'])('%s', (id) => {
    expect(acceptableRequestId(id)).toBe(id)
  })

  test.each([
    undefined,
    '',
    'x'.repeat(65),
    'a b',
    'a\n',
    'a\r\nset-cookie: x',
    'a"',
    'a{}',
    '<a>',
    'ä',
    'a\0',
    '$(a)',
    ['a', 'b'],
  ])('not %j', (id) => {
    expect(acceptableRequestId(id)).toBeNull()
  })
})
