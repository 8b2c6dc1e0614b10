import { describe, expect, test } from 'vitest'
import { disclosesHost } from '../../../src/relay/disclosure.ts'
import { failureFromHost, failureFromHostObject, failureFromText } from '../../../src/relay/host-error.ts'

const disclosing = [
  'Traceback (most recent call last):\n  ValueError',
  'boom\n  File "serve.py", line 12, in run',
  'Error: x\n    at Server.run (main)',
  '<Engine object at 0x7f3a5c0012d0>',
  'app.py:12: no',
  'connect to studio:1234 failed',
  'localhost:80 refused',
  'listening on [::]:8000',
  'upstream 10.0.0.7 gone',
  'upstream 10.0.0.7:8000 gone',
  'dial tcp fe80::1%en0: no route',
  'dial ::1',
  'dial 2001:db8:0:0:0:0:2:1',
  'dial 2001:db8::',
  'POST http://studio/v1/models failed',
  'cannot open /opt/lmx/models/x.gguf',
  "open('/opt/lmx') failed",
  'in ~/models/x',
  'in C:\\Users\\ann',
  'in d:/models',
  'in \\\\nas\\models',
  'nginx/1.25',
  'vLLM 0.6.3.',
  'vLLM v0.6.3',
]

const harmless = [
  '',
  'Server is busy — all inference slots occupied. Try again shortly.',
  'Stream inference failed: CUDA',
  'Stream inference timed out after 300s',
  'RuntimeError: CUDA out of memory. Tried to allocate 2.50 GiB (GPU 0; 23.69 GiB total)',
  'std::bad_alloc in torch::cuda',
  'POST /v1/chat/completions is not there',
  'No model org/a, and no qwen3-30b-a3b or qwen2.5:32b.',
  'Come back at 12:30:15, and/or in 30 s: 7 tokens/s.',
  'Error rendering prompt: unexpected token at position 7',
  'code:500',
]

describe('a sentence of a host', () => {
  test.each(disclosing)('%j gives away where it runs', (sentence) => {
    expect(disclosesHost(sentence)).toBe(true)
    expect(disclosesHost(`The engine failed (${sentence})`)).toBe(true)
  })

  test.each(harmless)('%j does not', (sentence) => {
    expect(disclosesHost(sentence)).toBe(false)
  })
})

const given = (status: number, body: unknown) =>
  failureFromHost({ status, mediaType: 'application/json', body: JSON.stringify(body), retryAfter: '7' })
const path = 'No file /opt/lmx/models/x.gguf'

describe('what of it is shown', () => {
  test.each<[string, number, unknown]>([
    ['OpenAI', 500, { error: { message: path, param: '/opt/lmx/x' } }],
    ['detail', 502, { detail: path }],
    ['a list of details', 500, { detail: [{ loc: ['body', '/opt/lmx/x'], msg: path }] }],
    ['text', 504, { error: path }],
    ['where it is busy', 503, { error: path }],
    ['where it is busy and says so by 429', 429, { error: path }],
    ['not offered', 501, { error: path }],
  ])('nothing of it: %s', (_what, status, body) => {
    const { error, hostSaid } = given(status, body)
    expect(error.message).toBe(`The host answered with status ${status}.`)
    expect(error.detail.param).toBeUndefined()
    expect(hostSaid).toContain(path)
  })

  test('its meaning stays what it was', () => {
    const loading = given(503, { error: { message: 'Loading model /models/big/x.gguf' } })
    expect(loading.error).toMatchObject({ code: 'model_loading', retryAfterMs: 7_000 })
    const busy = given(500, { error: { message: 'Server is busy at 10.0.0.7' } })
    expect([busy.cause, busy.error.code]).toEqual(['busy', 'upstream_busy'])
  })

  test('all of it, where it is about the request or gives nothing away', () => {
    expect(given(400, { error: path })).toMatchObject({ error: { message: path }, hostSaid: null })
    expect(given(404, { error: { message: path, code: 'model_not_found' } }).error.message).toBe(path)
    expect(given(500, { error: 'CUDA' })).toMatchObject({ error: { message: 'CUDA' }, hostSaid: null })
  })

  test('an address behind the bound of what is shown, or across it, counts', () => {
    const across = given(500, { error: `${'x '.repeat(496)}10.0.0.177` })
    expect(across.error.message).toBe('The host answered with status 500.')
    expect(across.hostSaid).toHaveLength(200)
  })

  test('nothing of it in an answer that had begun, whatever status it tells', () => {
    for (const code of [400, 500, 'server_error']) {
      const { error, hostSaid } = failureFromHostObject({ message: path, code })
      expect(error.message).toMatch(/^The host answered with status \d+\.$/)
      expect(hostSaid).toBe(path)
    }
    for (const begin of ['Stream inference failed', 'Server is busy', 'Stream inference timed out']) {
      const { error, hostSaid } = failureFromText(`${begin}: ${path}`)
      expect([error.message, hostSaid]).toEqual(['The host told an error in its answer.', `${begin}: ${path}`])
    }
    const missing = `"Model '/opt/lmx/x' is not loaded"`
    expect(failureFromText(missing).error.message).toBe(missing)
  })
})
