import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorCatalogue, GatewayError, type PredictedWait } from '../../../src/base/errors.ts'
import { errorAnswer, errorBody } from '../../../src/wire/error-answer.ts'

const codes = Object.keys(errorCatalogue) as ErrorCode[]

const anyDigits = expect.stringMatching(/^\d+$/) as unknown

test('those refused together are told different times, all near the one of the catalogue', () => {
  const error = new GatewayError('gateway_shutting_down', 'The gateway is stopping.')
  const hints = Array.from({ length: 50 }, () => Number(errorAnswer(error, false).headers['retry-after-ms']))
  expect(new Set(hints).size).toBeGreaterThan(25)
  expect(Math.min(...hints)).toBeGreaterThanOrEqual(4_000)
  expect(Math.max(...hints)).toBeLessThanOrEqual(6_000)
})

test('a time that is known is told as it is', () => {
  const error = new GatewayError('upstream_busy', 'Busy.', { retryAfterMs: 30_000 })
  expect(errorAnswer(error, false).headers).toMatchObject({ 'retry-after': '30', 'retry-after-ms': '30000' })
})

describe.each(codes)('%s', (code) => {
  const { status, type, shouldRetry, retryAfterMs } = errorCatalogue[code]
  const error = new GatewayError(code, 'What happened.')

  test('has its status, its envelope, and says whether to try again', () => {
    const answer = errorAnswer(error, false)
    expect(answer.status).toBe(status)
    const hint = retryAfterMs === null ? {} : { 'retry-after': anyDigits, 'retry-after-ms': anyDigits }
    expect(answer.headers).toEqual({
      'content-type': 'application/json',
      'x-should-retry': String(shouldRetry),
      ...hint,
    })
    expect(retryAfterMs !== null).toBe(status === 503)
    expect(JSON.parse(answer.body)).toEqual({ error: { message: 'What happened.', type, param: null, code } })
    expect(answer.body).toBe(errorBody(error, false))
  })

  test('is told to Anthropic clients in their envelope, under the same status and headers', () => {
    const answer = errorAnswer(error, true)
    const plain = errorAnswer(error, false)
    expect([answer.status, Object.keys(answer.headers)]).toEqual([plain.status, Object.keys(plain.headers)])
    const body = JSON.parse(answer.body) as { type: string; error: { type: string } }
    expect(body).toEqual({ type: 'error', error: { type: body.error.type, message: 'What happened.' } })
    expect([
      'invalid_request_error',
      'authentication_error',
      'permission_error',
      'not_found_error',
      'request_too_large',
      'rate_limit_error',
      'api_error',
      'overloaded_error',
    ]).toContain(body.error.type)
  })

  test('fits the classes of the official clients: retried only where trying again can help', () => {
    expect(status).toBeGreaterThanOrEqual(400)
    // 429: the caller's share fills up again.
    if (shouldRetry && status !== 429) expect(status).toBeGreaterThanOrEqual(500)
  })
})

test.each<[ErrorCode, string]>([
  ['invalid_json', 'invalid_request_error'],
  ['invalid_api_key', 'authentication_error'],
  ['model_not_allowed', 'permission_error'],
  ['model_not_found', 'not_found_error'],
  ['request_too_large', 'request_too_large'],
  ['request_timeout', 'api_error'],
  ['internal_error', 'api_error'],
  ['upstream_truncated', 'api_error'],
  ['queue_full', 'overloaded_error'],
  ['upstream_stalled', 'api_error'],
])('%s is a(n) %s to Anthropic clients', (code, type) => {
  expect(JSON.parse(errorBody(new GatewayError(code, ''), true))).toMatchObject({ error: { type } })
})

describe('retry hints', () => {
  const hints = (retryAfterMs: number, code: ErrorCode = 'queue_full') => {
    const { headers, body } = errorAnswer(new GatewayError(code, 'Full.', { retryAfterMs }), false)
    const { error } = JSON.parse(body) as { error: { message: string } }
    const { 'retry-after': seconds, 'retry-after-ms': ms, 'x-should-retry': retry } = headers
    return [seconds, ms, retry, error.message]
  }

  test.each<[number, (string | undefined)[]]>([
    [5_000, ['5', '5000', 'true', 'Full.']],
    [4_200.3, ['5', '4201', 'true', 'Full.']],
    [1, ['1', '1', 'true', 'Full.']],
    [0, ['1', '1', 'true', 'Full.']],
    [60_000, ['60', '60000', 'true', 'Full.']],
    [60_001, ['61', '60001', 'false', 'Full. Try again in 61 s.']],
    [7_200_000, ['7200', '7200000', 'false', 'Full. Try again in 7200 s.']],
  ])('of %d ms', (retryAfterMs, expected) => {
    expect(hints(retryAfterMs)).toEqual(expected)
  })

  test('do not make an error worth trying again that is not', () => {
    expect(hints(1_000, 'upstream_timeout')[2]).toBe('false')
  })

  test('over a minute stand in the envelope of Anthropic too', () => {
    const body = errorBody(new GatewayError('queue_full', 'Full.', { retryAfterMs: 90_000 }), true)
    expect(JSON.parse(body)).toMatchObject({ error: { message: 'Full. Try again in 90 s.' } })
  })
})

test('the field that is wrong is named', () => {
  const body = errorBody(new GatewayError('invalid_request', 'Wrong.', { param: 'messages' }), false)
  expect(JSON.parse(body)).toMatchObject({ error: { param: 'messages' } })
})

test('what is allowed stands in its header', () => {
  const { headers } = errorAnswer(new GatewayError('method_not_allowed', 'No.', { allow: 'GET, HEAD' }), false)
  expect(headers['allow']).toBe('GET, HEAD')
})

test('the cause stays inside', () => {
  const error = new GatewayError('internal_error', 'Failed.', { cause: new Error('the secret') })
  expect(JSON.stringify(errorAnswer(error, false))).not.toContain('secret')
})

test('a sentence with quotes, line ends and half a character is one line of JSON', () => {
  const body = errorBody(new GatewayError('invalid_request', '"\r\n\u2028\ud83e'), false)
  expect(body).not.toMatch(/[\r\n]/)
  expect(JSON.parse(body)).toMatchObject({ error: { message: '"\r\n\u2028\ud83e' } })
  expect(Buffer.from(body).toString('utf8')).toBe(body)
})

describe('the wait that a refusal by the line tells', () => {
  const headersOf = (wait: PredictedWait, anthropic = false) => {
    const { headers } = errorAnswer(new GatewayError('queue_full', 'Full.', { wait }), anthropic)
    return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-lmx-gateway-')))
  }

  test('is in whole milliseconds, for clients of either kind', () => {
    const told = {
      'x-lmx-gateway-queue-position': '3',
      'x-lmx-gateway-queue-wait-ms': '1235',
      'x-lmx-gateway-queue-wait-p90-ms': '4000',
    }
    for (const anthropic of [false, true]) {
      expect(headersOf({ position: 3, p50Ms: 1_234.5, p90Ms: 4_000 }, anthropic)).toEqual(told)
    }
  })

  test('is the place alone where nothing is known of how long', () => {
    expect(headersOf({ position: 0, p50Ms: null, p90Ms: null })).toEqual({ 'x-lmx-gateway-queue-position': '0' })
  })
})
