import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { Failure } from '../../../src/relay/failure.ts'
import { WholeAnswer } from '../../../src/relay/whole-answer.ts'
import type { ReportedUsage } from '../../../src/wire/usage.ts'
import { MessageReader } from '../../kit/http-message.ts'
import { RecordingSink } from '../../kit/recording-sink.ts'
import { cutAt, eachByte } from '../../kit/sse-streams.ts'

interface Settings {
  status?: number
  mediaType?: string
  headers?: Record<string, string | undefined>
  holdBytesMax?: number
  hasResponseId?: boolean
  receipt?: boolean
}

function relaying(settings: Settings = {}) {
  const { status = 200, mediaType = 'application/json', headers = {}, holdBytesMax = 1_000 } = settings
  const { receipt = false } = settings
  const sink = new RecordingSink()
  const usages: ReportedUsage[] = []
  const responseIds: string[] = []
  const passed: number[] = []
  const answer = new WholeAnswer({
    head: {
      status,
      headers: { 'content-type': mediaType, server: 'uvicorn', 'transfer-encoding': 'chunked', ...headers },
      mediaType,
    },
    sink,
    holdBytesMax,
    meter: {
      report: (usage) => void (usage !== null && usages.push(usage)),
      passed: (bytes) => void passed.push(bytes),
    },
    isGenerated: true,
    onResponseId: settings.hasResponseId === true ? (id) => responseIds.push(id) : null,
    receipt: receipt
      ? { comment: () => Buffer.alloc(0), headers: (whole) => ({ receipt: whole ? 'whole' : 'begun' }) }
      : null,
  })
  const read = (...pieces: readonly (string | Buffer)[]) => {
    for (const piece of pieces) answer.data(Buffer.from(piece))
  }
  return { answer, sink, usages, responseIds, passed, read }
}

const usage = { prompt_tokens: 3, completion_tokens: 2 }
const reported = { input: 3, output: 2 }
const broken = new Failure('connection_lost', new GatewayError('upstream_disconnected', 'Gone.'))
const jsonOf = (bytes: number) => {
  const text = 'x'.repeat(bytes - JSON.stringify({ text: '', usage }).length)
  return JSON.stringify({ text, usage })
}

describe('JSON of a bearable size', () => {
  const body = JSON.stringify({ id: 'x', choices: [{ message: { content: 'w' } }], usage })

  test('is sent when it is whole, with its length', () => {
    for (const pieces of [[Buffer.from(body)], cutAt(Buffer.from(body), [5, 20, 21]), eachByte(Buffer.from(body))]) {
      const { answer, sink, usages, read } = relaying({ status: 201, headers: { 'content-length': '7' } })
      read(...pieces)
      expect(sink.head).toBeUndefined()
      answer.end()
      const headers = { 'content-type': 'application/json', 'content-length': String(body.length) }
      expect(sink).toMatchObject({ head: { status: 201, headers }, sent: body, ended: 'complete' })
      expect(usages).toEqual([reported])
    }
  })

  test('that breaks off has a status of its own', () => {
    const { answer, sink, read } = relaying()
    read(body.slice(0, -1))
    answer.broke(broken)
    expect(sink).toMatchObject({ head: undefined, failure: 'upstream_disconnected' })
  })

  test.each([
    ['{"choices":[', 'upstream_truncated'],
    ['{"choices":[]}', undefined],
  ])('%s that only the end of its connection ended', (text, failure) => {
    const { answer, sink, read } = relaying({ headers: { 'transfer-encoding': undefined } })
    read(text)
    answer.end()
    expect(sink.failure).toBe(failure)
  })

  test('that ends in the middle is broken where HTTP calls it whole, and truncated where only its connection ended', () => {
    for (const half of ['', '{', '{"a":"}', '[[1]', '"a', '{"a":"\\"}']) {
      for (const [headers, failure] of [
        [{ 'content-length': String(half.length) }, 'upstream_bad_response'],
        [{ 'transfer-encoding': 'chunked' }, 'upstream_bad_response'],
        [{ 'transfer-encoding': undefined }, 'upstream_truncated'],
      ] as const) {
        const { answer, sink, read } = relaying({ headers })
        if (half !== '') read(half)
        answer.end()
        expect(sink).toMatchObject({ head: undefined, failure })
      }
    }
  })

  test('passes as it came, odd as it may be', () => {
    for (const odd of ['null', '[]', '\uFEFF{}', '{"error":null,"choices":[]}', '{"a":1,"error":{"message":"x"}}']) {
      const { answer, sink, read } = relaying()
      read(odd)
      answer.end()
      expect(sink).toMatchObject({ sent: Buffer.from(odd).toString('latin1'), ended: 'complete' })
    }
  })

  test('without usage reports none', () => {
    const { answer, usages, read } = relaying()
    read('{"choices":[],"usage":null}')
    answer.end()
    expect(usages).toEqual([])
  })

  test.each([
    'chat.nonstream',
    'chat.nonstream.tool',
    'completions.nonstream',
    'messages.nonstream',
    'responses.nonstream',
  ])('the capture %s passes byte for byte', (name) => {
    const reader = new MessageReader('response')
    reader.feed(readFileSync(new URL(`../../fixtures/lmx/${name}.http`, import.meta.url)), 0)
    const captured = reader.messages[0]!
    const { answer, sink, usages, responseIds, read } = relaying({ hasResponseId: true })
    read(captured.body)
    answer.end()
    expect(sink.sent).toBe(captured.body.toString('latin1'))
    expect(sink.head?.headers['content-length']).toBe(captured.header('content-length'))
    // LMX reports no usage there.
    expect(usages).toHaveLength(name.startsWith('responses') ? 0 : 1)
    expect(responseIds).toEqual([(JSON.parse(captured.text) as { id: string }).id])
  })
})

