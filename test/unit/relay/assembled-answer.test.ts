import { describe, expect, test } from 'vitest'
import { GatewayError } from '../../../src/base/errors.ts'
import { Meter } from '../../../src/metering/meter.ts'
import { PhaseTimes } from '../../../src/metering/phase-times.ts'
import { TokenTallies } from '../../../src/metering/token-tallies.ts'
import { AssembledAnswer } from '../../../src/relay/assembled-answer.ts'
import { Failure } from '../../../src/relay/failure.ts'
import type { Receipt } from '../../../src/relay/receipt.ts'
import { dialects } from '../../../src/wire/dialect.ts'
import { StreamProgress } from '../../../src/wire/stream-progress.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { RecordingSink } from '../../kit/recording-sink.ts'
import { captureBody, eachByte, frame } from '../../kit/sse-streams.ts'
import { chunk, content, done, finish, role, usage } from './relayed-stream.ts'

interface Settings {
  dialect?: 'chat' | 'completions'
  choices?: number
  frameBytesMax?: number
  assembledBytesMax?: number
  errorsInText?: boolean
  receipt?: Receipt
}

function assembling(settings: Settings = {}) {
  const { dialect: name = 'chat', choices = 1, frameBytesMax = 4_096 } = settings
  const { assembledBytesMax = 100_000, errorsInText = true, receipt = null } = settings
  const clock = new FakeClock()
  const sink = new RecordingSink()
  const tally = new TokenTallies().tally('m', 'a', 'k')
  const meter = new Meter({ clock, tally, phases: new PhaseTimes(clock), stream: true })
  const dialect = dialects[name]
  const answer = new AssembledAnswer({
    head: {
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8', server: 'uvicorn', 'x-request-id': 'theirs' },
      mediaType: 'text/event-stream',
    },
    dialect,
    progress: new StreamProgress({ dialect, choices, onUsage: (told) => meter.report(told), onResponseId: null }),
    meter,
    sink,
    frameBytesMax,
    assembledBytesMax,
    errorsInText,
    receipt,
  })
  /** One read for each text. */
  const read = (...texts: readonly string[]) => {
    for (const text of texts) answer.data(Buffer.from(text))
  }
  return { answer, sink, meter, read }
}

const broken = new Failure('connection_lost', new GatewayError('upstream_disconnected', 'Gone.'))
const stalled = new Failure('timed_out', new GatewayError('upstream_stalled', 'Stopped.'))

const textOf = (sink: RecordingSink) =>
  (JSON.parse(sink.sent) as { choices: { message: { content: string } }[] }).choices.map((one) => one.message.content)

