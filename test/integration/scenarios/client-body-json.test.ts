/** JSON that is deep, long, odd, or read by every reader in its own way. */
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'
import type { LogFields } from '../../../src/base/log.ts'
import { createLog } from '../../../src/observe/log-writer.ts'
import { type Endpoint, endpoints } from '../../../src/wire/endpoints.ts'
import { jsonDepthMax } from '../../../src/wire/json-members.ts'
import { wholeRequest } from '../../kit/chaos-host.ts'
import { type Headers, jsonResponseBytes, requestBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { chatAnswer, chatBytes, errorOf, promptCanary, type Scene, scenario } from './scene.ts'

const ok = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
const json = { 'content-type': 'application/json' }
const mebibyte = 1_048_576

function chat(body: string | Buffer, headers: Headers = {}): Buffer {
  return requestBytes('POST', '/v1/chat/completions', { ...json, ...headers }, body)
}

function bodyFor({ body }: Endpoint): { type: string; bytes: Buffer } {
  if (body === 'json') return { type: 'application/json', bytes: Buffer.from('{"model":"m","messages":[]}') }
  const form = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n--b--\r\n'
  return { type: 'multipart/form-data; boundary=b', bytes: Buffer.from(form) }
}

const codings: readonly [string, (bytes: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  ['GZIP', gzipSync],
  ['x-gzip', gzipSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['deflate', deflateSync],
  ['gzip, gzip', (bytes) => gzipSync(gzipSync(bytes))],
  ['identity, gzip', gzipSync],
  ['aes128gcm', (bytes) => bytes],
  ['', (bytes) => bytes],
]

test.each(endpoints)('C16: $path takes no encoded body, and undoes no encoding', (endpoint) =>
  scenario({}, async (scene) => {
    const { type, bytes } = bodyFor(endpoint)
    for (const [coding, encode] of codings) {
      const headers = { 'content-type': type, 'content-encoding': coding }
      const answer = await scene.ask(requestBytes('POST', endpoint.path, headers, encode(bytes)))
      expect(answer, coding).toMatchObject({ status: 415, complete: true })
      expect(answer.text).toContain('content-encoding')
    }
    // Sent without saying so it is no JSON, and no form.
    const hidden = await scene.ask(requestBytes('POST', endpoint.path, { 'content-type': type }, gzipSync(bytes)))
    expect(hidden.status).toBe(400)
    return { requests: codings.length + 1, attempts: {} }
  }),
)

test('C16: 10 KiB that would become 10 MiB stay 10 KiB', () =>
  scenario({}, async (scene) => {
    const bomb = gzipSync(Buffer.alloc(10 * mebibyte, ' '))
    expect(bomb.length).toBeLessThan(16_384)
    const answer = await scene.ask(chat(bomb, { 'content-encoding': 'gzip' }))
    expect(errorOf(answer)).toMatchObject({ code: 'unsupported_media_type', type: 'invalid_request_error' })
    return { requests: 1, attempts: {} }
  }))

test('C16: identity is no encoding', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    expect((await scene.ask(chatBytes({}, { 'content-encoding': 'identity' }))).status).toBe(200)
    expect((await scene.host().exchange()).request?.header('content-encoding')).toBeUndefined()
    return { requests: 1, attempts: { a: 1 } }
  }))

const limit = 10 * mebibyte
const listOf = (count: number, item: string): string => `[${`${item},`.repeat(count - 1)}${item}]`
/** As long as a body may be. */
const filled = (start: string, one: string, end: string): string =>
  start + one.repeat(Math.floor((limit - start.length - end.length) / one.length)) + end

interface Heavy {
  readonly body: string
  readonly status: 200 | 400
  readonly param?: string | null
}

const heavy: Readonly<Record<string, Heavy>> = {
  '100,000 nested lists': {
    body: `{"model":"m","messages":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
    status: 400,
  },
  '100,000 nested lists that are never closed': { body: `{"model":"m","a":${'['.repeat(100_000)}`, status: 400 },
  '100,000 nested objects': {
    body: `{"model":"m","a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`,
    status: 400,
  },
  'nested lists of 10 MiB': { body: filled('{"a":', '[', ''), status: 400 },
  'a million messages': { body: `{"model":"m","messages":${listOf(1_000_000, '{}')}}`, status: 400, param: 'messages' },
  'a million messages under a name in capitals': {
    body: `{"model":"m","Messages":${listOf(1_000_000, '0')}}`,
    status: 400,
    param: 'messages',
  },
  'a million tools': { body: `{"model":"m","messages":[],"tools":${listOf(1_000_000, '{}')}}`, status: 200 },
  '10 MiB of one string': { body: filled('{"model":"m","messages":[],"a":"', 'x', '"}'), status: 200 },
  '10 MiB of escapes': { body: filled('{"model":"m","messages":[],"a":"', '\\\\', '"}'), status: 200 },
  '10 MiB of quotes that are never closed': {
    body: filled('{"model":"m","messages":[],"a":"', '\\"', ''),
    status: 400,
  },
  '10 MiB of spaces': { body: filled('{"model":"m","messages":[]', ' ', '}'), status: 200 },
  '10 MiB of members': { body: filled('{"model":"m","messages":[]', ',"a":1', '}'), status: 200 },
  '10 MiB of digits': { body: filled('{"model":"m","messages":[],"a":1', '0', '}'), status: 200 },
}

test.each(Object.entries(heavy))('C17: %s', (_what, { body, status, param = null }) =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const answer = await scene.ask(chat(body))
    expect(answer.status).toBe(status)
    if (status === 400) {
      expect(errorOf(answer)).toMatchObject({ type: 'invalid_request_error', param })
      expect(answer.text.length).toBeLessThan(1_000)
      return { requests: 1, attempts: {} }
    }
    expect((await scene.host().exchange()).request?.body.equals(Buffer.from(body))).toBe(true)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('C17: at the bounds of depth and of messages a request is served, and one past them it is not', () =>
  scenario({ config: { relay: { messagesMax: 10 } } }, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const nested = (levels: number): string => `{"model":"m","a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    const messages = (count: number): string => `{"model":"m","messages":${listOf(count, '{"content":[1,2,[3,4]]}')}}`
    expect((await scene.ask(chat(nested(jsonDepthMax)))).status).toBe(200)
    expect(errorOf(await scene.ask(chat(nested(jsonDepthMax + 1)))).code).toBe('invalid_json')
    expect((await scene.ask(chat(messages(10)))).status).toBe(200)
    expect(errorOf(await scene.ask(chat(messages(11))))).toMatchObject({ code: 'invalid_request', param: 'messages' })
    return { requests: 4, attempts: { a: 2 } }
  }))

test('C17: while many such bodies are read, others are served in between', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const waited = new Set<string>()
    const order: ('heavy' | 'light')[] = []
    const bodies = Object.values(heavy).filter(({ status }) => status === 400)
    const asked = bodies.map(async ({ body, status }) => {
      waited.add(body)
      expect((await scene.ask(chat(body))).status).toBe(status)
      waited.delete(body)
      order.push('heavy')
    })
    // One light request after the other, for as long as a heavy one is not answered.
    const client = await scene.connect()
    do {
      expect((await scene.ask(requestBytes('GET', '/healthz'), client)).status).toBe(200)
      order.push('light')
    } while (waited.size > 0)
    await Promise.all(asked)
    expect(order.indexOf('light')).toBeLessThan(order.lastIndexOf('heavy'))
    return { requests: bodies.length, attempts: {} }
  }))

test.each<[string, string, string]>([
  ['n of 1e999999999', '{"model":"m","messages":[],"n":1e999999999}', 'n'],
  ['n of 100,000 digits', `{"model":"m","messages":[],"n":${'1'.repeat(100_000)}}`, 'n'],
  ['n of 1 and 100,000 zeros behind the dot', `{"model":"m","messages":[],"n":1.${'0'.repeat(100_000)}}`, 'n'],
  ['stream of 100,000 digits', `{"model":"m","messages":[],"stream":${'1'.repeat(100_000)}}`, 'stream'],
  ['two models', '{"model":"m","messages":[],"model":"other"}', 'model'],
  ['two equal models', '{"model":"m","messages":[],"model":"m"}', 'model'],
  ['two models, one with an escape', String.raw`{"model":"m","messages":[],"m\u006fdel":"other"}`, 'model'],
  ['two models, one in capitals', '{"model":"m","messages":[],"Model":"other"}', 'model'],
  ['two models, one with a Kelvin sign in another key', '{"model":"m","model":"x","to\u212aens":1}', 'model'],
  ['two streams', '{"model":"m","messages":[],"stream":false,"stream":true}', 'stream'],
  ['two n', '{"model":"m","messages":[],"n":1,"n":2}', 'n'],
  ['two stream_options', '{"model":"m","stream_options":{},"stream_options":null}', 'stream_options'],
  [
    'two include_usage',
    '{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}',
    'stream_options.include_usage',
  ],
  [
    'two previous_response_id',
    '{"model":"m","previous_response_id":"a","previous_response_id":"b"}',
    'previous_response_id',
  ],
])('C18: %s: refused by name', (_what, body, param) =>
  scenario({ hosts: { a: ['m', 'other'] } }, async (scene) => {
    const answer = await scene.ask(chat(body))
    expect(answer.status).toBe(400)
    expect(errorOf(answer)).toMatchObject({ code: 'invalid_request', type: 'invalid_request_error', param })
    return { requests: 1, attempts: {} }
  }),
)

test.each<[string, string]>([
  ['1e999999999', '{"model":"m","temperature":1e999999999,"messages":[-1e-999999999]}'],
  ['100,000 digits', `{"model":"m","seed":${'9'.repeat(100_000)}}`],
  ['two members that decide nothing', '{"model":"m","temperature":0,"temperature":1,"messages":[],"messages":[1]}'],
  ['__proto__', '{"__proto__":{"model":"other","stream":true},"model":"m","constructor":{"prototype":{"n":3}}}'],
  ['a model within something else', '{"a":{"model":"other"},"model":"m","messages":[{"model":"other"}]}'],
  ['a key that begins like the one that decides', '{"model\\u0000":"other","model ":"other","model":"m"}'],
])('C18: %s: the host gets the same bytes and reads the same model', (_what, body) =>
  scenario({ hosts: { a: ['m', 'other'] } }, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const answer = await scene.ask(chat(body))
    expect(answer.status).toBe(200)
    expect(answer.header('x-lmx-gateway-model')).toBe('m')
    const seen = (await scene.host().exchange()).request?.text ?? ''
    expect(seen).toBe(body)
    expect((JSON.parse(seen) as { model: string }).model).toBe('m')
    return { requests: 1, attempts: { a: 1 } }
  }),
)

/** Bytes that are no text, or that some readers take for another text. */
const oddBytes: Readonly<Record<string, string>> = {
  'a lone continuation byte': '\x80',
  'a lead byte without its rest': '\xc3',
  'a lead byte before a letter': '\xc3a',
  'three bytes of four': '\xf0\x9f\x98',
  'an overlong slash': '\xc0\xaf',
  'an overlong NUL': '\xc0\x80',
  'an overlong quote': '\xc0\xa2',
  'an overlong quote in three bytes': '\xe0\x80\xa2',
  'a surrogate in UTF-8': '\xed\xa0\x80',
  'a pair of surrogates in UTF-8': '\xed\xa0\xbd\xed\xb8\x80',
  'beyond the last code point': '\xf4\x90\x80\x80',
  'five bytes': '\xf8\x88\x80\x80\x80',
  FF: '\xff',
  'FE FF': '\xfe\xff',
  'a byte order mark': '\xef\xbb\xbf',
  'Latin-1': 'f\xfcr',
  'a lone high surrogate': '\\ud83d',
  'a lone low surrogate': '\\ude00',
  'surrogates in the wrong order': '\\ude00\\ud83d',
  'an escaped NUL': '\\u0000',
  'a NUL': '\0',
  'a line separator': '\xe2\x80\xa8',
  'an end of line': '\n',
  'a tab': '\t',
  'an escape of the terminal': '\x1b[31m',
  'an escaped escape of the terminal': '\\u001b[31m',
  'a change of direction': '\xe2\x80\xae',
  DEL: '\x7f',
  'an escape that there is not': '\\x41',
  'half an escape': '\\u12',
}

/** Where they stand; `%` is the place. */
const places: Readonly<Record<string, string>> = {
  'a message': '{"model":"m","messages":[{"role":"user","content":"a%b"}]}',
  'a member': '{"model":"m","messages":[],"user":"a%b"}',
  'a key': '{"model":"m","a%b":1}',
  'a key that would be the model without it': '{"model":"m","mod%el":"other"}',
  'the name of the model': '{"model":"m%","messages":[]}',
  'what stands before the body': '%{"model":"m"}',
  'what stands behind the body': '{"model":"m"}%',
}

const cases = Object.entries(places).flatMap(([place, form]) =>
  Object.entries(oddBytes).map(([what, bytes]) => ({
    title: `${what} in ${place}`,
    body: Buffer.from(
      form.replace('%', () => bytes),
      'latin1',
    ),
  })),
)

/** What the log would hold. */
function logText(scene: Scene, format: 'json' | 'text'): string[] {
  const lines: string[] = []
  const write = createLog(
    { format, level: 'info' },
    { write: (line) => lines.push(line) > 0, on: () => {} },
    systemClock,
  )
  for (const { message, fields } of scene.gateway.log) write('info', message, fields as LogFields)
  return lines
}

test('C19: 200 bodies with bytes that are no text are refused, or arrive as they were; the log stays what it is', () =>
  scenario({ hosts: { a: ['m', 'other'] } }, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const client = await scene.connect()
    let attempts = 0
    for (const { title, body } of cases) {
      const answer: HttpMessage = await scene.ask(chat(body), client)
      expect([200, 400, 404], title).toContain(answer.status)
      expect(() => new TextDecoder('utf-8', { fatal: true }).decode(answer.body), title).not.toThrow()
      if (answer.status !== 200) {
        expect(errorOf(answer).message, title).not.toBe('')
        continue
      }
      expect(scene.host().exchanges[attempts]?.request?.body, title).toEqual(body)
      attempts++
    }
    expect(cases.length).toBeGreaterThanOrEqual(200)
    expect(attempts).toBeGreaterThan(50)
    await scene.gateway.outcomesOnce(cases.length)
    for (const line of logText(scene, 'json')) {
      expect(line).toMatch(/^[^\n]*\n$/)
      expect(() => JSON.parse(line) as unknown, line).not.toThrow()
    }
    for (const line of logText(scene, 'text')) expect(line).toMatch(/^[^\p{Cc}\u2028\u2029]*\n$/u)
    return { requests: cases.length, attempts: { a: attempts } }
  }))

test.each(['utf16le', 'utf-16be', 'utf-32le'] as const)('C19: a body in %s is no JSON', (encoding) =>
  scenario({}, async (scene) => {
    const text = '{"model":"m","messages":[]}'
    const codes = [...Buffer.from(text)]
    const bytes = {
      utf16le: Buffer.from(text, 'utf16le'),
      'utf-16be': Buffer.from(codes.flatMap((code) => [0, code])),
      'utf-32le': Buffer.from(codes.flatMap((code) => [code, 0, 0, 0])),
    }[encoding]
    for (const mark of [Buffer.alloc(0), Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]) {
      const headers = { 'content-type': `application/json; charset=${encoding}` }
      const answer = await scene.ask(chat(Buffer.concat([mark, bytes]), headers))
      expect(answer.status).toBe(400)
      expect(errorOf(answer).code).toBe('invalid_json')
    }
    return { requests: 3, attempts: {} }
  }),
)

const values: readonly [string, string, readonly string[]][] = [
  [
    'n',
    'n',
    ['1e9', '0', '-1', '1.5', '17', '"2"', 'true', '[]', '{}', '1e-1', '-0', '16.0000000000000000000000000001e0000'],
  ],
  ['stream', 'stream', ['"yes"', '"true"', '1', '0', '[]', '{}', '"false"']],
  ['stream_options', 'stream_options', ['"x"', '1', 'true', '[]']],
  [
    'stream_options.include_usage',
    'stream_options',
    ['{"include_usage":"yes"}', '{"include_usage":1}', '{"include_usage":[]}'],
  ],
  ['model', 'model', ['null', '1', 'true', '[]', '{}', '""', '["m"]', `"${'m'.repeat(257)}"`]],
  ['previous_response_id', 'previous_response_id', ['1', 'true', '[]', '{}', `"${'r'.repeat(257)}"`]],
]

test.each(values)('C36: %s of a wrong form or size: 400 that names it', (param, key, texts) =>
  scenario({}, async (scene) => {
    for (const text of texts) {
      const members = { model: '"m"', messages: '[]', [key]: text }
      const body = `{${Object.entries(members)
        .map(([name, value]) => `"${name}":${value}`)
        .join()}}`
      const answer = await scene.ask(chat(body))
      expect(answer.status, text).toBe(400)
      expect(errorOf(answer), text).toMatchObject({ code: 'invalid_request', type: 'invalid_request_error', param })
    }
    return { requests: texts.length, attempts: {} }
  }),
)

test.each(['max_tokens', 'temperature', 'top_p', 'logprobs'])(
  'C36: %s is read by hosts alone: it arrives as it was, and their refusal comes back by its name',
  (param) =>
    scenario({}, async (scene) => {
      const error = { message: `${param} must be at least 1`, type: 'invalid_request_error', param, code: null }
      scene.host().playAlways(wholeRequest, jsonResponseBytes(400, { error }))
      for (const text of ['-1', '1e9', '"yes"', '[[]]']) {
        const body = `{"model":"m","messages":[],"${param}":${text}}`
        const answer = await scene.ask(chat(body))
        expect(answer.status).toBe(400)
        expect(errorOf(answer)).toMatchObject({ type: 'invalid_request_error', param, message: error.message })
        expect(scene.host().exchanges.at(-1)?.request?.text).toBe(body)
      }
      return { requests: 4, attempts: { a: 4 } }
    }),
)

test('C36: the schema of a tool may be as long as a body may be, and as deep', () =>
  scenario({}, async (scene) => {
    scene.host().playAlways(wholeRequest, ok)
    const wide = filled(
      '{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"a":{}',
      ',"b":{"type":"string"}',
      '}}}}]}',
    )
    expect((await scene.ask(chat(wide))).status).toBe(200)
    expect((await scene.host().exchange()).request?.body.equals(Buffer.from(wide))).toBe(true)
    // Its sender need not even begin.
    const head = chat('', { 'content-length': String(limit + 1) })
    expect(errorOf(await scene.ask(head)).code).toBe('request_too_large')
    const deep = `{"model":"m","tools":[{"a":${'{"properties":'.repeat(100)}1${'}'.repeat(100)}}],"user":"${promptCanary}"}`
    expect(errorOf(await scene.ask(chat(deep))).code).toBe('invalid_json')
    return { requests: 3, attempts: { a: 1 } }
  }))
