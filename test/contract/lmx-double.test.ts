/** Holds the double's raw bytes against every capture of a real LMX host. */
import { readdirSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { chunked } from '../kit/lmx-double/prompt.ts'
import type { RawRequest } from '../kit/lmx-double/raw-exchange.ts'
import { RawExchange, rawAnswer } from '../kit/lmx-double/raw-exchange.ts'
import { miniMaxToolCall } from '../kit/lmx-double/tool-calls.ts'

const fixtures = new URL('../fixtures/lmx/', import.meta.url)
const model = 'org/stub-a'

interface Recipe {
  request: RawRequest
  /** What had happened to the host before. */
  before?: (double: LmxDouble) => Promise<void> | void
}

const get = (path: string, before?: Recipe['before']): Recipe => ({
  request: { path },
  ...(before === undefined ? {} : { before }),
})
const post = (path: string, body: unknown, before?: Recipe['before']): Recipe => ({
  request: { path, body },
  ...(before === undefined ? {} : { before }),
})
const user = (content: string) => [{ role: 'user', content }]

/** 17 characters and two words: 4 tokens by either of LMX's counts. */
const prompt = user('Describe gateways')
const withUsage = { stream: true, stream_options: { include_usage: true } }
const tools = [{ type: 'function', function: { name: 'get_weather' } }]
const toolAnswer = chunked(`Let me check.\n${miniMaxToolCall('get_weather', { location: 'Paris', days: 3 })}`)

async function holdBothSlots(double: LmxDouble): Promise<void> {
  double.faults.next({ stallBeforeContent: true }, 2)
  for (let i = 0; i < 2; i += 1) {
    new RawExchange(double.port).send({ path: '/v1/chat/completions', body: { model, stream: true, messages: prompt } })
  }
  await double.waitFor(({ running }) => running === 2, 'both slots held')
}

async function aFailedRequest(double: LmxDouble): Promise<void> {
  double.faults.next({ errorAfterTokens: 3 })
  await rawAnswer(double.port, { path: '/v1/chat/completions', body: { model, messages: prompt } })
}

async function fiveWait(double: LmxDouble): Promise<void> {
  await aFailedRequest(double)
  await holdBothSlots(double)
  for (let i = 0; i < 5; i += 1) {
    new RawExchange(double.port).send({ path: '/v1/chat/completions', body: { model, stream: true, messages: prompt } })
  }
  await double.waitFor(({ waiting }) => waiting === 5, 'five requests waiting')
}

const fails = (double: LmxDouble) => double.faults.next({ errorAfterTokens: 3 })
const chat = '/v1/chat/completions'

const recipes: Readonly<Record<string, Recipe>> = {
  'admin.health': get('/admin/health'),
  'admin.memory': get('/admin/memory'),
  'admin.metrics': get('/admin/metrics', aFailedRequest),
  'admin.metrics.busy': get('/admin/metrics', fiveWait),
  'admin.models': get('/admin/models'),
  'admin.status': get('/admin/status'),
  'chat.bad-lane': {
    request: { path: chat, headers: { 'x-serving-lane': 'fast' }, body: { model, messages: prompt } },
  },
  'chat.malformed-json': post(chat, '{"model":'),
  'chat.model-not-found': post(chat, { model: 'nope', messages: prompt }),
  'chat.nonstream': post(chat, { model, max_tokens: 6, messages: prompt }),
  'chat.nonstream.busy': post(chat, { model, messages: prompt }, holdBothSlots),
  'chat.nonstream.engine-failure': post(chat, { model, messages: prompt }, fails),
  'chat.nonstream.tool': post(chat, { model, tools, messages: user('Weather?') }),
  'chat.stream': post(chat, { model, stream: true, max_tokens: 6, messages: prompt }),
  'chat.stream.busy': post(chat, { model, ...withUsage, messages: prompt }, holdBothSlots),
  'chat.stream.engine-failure': post(chat, { model, ...withUsage, messages: user('boom') }, fails),
  'chat.stream.n2': post(chat, { model, ...withUsage, n: 2, max_tokens: 3, messages: prompt }),
  'chat.stream.tool': post(chat, { model, ...withUsage, tools, messages: user('Weather?') }),
  'chat.stream.usage': post(chat, { model, ...withUsage, max_tokens: 6, messages: prompt }),
  'chat.validation': post(chat, { messages: [], temperature: 9 }),
  'completions.nonstream': post('/v1/completions', { model, prompt: 'Once', max_tokens: 4 }),
  'completions.stream': post('/v1/completions', { model, prompt: 'Once', max_tokens: 4, stream: true }),
  discovery: get('/v1/discovery'),
  'discovery.busy': get('/v1/discovery', holdBothSlots),
  embeddings: post('/v1/embeddings', { model, input: 'a text' }, (double) =>
    double.faults.next({ internalError: true }),
  ),
  healthz: get('/healthz'),
  'messages.nonstream': post('/v1/messages', { model, max_tokens: 4, messages: user('Hello') }),
  'messages.nonstream.busy': post('/v1/messages', { model, max_tokens: 4, messages: user('Hello') }, holdBothSlots),
  'messages.stream': post('/v1/messages', { model, max_tokens: 4, stream: true, messages: user('Hello') }),
  'messages.stream.busy': post(
    '/v1/messages',
    { model, max_tokens: 4, stream: true, messages: user('Hello') },
    holdBothSlots,
  ),
  models: get('/v1/models'),
  'models.one': get('/v1/models/org/stub-a'),
  'not-found': get('/metrics'),
  readyz: get('/readyz'),
  'responses.nonstream': post('/v1/responses', { model, input: 'Hello', max_output_tokens: 4 }),
  'responses.stream': post('/v1/responses', { model, input: 'Hello', max_output_tokens: 4, stream: true }),
  'responses.stream.busy': post('/v1/responses', { model, input: 'Hello', stream: true }, holdBothSlots),
  'well-known': get('/.well-known/opta-lmx'),
}

/** Answers whose numbers differ in length from run to run; their content-length is checked against their own body. */
const liveNumbers = new Set(['admin.metrics', 'admin.metrics.busy', 'admin.models', 'admin.status'])

/** Takes out what differs from run to run, and nothing else; ids keep their length, for the chunk sizes stay in. */
function normalised(name: string, answer: string, port: number): string {
  const [head = '', ...rest] = answer.split('\r\n\r\n')
  const body = rest.join('\r\n\r\n')
  const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1]
  if (length !== undefined) expect(Buffer.byteLength(body), 'content-length').toBe(Number(length))
  const plainHead = head
    .replace(/\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/, '\r\ndate: (date)\r\n')
    .replace(/\r\nx-request-id: req-[\w-]{16}\r\n/, '\r\nx-request-id: (id)\r\n')
  const plainBody = body
    .replace(/"(chatcmpl-|cmpl-|resp-|msg_)[\w-]{22}"/g, '"$1(id)"')
    .replace(/"call_[0-9a-f]{24}"/g, '"call_(id)"')
    .replace(/"created": ?\d{10},/g, '"created"(seconds),')
    .replaceAll(`:${port}`, ':(port)')
  if (!liveNumbers.has(name)) return `${plainHead}\r\n\r\n${plainBody}`
  return `${plainHead.replace(/content-length: \d+/, 'content-length: (length)')}\r\n\r\n${withoutNumbers(plainBody)}`
}