describe('an answer that is whole', () => {
  test('is sent at once, as JSON of a known length that says how it was made', () => {
    const { sink, read } = assembling()
    read(role, content, content, finish, usage)
    expect(sink).toMatchObject({ head: undefined, writes: [], ended: undefined })
    read(done)
    expect(sink.writes).toHaveLength(1)
    expect(sink.head).toEqual({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'content-length': String(sink.sent.length),
        'x-lmx-gateway-assembled': 'true',
      },
    })
    expect(JSON.parse(sink.sent)).toEqual({
      object: 'chat.completion',
      choices: [{ index: 0, message: { role: 'assistant', content: 'ww' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    })
    expect(sink.ended).toBe('complete')
  })

  test('has the receipt in its head, made when all of it was counted', () => {
    const { sink, meter, read } = assembling({
      receipt: {
        comment: () => Buffer.alloc(0),
        headers: (whole) => ({ receipt: `${whole} ${meter.soFar().tokens.output}` }),
      },
    })
    read(role, content, finish, usage, done)
    expect(sink.head?.headers['receipt']).toBe('true 2')
  })

  test('feeds the clocks with each frame of content, as a stream does, and with no other', () => {
    const { sink, meter, read } = assembling()
    read(': ping\n\n', role, content, content + content, 'data:\n\n', finish)
    expect(sink.contents).toBe(3)
    expect(meter.end()).toMatchObject({ usageSource: 'counted', tokens: { output: 3 } })
  })

  test('has the usage that its host reports', () => {
    const { meter, read } = assembling()
    read(content, content, content, finish, usage, done)
    expect(meter.end()).toMatchObject({ usageSource: 'reported', tokens: { input: 3, output: 2 } })
  })

  test('has a clock for each frame, from its first byte to its last', () => {
    const { sink, read } = assembling()
    read(content + content.slice(0, 1), content.slice(1, 9))
    expect(sink).toMatchObject({ insideFrame: true, framesBegun: 1 })
    read(content.slice(9) + content.slice(0, 9))
    expect(sink).toMatchObject({ insideFrame: true, framesBegun: 2 })
    read(content.slice(9))
    expect(sink).toMatchObject({ insideFrame: false, framesBegun: 2, contents: 3 })
  })

  test('may end without [DONE], by the end of the body or of the connection, and with half a frame behind it', () => {
    for (const rest of ['', ': x', usage.slice(0, -5)]) {
      for (const ends of [
        (answer: AssembledAnswer) => answer.end(),
        (answer: AssembledAnswer) => answer.broke(broken),
      ]) {
        const { answer, sink, read } = assembling()
        read(content, finish, rest)
        expect(sink).toMatchObject({ head: undefined, endExpectedWithinMs: 5_000 })
        ends(answer)
        expect(textOf(sink)).toEqual(['w'])
      }
    }
  })

  test.each([1, 2])('may lack %i line ends behind its last frame', (missing) => {
    for (const last of [finish, finish + done, finish.replaceAll('\n', '\r\n')]) {
      const { answer, sink, read } = assembling()
      const whole = content + last
      read(whole.slice(0, -missing * (whole.endsWith('\r\n') ? 2 : 1)))
      answer.end()
      expect(textOf(sink)).toEqual(['w'])
    }
  })

  test('has no longer time for what comes behind its end without saying anything', () => {
    const { sink, read } = assembling()
    read(content, finish)
    sink.endExpectedWithinMs = undefined
    read(role)
    expect(sink.endExpectedWithinMs).toBeUndefined()
    read(usage)
    expect(sink.endExpectedWithinMs).toBe(5_000)
  })

  test('is over with [DONE]: what follows is not read, and the host gets no long time', () => {
    const { answer, sink, read } = assembling()
    read(content, finish, done + content, content)
    answer.end()
    answer.broke(broken)
    expect(sink).toMatchObject({ endExpectedWithinMs: 50, ended: 'complete', contents: 1 })
  })

  test('holds the choices that there are: a host may know no n', () => {
    const { sink, read } = assembling({ choices: 3 })
    read(chunk({ content: 'b' }, null, 1), chunk({ content: 'a' }), chunk({}, 'stop', 1), chunk({}, 'stop'))
    expect(sink.endExpectedWithinMs).toBeUndefined()
    read(done)
    expect(textOf(sink)).toEqual(['a', 'b'])
  })

  test('may be a completion', () => {
    const { answer, sink } = assembling({ dialect: 'completions', choices: 1 })
    for (const piece of eachByte(captureBody('completions.stream'))) answer.data(piece)
    expect(JSON.parse(sink.sent)).toMatchObject({
      object: 'text_completion',
      choices: [{ index: 0, text: 'w0 w1 w2 w3 ', finish_reason: 'length' }],
    })
    expect(sink.contents).toBe(4)
  })

  test('counts a text beyond ASCII in bytes', () => {
    const { sink, read } = assembling()
    read(chunk({ content: 'é🦀' }, 'stop'), done)
    // The sink keeps a character for each byte.
    expect(sink.head?.headers['content-length']).toBe(String(sink.sent.length))
    expect(Buffer.from(sink.sent, 'latin1').toString()).toContain('é🦀')
  })
})

describe('an answer that is not whole', () => {
  test.each<[string, (stream: ReturnType<typeof assembling>) => void, string]>([
    ['an error frame', ({ read }) => read(frame({ error: { message: 'CUDA' } })), 'upstream_bad_response'],
    ['an error that says busy', ({ read }) => read(frame({ error: { code: 429 } })), 'upstream_busy'],
    ['a named error', ({ read }) => read('event: error\ndata: {"message":"CUDA"}\n\n'), 'upstream_bad_response'],
    ['a connection that breaks', ({ answer }) => answer.broke(broken), 'upstream_disconnected'],
    ['a clock that ran out', ({ answer }) => answer.broke(stalled), 'upstream_stalled'],
    ['an end', ({ answer }) => answer.end(), 'upstream_truncated'],
    ['[DONE]', ({ read }) => read(done), 'upstream_truncated'],
    ['an empty reason and [DONE]', ({ read }) => read(chunk({}, ''), done), 'upstream_truncated'],
    ['another choice that did not end', ({ read }) => read(finish, chunk({}, null, 1), done), 'upstream_truncated'],
    ['data that is not JSON', ({ read }) => read('data: {"choices": [{"del\n\n'), 'upstream_bad_response'],
    ['data that is no object', ({ read }) => read('data: 7\n\n'), 'upstream_bad_response'],
    ['a frame beyond the bound', ({ read }) => read(`data: ${'x'.repeat(5_000)}`), 'upstream_bad_response'],
  ])('%s has its status, and nothing was sent', (_what, happens, code) => {
    const stream = assembling()
    stream.read(role, content)
    happens(stream)
    expect(stream.sink).toMatchObject({ head: undefined, writes: [], failure: code })
    // Whatever still comes, it is over.
    stream.read(content, finish, done)
    stream.answer.end()
    stream.answer.broke(broken)
  })

  test('without [DONE] all choices must have ended: those asked for, and those begun', () => {
    const fewer = assembling({ choices: 2 })
    fewer.read(content, finish)
    fewer.answer.end()
    expect(fewer.sink).toMatchObject({ head: undefined, failure: 'upstream_truncated' })
    const more = assembling()
    more.read(content, finish, chunk({ role: 'assistant' }, null, 1))
    more.answer.broke(broken)
    expect(more.sink).toMatchObject({ head: undefined, failure: 'upstream_disconnected' })
  })

  test('more than the bound of an answer is refused while it comes', () => {
    const { sink, read } = assembling({ assembledBytesMax: 10_000 })
    const large = chunk({ content: 'x'.repeat(3_000) })
    read(large, large, large)
    expect(sink.ended).toBeUndefined()
    read(large)
    expect(sink).toMatchObject({ head: undefined, failure: 'upstream_bad_response', contents: 3 })
  })
})

describe('an error in the text', () => {
  const inText = chunk({ role: null, content: '\n\n[Error: Server is busy \u2014 all inference slots occupied.]' })

  test('of LMX is what it says, and is no content', () => {
    const { sink, read } = assembling()
    read(role, inText)
    expect(sink).toMatchObject({ contents: 0, ended: undefined })
    read(finish)
    expect(sink).toMatchObject({ head: undefined, failure: 'upstream_busy', contents: 0 })
  })

  test('after content too, as it was captured', () => {
    const { answer, sink } = assembling()
    for (const piece of eachByte(captureBody('chat.stream.engine-failure'))) answer.data(piece)
    expect(sink).toMatchObject({ head: undefined, failure: 'upstream_bad_response', contents: 3 })
  })

  test('that something follows is text', () => {
    const { sink, read } = assembling()
    read(role, inText, content, finish, done)
    expect(Buffer.from(textOf(sink)[0] ?? '', 'latin1').toString()).toMatch(/^\n\n\[Error: Server is busy .*\]w$/s)
    expect(sink.contents).toBe(2)
  })

  test('of a host that does not do so is text', () => {
    const { sink, read } = assembling({ errorsInText: false })
    read(role, inText, finish, done)
    expect(textOf(sink)[0]).toMatch(/^\n\n\[Error: /)
  })

  test('that nothing follows is no end', () => {
    const { answer, sink, read } = assembling()
    read(role, inText)
    answer.end()
    expect(sink.failure).toBe('upstream_truncated')
  })
})
