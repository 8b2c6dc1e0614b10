import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type ErrorCode, GatewayError } from '../../../src/base/errors.ts'
import type { FailureCause } from '../../../src/relay/failure.ts'
import { failureFromHost, failureFromHostObject, failureFromText, withoutKey } from '../../../src/relay/host-error.ts'
import { mediaType } from '../../../src/wire/media-type.ts'
import { MessageReader } from '../../kit/http-message.ts'

interface Said {
  readonly code: ErrorCode
  readonly message: string
  readonly param?: string
  readonly retryAfterMs?: number
}

function fromHost(status: number, body: unknown, more: { retryAfter?: string; mediaType?: string } = {}): Said {
  const { code, message, detail, retryAfterMs } = failureFromHost({
    status,
    mediaType: more.mediaType ?? 'application/json',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    retryAfter: more.retryAfter,
  }).error
  const { param } = detail
  return {
    code,
    message,
    ...(param === undefined ? {} : { param }),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  }
}

describe('a status alone', () => {
  test.each<[number, ErrorCode]>([
    [101, 'upstream_bad_response'],
    [301, 'upstream_bad_response'],
    [307, 'upstream_bad_response'],
    [400, 'invalid_request'],
    [401, 'upstream_auth_failed'],
    [403, 'upstream_auth_failed'],
    [404, 'not_found'],
    [405, 'not_found'],
    [409, 'invalid_request'],
    [413, 'request_too_large'],
    [415, 'unsupported_media_type'],
    [418, 'invalid_request'],
    [422, 'invalid_request'],
    [429, 'upstream_busy'],
    [500, 'upstream_bad_response'],
    [501, 'not_found'],
    [502, 'upstream_bad_response'],
    [503, 'upstream_busy'],
    [504, 'upstream_bad_response'],
    [507, 'upstream_busy'],
    [599, 'upstream_bad_response'],
  ])('%i is %s', (status, code) => {
    expect(fromHost(status, '', { mediaType: '' })).toMatchObject({ code })
    expect(fromHost(status, '').code).toBe(code)
  })

  test('is in the sentence when the host says none', () => {
    for (const body of [
      '',
      '{}',
      '[]',
      'null',
      '7',
      '{"error":{}}',
      '{"error":null}',
      '{"error":{"message":""}}',
      '{broken',
    ]) {
      expect(fromHost(500, body).message).toBe('The host answered with status 500.')
    }
  })
})

describe('each envelope', () => {
  test.each<[string, number, unknown, Said]>([
    [
      'of OpenAI, with a param',
      400,
      { error: { message: 'Lane?', type: 'invalid_request_error', param: 'lane', code: 'invalid_header' } },
      { code: 'invalid_request', message: 'Lane?', param: 'lane' },
    ],
    [
      'of OpenAI, without a param',
      429,
      { error: { message: 'Busy.', type: 'server_error', code: 'rate_limit_exceeded' } },
      { code: 'upstream_busy', message: 'Busy.', retryAfterMs: 5_000 },
    ],
    ['a detail', 405, { detail: 'Method Not Allowed' }, { code: 'not_found', message: 'Method Not Allowed' }],
    [
      'a list of details',
      422,
      {
        detail: [
          { type: 'missing', loc: ['body', 'messages'], msg: 'Field required', input: {} },
          { type: 'type', loc: ['body', 'messages', 0, 'role'], msg: 'Not a role', input: {}, ctx: {} },
        ],
      },
      { code: 'invalid_request', message: 'messages: Field required; messages.0.role: Not a role', param: 'messages' },
    ],
    [
      'a detail without a place',
      422,
      { detail: [{ msg: 'No.' }, { loc: ['body'], msg: 'Never.' }, 'x'] },
      { code: 'invalid_request', message: 'No.; Never.; undefined' },
    ],
    [
      'of Anthropic',
      500,
      { type: 'error', error: { type: 'api_error', message: 'Overloaded.' } },
      { code: 'upstream_bad_response', message: 'Overloaded.' },
    ],
    ['a text', 429, { error: 'Rate limit' }, { code: 'upstream_busy', message: 'Rate limit', retryAfterMs: 5_000 }],
    ['a message', 500, { object: 'error', message: 'CUDA' }, { code: 'upstream_bad_response', message: 'CUDA' }],
    [
      'plain text',
      500,
      'Internal Server Error',
      { code: 'upstream_bad_response', message: 'The host answered with status 500.' },
    ],
  ])('%s', (_what, status, body, said) => {
    expect(fromHost(status, body)).toEqual(said)
  })

  test.each([404, 400, 500, 200, 502])('a page of HTML under %i is no answer, and nothing of it is shown', (status) => {
    const page = '<html><body><h1>502 Bad Gateway</h1><hr>nginx at 10.0.0.7</body></html>'
    expect(fromHost(status, page, { mediaType: 'text/html' })).toEqual({
      code: 'upstream_bad_response',
      message: `The host answered with status ${status}.`,
    })
  })

  test('a page of HTML that says busy is busy', () => {
    expect(fromHost(503, '<h1>', { mediaType: 'text/html' }).code).toBe('upstream_busy')
  })
})