describe('an error under a good status', () => {
  test.each<[string, string, string, string]>([
    ['an object', '{"error":{"message":"CUDA"}}', 'upstream_bad_response', 'CUDA'],
    ['an object with a status', '{"error":{"message":"Busy.","code":429}}', 'upstream_busy', 'Busy.'],
    ['a text', '{"error":"CUDA"}', 'upstream_bad_response', 'CUDA'],
    ['spaced', ' \r\n{ "error" : { "message": "CUDA" } }', 'upstream_bad_response', 'CUDA'],
    ['with other members', '{"error":{"message":"CUDA"},"usage":null}', 'upstream_bad_response', 'CUDA'],
    ['that is cut', '{"error":{"message":"CU', 'upstream_bad_response', 'The host answered with broken JSON.'],
  ])('%s is an error', (_what, body, code, message) => {
    const { answer, sink, read, usages } = relaying()
    read(...eachByte(Buffer.from(body)))
    answer.end()
    expect(sink.head).toBeUndefined()
    expect(sink.ended).toMatchObject({ code, message })
    expect(usages).toEqual([])
  })
})

describe('JSON beyond the bound', () => {
  test('is held at the bound, and passed on from one byte more', () => {
    const fits = relaying()
    fits.read(jsonOf(1_000))
    expect(fits.sink.head).toBeUndefined()
    fits.answer.end()
    expect(fits.sink.sent).toBe(jsonOf(1_000))
    const over = relaying()
    over.read(jsonOf(1_001))
    expect(over.sink.sent).toBe(jsonOf(1_001))
    over.answer.end()
    expect(over.sink.ended).toBe('complete')
    expect([fits.usages, over.usages]).toEqual([[reported], [reported]])
  })

  test('has a receipt that knows it is not whole, where one that is held has the whole one', () => {
    const [fits, over] = [relaying({ receipt: true }), relaying({ receipt: true })]
    fits.read(jsonOf(1_000))
    fits.answer.end()
    over.read(jsonOf(1_001))
    expect([fits, over].map(({ sink }) => sink.head?.headers['receipt'])).toEqual(['whole', 'begun'])
  })

  test('goes out piece by piece from then on, with the length that the host announced', () => {
    const { answer, sink, read } = relaying({ holdBytesMax: 10, headers: { 'content-length': '16' } })
    read('[2345', '67890')
    expect(sink.writes).toEqual([])
    read('a')
    expect(sink.writes).toEqual(['[2345', '67890', 'a'])
    expect(sink.head?.headers).toEqual({ 'content-type': 'application/json', 'content-length': '16' })
    read('bcde]')
    answer.end()
    expect(sink).toMatchObject({ sent: '[234567890abcde]', ended: 'complete' })
  })

  test('that ends in the middle is not whole, whoever says so', () => {
    for (const headers of [{ 'transfer-encoding': 'chunked' }, {}]) {
      const { answer, sink, read } = relaying({ holdBytesMax: 10, headers })
      read('{"a":[1,2,3', ',"}]"')
      answer.end()
      expect(sink).toMatchObject({ sent: '{"a":[1,2,3,"}]"', failure: 'upstream_truncated' })
    }
  })

  test('that ends in the middle at its announced length stays short of it, since that would look whole', () => {
    const { answer, sink, read } = relaying({ holdBytesMax: 10, headers: { 'content-length': '16' } })
    read('{"a":[1,2,3', ',"}', ']"')
    answer.end()
    expect(sink).toMatchObject({ sent: '{"a":[1,2,3,"}', failure: 'upstream_truncated' })
    const all = relaying({ holdBytesMax: 10, headers: { 'content-length': '13' } })
    all.read('{"a":[1,2,3', ']', '}')
    all.answer.end()
    expect(all.sink).toMatchObject({ sent: '{"a":[1,2,3]}', ended: 'complete' })
  })

  test('tells of each byte that went on, with what was held before, and of none that did not', () => {
    const { answer, read, passed } = relaying({ holdBytesMax: 10, headers: { 'content-length': '16' } })
    read('[2345', '67890')
    expect(passed).toEqual([])
    read('a', 'bcde', 'x')
    expect(passed).toEqual([5, 5, 1, 4])
    answer.end()
    const held = relaying()
    held.read('[1]')
    held.answer.end()
    expect([held.sink.ended, held.passed]).toEqual(['complete', []])
  })

  test('of a length nobody announced has none', () => {
    const { sink, read } = relaying({ holdBytesMax: 1 })
    read('[1]')
    expect(sink.head?.headers).toEqual({ 'content-type': 'application/json' })
  })

  test('has its usage read from its end, however it is cut', () => {
    const body = Buffer.from(jsonOf(60_000))
    const lastBytes = [body.length - 70, body.length - 50, body.length - 30, body.length - 1]
    for (const cuts of [[30_000], lastBytes, [1, ...lastBytes], []]) {
      const { answer, sink, usages, read } = relaying()
      read(...cutAt(body, cuts))
      answer.end()
      expect(usages).toEqual([reported])
      expect(sink.sent).toBe(body.toString('latin1'))
    }
  })

  test('that breaks off is cut', () => {
    const { answer, sink, read, usages } = relaying({ holdBytesMax: 1 })
    read('[1,')
    answer.broke(broken)
    expect(sink).toMatchObject({ sent: '[1,', failure: 'upstream_disconnected' })
    expect(usages).toEqual([])
  })
})