/** Counters and clocks go, the form of each number stays: whole, or with how many decimals where LMX fixes them. */
function withoutNumbers(body: string): string {
  return body
    .replace(/"(loaded_at|last_used_at)":\d{10}\.\d+/g, '"$1":(seconds)')
    .replace(/"(uptime_seconds)":\d+\.\d\b/g, '"$1":(0.0)')
    .replace(/"(request_count)":\d+/g, '"$1":(0)')
    .replace(/^(lmx_[^ ]+) (\d+)(\.\d+)?$/gm, (_line, series: string, _whole, decimals: string | undefined) => {
      return `${series} (${decimals === undefined ? '0' : `0${decimals.replace(/\d/g, '0')}`})`
    })
}

let double: LmxDouble | undefined

afterEach(async () => {
  await double?.stop()
  double = undefined
})

describe('the LMX double answers byte for byte as a captured host', () => {
  const captures = readdirSync(fixtures)
    .filter((file) => file.endsWith('.http'))
    .map((file) => file.slice(0, -'.http'.length))

  test('every capture has a request here, and every request a capture', () => {
    expect(Object.keys(recipes).toSorted()).toEqual(captures.toSorted())
  })

  test.each(captures)('%s', async (name) => {
    const recipe = recipes[name]!
    const captured = readFileSync(new URL(`${name}.http`, fixtures), 'utf8')
    double = await startLmxDouble({
      models: [model],
      slots: 2,
      // Long enough to see waiting requests in the metrics, at once for those who are to be refused.
      slotWaitMs: name === 'admin.metrics.busy' ? 60_000 : 1,
      memory: { totalGb: 23.54016876220703, usedGb: 1.0634727478027344 },
      hostname: 'm3',
      reply: ({ body }) => (body['tools'] === undefined ? null : toolAnswer),
    })
    await recipe.before?.(double)
    const answer = await rawAnswer(double.port, recipe.request)
    expect(normalised(name, answer, double.port)).toBe(normalised(name, captured, 18_123))
  })

  test('the comparison sees a single changed byte', () => {
    const captured = readFileSync(new URL('chat.stream.http', fixtures), 'utf8')
    const plain = normalised('chat.stream', captured, 18_123)
    const changes: [string, string][] = [
      ['"usage": null', '"usage":null'],
      ['\r\n103\r\n', '\r\n104\r\n'],
      ['vary: Origin', 'Vary: Origin'],
      ['"finish_reason": "stop"', '"finish_reason": "length"'],
      ['\r\n0\r\n\r\n', ''],
    ]
    for (const [from, to] of changes) {
      expect(captured).toContain(from)
      expect(normalised('chat.stream', captured.replace(from, to), 18_123)).not.toBe(plain)
    }
  })
})