describe('captures of LMX', () => {
  test.each<[string, Said]>([
    ['chat.bad-lane', { code: 'invalid_request', message: expect.any(String) as string }],
    ['chat.malformed-json', { code: 'invalid_request', message: expect.any(String) as string }],
    ['chat.model-not-found', { code: 'model_not_found', message: expect.any(String) as string }],
    ['chat.nonstream.busy', { code: 'upstream_busy', message: expect.any(String) as string, retryAfterMs: 5_000 }],
    ['chat.nonstream.engine-failure', { code: 'upstream_bad_response', message: expect.any(String) as string }],
    ['chat.validation', { code: 'invalid_request', message: expect.any(String) as string }],
    ['messages.nonstream.busy', { code: 'upstream_busy', message: expect.any(String) as string }],
    ['not-found', { code: 'not_found', message: 'Not Found' }],
    ['embeddings', { code: 'upstream_bad_response', message: expect.any(String) as string }],
  ])('%s', (name, said) => {
    const reader = new MessageReader('response')
    reader.feed(readFileSync(new URL(`../../fixtures/lmx/${name}.http`, import.meta.url)), 0)
    const answer = reader.messages[0]!
    const retryAfter = answer.header('retry-after')
    const type = mediaType(answer.header('content-type'))
    const more = retryAfter === undefined ? {} : { retryAfter }
    const found = fromHost(answer.status, answer.text, { mediaType: type, ...more })
    expect(found).toMatchObject(said)
    expect(found.message).not.toContain('status')
  })
})

describe('what the code or the sentence says', () => {
  test.each<[string, number, unknown, ErrorCode]>([
    ['a code of a missing model', 404, { error: { code: 'model_not_found', message: 'No.' } }, 'model_not_found'],
    ['a sentence about a model', 404, { error: "model 'a' not found" }, 'model_not_found'],
    ['another 404', 404, { detail: 'Not Found' }, 'not_found'],
    ['the same words under 400 are the request’s', 400, { error: 'no such model' }, 'invalid_request'],
    [
      'a code of a full context',
      400,
      { error: { code: 'context_length_exceeded', message: 'x' } },
      'context_length_exceeded',
    ],
    [
      'a sentence about the context, as vLLM says it',
      400,
      { message: "This model's maximum context length is 4096 tokens." },
      'context_length_exceeded',
    ],
    [
      'a sentence about the context, as llama.cpp says it',
      400,
      { error: { message: 'the request exceeds the available context size', type: 'exceed_context_size_error' } },
      'context_length_exceeded',
    ],
    [
      'the context under 500 is the host’s',
      500,
      { error: { code: 'context_length_exceeded' } },
      'upstream_bad_response',
    ],
  ])('%s', (_what, status, body, code) => {
    expect(fromHost(status, body).code).toBe(code)
  })

  test('a host that refuses the gateway’s key could repeat it: its words are not shown', () => {
    for (const status of [401, 403]) {
      const said = fromHost(status, { error: { message: 'Incorrect API key: sk-secret', param: 'sk-secret' } })
      expect(said).toEqual({ code: 'upstream_auth_failed', message: "The host refused the gateway's key for it." })
    }
  })

  test('a sentence is shown up to its bound', () => {
    expect(fromHost(500, { error: 'x'.repeat(1_000) }).message).toHaveLength(1_000)
    expect(fromHost(500, { error: 'x'.repeat(1_001) }).message).toHaveLength(1_000)
  })
})