describe('what is not JSON', () => {
  test('passes piece by piece from the first on', () => {
    const { answer, sink, read, passed } = relaying({ mediaType: 'audio/mpeg', headers: { 'content-length': '4' } })
    read(Buffer.of(0xff, 0xfb))
    expect(passed).toEqual([])
    expect(sink).toMatchObject({ writes: ['\xff\xfb'], ended: undefined })
    expect(sink.head?.headers).toEqual({ 'content-type': 'audio/mpeg', 'content-length': '4' })
    read(Buffer.of(0, 1))
    answer.end()
    expect(sink).toMatchObject({ sent: '\xff\xfb\0\x01', ended: 'complete' })
  })

  test('has no usage and no error, whatever it says', () => {
    const { answer, sink, read, usages } = relaying({ mediaType: 'text/plain' })
    read('{"error":{"message":"x"},"usage":{"prompt_tokens":3}}')
    answer.end()
    expect(sink.ended).toBe('complete')
    expect(usages).toEqual([])
  })

  test('and is empty is an empty answer', () => {
    const { answer, sink } = relaying({ mediaType: '' })
    answer.end()
    expect(sink).toMatchObject({ head: { status: 200 }, sent: '', ended: 'complete' })
  })
})

describe('the id of a stored response', () => {
  test('is told where the dialect has such', () => {
    const stored = relaying({ hasResponseId: true })
    stored.read('{"id":"resp-1"}')
    stored.answer.end()
    expect(stored.responseIds).toEqual(['resp-1'])
    const without = relaying()
    without.read('{"id":"resp-1"}')
    without.answer.end()
    expect(without.responseIds).toEqual([])
  })

  test.each(['{}', '{"id":7}', '[]', '{"response":{"id":"x"}}', '{'])('is not in %s', (body) => {
    const { answer, responseIds, read } = relaying({ hasResponseId: true })
    read(body)
    answer.end()
    expect(responseIds).toEqual([])
  })
})