describe('retry-after', () => {
  test.each<[string | undefined, number]>([
    [undefined, 5_000],
    ['5', 5_000],
    ['30', 30_000],
    ['0.5', 500],
    ['120', 120_000],
    ['0', 5_000],
    ['-1', 5_000],
    ['', 5_000],
    ['soon', 5_000],
    ['1e999', 5_000],
    ['Sun, 22 Nov 2026 20:28:11 GMT', 5_000],
  ])('of %j waits %i ms', (retryAfter, retryAfterMs) => {
    const more = retryAfter === undefined ? {} : { retryAfter }
    expect(fromHost(503, {}, more).retryAfterMs).toBe(retryAfterMs)
  })

  test('means nothing where the host is not busy', () => {
    expect(fromHost(500, {}, { retryAfter: '30' })).not.toHaveProperty('retryAfterMs')
  })
})

describe('an error object inside of an answer', () => {
  test.each<[string, unknown, ErrorCode, string]>([
    ['with a message', { message: 'CUDA' }, 'upstream_bad_response', 'CUDA'],
    ['that is a text', 'CUDA', 'upstream_bad_response', 'CUDA'],
    ['with a status for a code', { message: 'Busy.', code: 429 }, 'upstream_busy', 'Busy.'],
    ['with a status of the request', { message: 'Bad.', code: 400 }, 'invalid_request', 'Bad.'],
    ['with a word for a code', { message: 'x', code: 'server_error' }, 'upstream_bad_response', 'x'],
    ['with a number that is no status', { message: 'x', code: 7 }, 'upstream_bad_response', 'x'],
    ['with a number that is no error', { message: 'x', code: 200 }, 'upstream_bad_response', 'x'],
    ['without anything', {}, 'upstream_bad_response', 'The host answered with status 500.'],
    ['of null', null, 'upstream_bad_response', 'The host answered with status 500.'],
  ])('%s', (_what, error, code, message) => {
    expect(failureFromHostObject(error).error).toMatchObject({ code, message })
  })
})

describe('causes', () => {
  const causeOf = (status: number, body: unknown, more: { retryAfter?: string; mediaType?: string } = {}) =>
    failureFromHost({
      status,
      mediaType: more.mediaType ?? 'application/json',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      retryAfter: more.retryAfter,
    }).cause
  const envelope = { error: { message: 'No room.' } }

  test.each<[string, FailureCause, FailureCause]>([
    ['a redirect', causeOf(302, ''), 'bad_answer'],
    ['a 400', causeOf(400, envelope), 'rejected'],
    ['a full context', causeOf(400, { error: { code: 'context_length_exceeded' } }), 'rejected'],
    ['a 401', causeOf(401, envelope), 'key_refused'],
    ['a 403', causeOf(403, envelope), 'not_allowed'],
    ['a 404 of a path', causeOf(404, { detail: 'Not Found' }), 'rejected'],
    ['a 404 of a model', causeOf(404, { error: { code: 'model_not_found' } }), 'model_missing'],
    ['a page under 404', causeOf(404, '<html>', { mediaType: 'text/html' }), 'rejected'],
    ['a 429', causeOf(429, ''), 'busy'],
    ['a 500', causeOf(500, envelope), 'host_error'],
    ['LMX that is busy on /v1/messages', causeOf(500, { error: { message: 'Server is busy — wait.' } }), 'busy'],
    ['a 502', causeOf(502, envelope), 'bad_gateway'],
    ['a page under 502', causeOf(502, '<html>', { mediaType: 'text/html' }), 'bad_gateway'],
    ['a 503 that gives a reason', causeOf(503, envelope), 'busy'],
    ['a 503 that says when', causeOf(503, '', { retryAfter: '3' }), 'busy'],
    ['a 503 that says nothing', causeOf(503, ''), 'bad_gateway'],
    ['a 503 with another reason', causeOf(503, { error: { message: 'no healthy upstream' } }), 'bad_gateway'],
    ['a 503 with a word of busy in its code', causeOf(503, { error: { message: 'No.', code: 'queue_full' } }), 'busy'],
    ['a 503 of a part that is not there', causeOf(503, { error: { code: 'embedding_unavailable' } }), 'not_offered'],
    ['a 405', causeOf(405, ''), 'not_offered'],
    ['a 501', causeOf(501, ''), 'not_offered'],
    ['a page under 503', causeOf(503, '<html>', { mediaType: 'text/html' }), 'bad_gateway'],
    ['a model that is being loaded', causeOf(503, { error: { message: 'Loading model' } }), 'busy'],
    ['a 504', causeOf(504, ''), 'bad_gateway'],
    ['a 507', causeOf(507, envelope), 'busy'],
    ['an error told in an answer', failureFromHostObject({ message: 'CUDA' }).cause, 'told_error'],
    ['one with a status of the request', failureFromHostObject({ code: 400 }).cause, 'rejected'],
    ['one that says busy', failureFromHostObject({ code: 429 }).cause, 'told_busy'],
    [
      'one that says so in a word',
      failureFromHostObject({ type: 'overloaded_error', message: 'Overloaded' }).cause,
      'told_busy',
    ],
    ['a fault of the request in a word', failureFromHostObject({ type: 'invalid_request_error' }).cause, 'rejected'],
    ['a full context told in an answer', failureFromHostObject({ code: 'context_length_exceeded' }).cause, 'rejected'],
    ['a model that is gone', failureFromHostObject({ code: 'model_not_found' }).cause, 'model_missing'],
  ])('%s', (_what, cause, wanted) => {
    expect(cause).toBe(wanted)
  })

  test('a model that is being loaded has a code of its own, with the hint of the host', () => {
    expect(fromHost(503, { error: { message: 'Loading model' } }, { retryAfter: '9' })).toEqual({
      code: 'model_loading',
      message: 'Loading model',
      retryAfterMs: 9_000,
    })
  })

  test.each<[string, FailureCause, ErrorCode]>([
    ['Server is busy — all inference slots occupied. Try again shortly.', 'busy', 'upstream_busy'],
    ['Stream inference timed out after 300s', 'timed_out', 'upstream_timeout'],
    ['Stream inference failed: CUDA', 'told_error', 'upstream_bad_response'],
    [`"Model 'org/a' is not loaded"`, 'model_missing', 'model_not_found'],
  ])('LMX writes %j into its text', (message, cause, code) => {
    const failure = failureFromText(message)
    expect(failure.cause).toBe(cause)
    expect(failure.error).toMatchObject({ code, message })
  })
})

describe('withoutKey', () => {
  const key = 'sk-0123456789'
  const shown = (message: string, param?: string) => {
    const error = withoutKey(new GatewayError('invalid_request', message, { param, retryAfterMs: 7 }), key)
    expect(error).toMatchObject({ code: 'invalid_request', detail: { retryAfterMs: 7 } })
    return [error.message, error.detail.param]
  }

  test('takes the key out of the sentence and of the param, each time it stands there', () => {
    expect(shown(`Bearer ${key}, ${key}?`, `x.${key}`)).toEqual(['Bearer [redacted], [redacted]?', 'x.[redacted]'])
  })

  test('takes out what is left of it where the sentence was cut', () => {
    const said = failureFromHost({
      status: 400,
      mediaType: 'application/json',
      body: JSON.stringify({ error: `${'x'.repeat(1_000 - key.length + 1)}${key}` }),
      retryAfter: undefined,
    }).error
    expect(said.message.endsWith(key.slice(0, -1))).toBe(true)
    expect(withoutKey(said, key).message).toMatch(/^x+\[redacted\]$/)
  })

  test('leaves an error as it is that does not repeat it, and all of them without a key', () => {
    const error = new GatewayError('invalid_request', `No. ${key}`)
    expect(withoutKey(error, undefined)).toBe(error)
    expect(withoutKey(error, 'another-key')).toBe(error)
  })

  test('a key too short to protect anything stays, since it stands in ordinary words', () => {
    const error = new GatewayError('invalid_request', 'The api is busy.')
    expect(withoutKey(error, 'api')).toBe(error)
    expect(withoutKey(new GatewayError('invalid_request', 'the key 12345678'), '12345678').message).toContain(
      'redacted',
    )
    expect(withoutKey(new GatewayError('invalid_request', 'the key 1234567'), '1234567').message).toContain('1234567')
  })
})
