import { describe, expect, test } from 'vitest'
import type { StreamAnswer } from '../../../src/relay/stream-answer.ts'
import { frame } from '../../kit/sse-streams.ts'
import { broken, chunk, content, done, finish, relaying, role, usage } from './relayed-stream.ts'

describe('before the first content', () => {
  test('everything is held: headers, role frame, comments', () => {
    const { sink, read } = relaying()
    read(': hello\n\n', role, 'event: x\n\n', role)
    expect(sink).toMatchObject({ head: undefined, writes: [], contents: 0 })
    read(content)
    expect(sink.sent).toBe(`: hello\n\n${role}event: x\n\n${role}${content}`)
  })

  test('the first content brings status and headers, and then the frames held and itself', () => {
    const { sink, read } = relaying()
    read(role, content)
    expect(sink.head).toEqual({
      status: 200,
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache',
        'x-accel-buffering': 'no',
      },
    })
    expect(sink.writes).toEqual([role, content])
  })

  test.each([
    ['a finish', finish],
    ['usage that the client asked for', usage],
  ])('%s brings them too', (_what, text) => {
    const { sink, read } = relaying()
    expect(read(role, text)).toBe(role + text)
    expect(sink).toMatchObject({ contents: 0, ended: undefined })
  })

  test('usage that the client did not ask for brings nothing', () => {
    const { sink, read } = relaying({ dropUsageFrame: true })
    read(role, usage)
    expect(sink.head).toBeUndefined()
  })

  test.each<[string, (stream: ReturnType<typeof relaying>) => void, string]>([
    ['an error frame', ({ read }) => read(frame({ error: { message: 'CUDA' } })), 'upstream_bad_response'],
    ['an error frame that says busy', ({ read }) => read(frame({ error: { code: 429 } })), 'upstream_busy'],
    ['a named error', ({ read }) => read('event: error\ndata: {"message":"CUDA"}\n\n'), 'upstream_bad_response'],
    ['a connection that breaks', ({ answer }) => answer.broke(broken), 'upstream_disconnected'],
    ['an end without anything', ({ answer }) => answer.end(), 'upstream_truncated'],
    ['[DONE] without a finish', ({ read }) => read(done), 'upstream_truncated'],
  ])('%s has a status of its own, and nothing was sent', (_what, happens, code) => {
    const stream = relaying()
    stream.read(role)
    happens(stream)
    expect(stream.sink).toMatchObject({ head: undefined, writes: [], failure: code })
  })

  test('a host may send up to the bound of a frame, and not one byte more', () => {
    const filler = (bytes: number) => `: ${'x'.repeat(bytes - 4)}\n\n`
    const fits = relaying({ frameBytesMax: 1_000 })
    fits.read(filler(400), filler(600), content)
    expect(fits.sink.sent).toBe(filler(400) + filler(600) + content)
    const over = relaying({ frameBytesMax: 1_000 })
    over.read(filler(400), filler(601))
    expect(over.sink).toMatchObject({ head: undefined, failure: 'upstream_bad_response' })
    over.read(content)
    expect(over.sink.writes).toEqual([])
  })

  test('what is held is a copy: the read it came in may be used again', () => {
    const { answer, sink } = relaying()
    const bytes = Buffer.from(role)
    answer.data(bytes)
    bytes.fill('x')
    answer.data(Buffer.from(content))
    expect(sink.sent).toBe(role + content)
  })
})

describe('from the first content on', () => {
  test('a frame goes out in the read in which its last byte comes, and not before', () => {
    const { sink, read } = relaying()
    read(content)
    expect(read(content.slice(0, -1))).toBe(content)
    expect(read('\n')).toBe(content + content)
    expect(sink.writes).toEqual([content, content])
  })

  test('frames of one read go out in one write', () => {
    const { sink, read } = relaying()
    read(content)
    read(content + role + content + content.slice(0, 9))
    expect(sink.writes).toEqual([content, content + role + content])
  })

  test('each frame with content feeds the clocks, no other frame does', () => {
    const { sink, read } = relaying()
    read(content, ': ping\n\n', role, content + content, '\n')
    expect(sink.contents).toBe(3)
  })

  test('a frame that is not JSON passes as it is', () => {
    const { read } = relaying()
    const odd = 'data: {"content": "w\n\n'
    expect(read(content, odd, 'data: oops\n\n', finish, done)).toBe(`${content}${odd}data: oops\n\n${finish}${done}`)
  })

  test.each<[string, string]>([
    ['an error object', frame({ error: { message: 'CUDA' } })],
    ['an error text', frame({ error: 'CUDA' })],
    ['a named error', 'event: error\ndata: {"message":"CUDA"}\n\n'],
  ])('%s ends it, and goes no further; what came before it in the same read does', (_what, error) => {
    const { sink, read } = relaying()
    read(content, content + error + content, done)
    expect(sink.sent).toBe(content + content)
    expect(sink.ended).toMatchObject({ code: 'upstream_bad_response', message: 'CUDA' })
  })

  test('an end, [DONE] or a break without a finish is told as one', () => {
    for (const [ends, code] of [
      [({ answer }) => answer.end(), 'upstream_truncated'],
      [({ read }) => read(done), 'upstream_truncated'],
      [({ answer }) => answer.broke(broken), 'upstream_disconnected'],
    ] satisfies [(stream: ReturnType<typeof relaying>) => void, string][]) {
      const stream = relaying()
      stream.read(role, content)
      ends(stream)
      expect(stream.sink).toMatchObject({ sent: role + content, failure: code })
    }
  })

  test('a frame larger than its bound ends it; whole frames before it in the same read still go out', () => {
    const { sink, read, meter } = relaying({ frameBytesMax: 200 })
    read(content, content + chunk({ content: 'x'.repeat(200) }))
    expect(sink).toMatchObject({ sent: content + content, contents: 2, failure: 'upstream_bad_response' })
    expect(meter.end().tokens.output).toBe(2)
  })

  test('so does a line without an end', () => {
    const { sink, read } = relaying({ frameBytesMax: 200 })
    read(content, 'data: '.padEnd(200, 'x'))
    expect(sink.ended).toBeUndefined()
    read('x')
    expect(sink).toMatchObject({ sent: content, failure: 'upstream_bad_response' })
    read('x', content)
    expect(sink.sent).toBe(content)
  })

  test('before any content a large frame has a status of its own', () => {
    const { sink, read } = relaying({ frameBytesMax: 200 })
    read(role + chunk({ content: 'x'.repeat(200) }))
    expect(sink).toMatchObject({ head: undefined, failure: 'upstream_bad_response' })
  })
})

describe('usage', () => {
  const metered = { tokens: { input: 3, output: 2 }, usageSource: 'reported' }

  test('asked for by the client stays in the stream', () => {
    const { sink, read, meter } = relaying()
    expect(read(role, content, content, finish, usage, done)).toBe(role + content + content + finish + usage + done)
    expect(sink.ended).toBe('complete')
    expect(meter.end()).toMatchObject(metered)
  })

  test('asked for by the gateway is read and taken out, wherever it stands in a read', () => {
    const reads = [
      [role, content, content, finish, usage, done],
      [role + content + content + finish + usage + done],
      [role, content + content, finish + usage, done],
      [role, content, content + finish, usage + done],
    ]
    for (const texts of reads) {
      const { sink, read, meter } = relaying({ dropUsageFrame: true })
      expect(read(...texts)).toBe(role + content + content + finish + done)
      expect(sink.ended).toBe('complete')
      expect(meter.end()).toMatchObject(metered)
    }
  })

  test('beside choices is the client’s, whoever asked', () => {
    const both = frame({
      choices: [{ index: 0, delta: { content: 'w' }, finish_reason: null }],
      usage: { prompt_tokens: 3, completion_tokens: 2 },
    })
    const { read, meter } = relaying({ dropUsageFrame: true })
    expect(read(both, finish, done)).toBe(both + finish + done)
    expect(meter.end()).toMatchObject(metered)
  })

  test('that cannot be believed is taken out all the same, and frames are counted', () => {
    const { read, meter } = relaying({ dropUsageFrame: true })
    const odd = frame({ choices: [], usage: { prompt_tokens: -1, completion_tokens: '9' } })
    expect(read(content, content, finish, odd, done)).toBe(content + content + finish + done)
    expect(meter.end()).toMatchObject({ tokens: { input: 0, output: 2 }, usageSource: 'counted' })
  })

  test('told twice counts once, and zero is a value', () => {
    const { read, meter } = relaying()
    const zero = frame({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 0 } })
    read(content, finish, usage, zero, done)
    expect(meter.end()).toMatchObject({ tokens: { input: 3, output: 0 }, usageSource: 'reported' })
  })
})

describe('the end', () => {
  test('[DONE] ends it at once; what the host still sends goes nowhere', () => {
    const { sink, read, answer } = relaying()
    read(content, finish, `${done}data: more\n\n`)
    expect(sink).toMatchObject({ sent: content + finish + done, ended: 'complete', endExpectedWithinMs: 50 })
    read(content)
    answer.end()
    answer.broke(broken)
    expect(sink.sent).toBe(content + finish + done)
  })

  test('[DONE] before any content but behind a finish is whole', () => {
    const { sink, read } = relaying()
    expect(read(role + finish + done)).toBe(role + finish + done)
    expect(sink.ended).toBe('complete')
  })

  test.each<[string, (answer: StreamAnswer) => void]>([
    ['ends', (answer) => answer.end()],
    ['breaks', (answer) => answer.broke(broken)],
  ])('a host that forgets [DONE] and then %s: it is added', (_what, ends) => {
    const { sink, read, answer } = relaying()
    read(role, content, finish)
    expect(sink).toMatchObject({ ended: undefined, endExpectedWithinMs: 5_000 })
    ends(answer)
    expect(sink).toMatchObject({ sent: role + content + finish + done, ended: 'complete' })
  })

  test('the end is expected from the last finish on, content beside it or not, and not from an earlier one', () => {
    const beside = relaying()
    beside.read(chunk({ content: 'w' }, 'stop'))
    expect(beside.sink).toMatchObject({ contents: 1, endExpectedWithinMs: 5_000 })
    const two = relaying({ choices: 2 })
    two.read(content, finish)
    expect(two.sink.endExpectedWithinMs).toBeUndefined()
    two.read(chunk({}, 'stop', 1))
    expect(two.sink.endExpectedWithinMs).toBe(5_000)
  })

  test('a host that ignores n: one finish and [DONE] are whole, one finish and an end are not', () => {
    const marked = relaying({ choices: 2 })
    marked.read(content, finish, done)
    expect(marked.sink).toMatchObject({ sent: content + finish + done, ended: 'complete' })
    const unmarked = relaying({ choices: 2 })
    unmarked.read(content, finish)
    unmarked.answer.end()
    expect(unmarked.sink).toMatchObject({ sent: content + finish, failure: 'upstream_truncated' })
  })

  test('a last frame without its empty line is completed as far as it needs', () => {
    for (const missing of ['\n', '\n\n']) {
      for (const last of [done, finish]) {
        const { sink, read, answer } = relaying()
        read(content, ...(last === done ? [finish] : []), last.slice(0, -missing.length))
        answer.end()
        expect(sink).toMatchObject({ sent: content + finish + done, ended: 'complete' })
      }
    }
  })

  test('a last frame that is cut off is not sent: no parser could read it', () => {
    const { sink, read, answer } = relaying()
    read(content, content.slice(0, -5))
    answer.end()
    expect(sink).toMatchObject({ sent: content, contents: 1, failure: 'upstream_truncated' })
  })

  test('nor is a last frame whose connection broke, whole as it may look', () => {
    const { sink, read, answer } = relaying()
    read(content, content.slice(0, -2))
    answer.broke(broken)
    expect(sink).toMatchObject({ sent: content, failure: 'upstream_disconnected' })
  })

  test.each(['\n', '\r\n', '\r'])('with lines ended by %j', (lineEnd) => {
    const text = (content + finish + usage + done).replaceAll('\n', lineEnd)
    const { sink, read } = relaying()
    for (const byte of text) read(byte)
    expect(sink).toMatchObject({ sent: text, ended: 'complete' })
  })
})

describe('an error that the host writes into its text', () => {
  const inText = chunk({ content: '\n\n[Error: Stream inference failed: CUDA]' })
  const busy = chunk({ content: '\n\n[Error: Server is busy, all slots]' })

  test('before any content nothing of it is sent', () => {
    const { read, sink } = relaying({ errorsInText: true })
    read(role, busy)
    expect(sink).toMatchObject({ head: undefined, contents: 0, ended: undefined })
    read(finish)
    expect(sink).toMatchObject({ head: undefined, writes: [], contents: 0, failure: 'upstream_busy' })
  })

  test('after content it is told at the end, and what came before stays', () => {
    const { read, sink, meter } = relaying({ errorsInText: true })
    expect(read(role, content, inText)).toBe(role + content)
    expect(read(finish + usage + done)).toBe(role + content)
    expect(sink.failure).toBe('upstream_bad_response')
    expect(meter.end().tokens.output).toBe(1)
  })

  test('all of it in one read', () => {
    const { read, sink } = relaying({ errorsInText: true })
    expect(read(role + content + inText + finish + usage + done)).toBe(role + content)
    expect(sink.failure).toBe('upstream_bad_response')
  })

  test.each<[string, string]>([
    ['more text', content],
    ['usage', usage],
    ['a comment', ': hello\n\n'],
  ])('it is text when %s follows, and waits for no longer', (_what, next) => {
    const { read, sink } = relaying({ errorsInText: true })
    expect(read(role, inText)).toBe('')
    expect(read(next)).toBe(role + inText + next)
    expect(read(finish + done)).toBe(role + inText + next + finish + done)
    expect(sink.ended).toBe('complete')
  })

  test.each<[string, (answer: StreamAnswer) => void]>([
    ['ends', (answer) => answer.end()],
    ['breaks', (answer) => answer.broke(broken)],
  ])('it is sent as it came where the connection %s behind it', (_what, end) => {
    const { answer, read, sink } = relaying({ errorsInText: true })
    read(role, content, inText)
    end(answer)
    expect(sink.sent).toBe(role + content + inText)
    expect(sink.failure).toBeDefined()
  })

  test('two of them in a row: the first is text', () => {
    const { read, sink } = relaying({ errorsInText: true })
    expect(read(role, inText, inText)).toBe(role + inText)
    read(finish)
    expect(sink.failure).toBe('upstream_bad_response')
  })

  test('of a host of another kind it is text', () => {
    const { read, sink } = relaying()
    expect(read(role + inText + finish + done)).toBe(role + inText + finish + done)
    expect(sink.ended).toBe('complete')
  })
})

describe('frames that are not JSON', () => {
  const torn = 'data: {"choices":[{"delta":{"content":"he\n\n'

  test('two in a row are for the client to judge, a third is not', () => {
    const { read, sink } = relaying()
    expect(read(role, content, torn, torn)).toBe(role + content + torn + torn)
    expect(sink.ended).toBeUndefined()
    expect(read(torn)).toBe(role + content + torn + torn)
    expect(sink.failure).toBe('upstream_bad_response')
  })

  test('a good one between begins the count anew', () => {
    const { read, sink } = relaying()
    const all = role + content + torn + torn + content + torn + torn
    expect(read(all, finish + done)).toBe(all + finish + done)
    expect(sink.ended).toBe('complete')
  })
})

describe('the clock of a frame', () => {
  test('runs from the first byte of a frame until its last', () => {
    const { read, sink } = relaying()
    read(role + content)
    expect(sink).toMatchObject({ insideFrame: false, framesBegun: 0 })
    read(content.slice(0, 9))
    expect(sink).toMatchObject({ insideFrame: true, framesBegun: 1 })
    read(content.slice(9, 10), content.slice(10, 20))
    expect(sink.framesBegun).toBe(1)
    read(content.slice(20))
    expect(sink).toMatchObject({ insideFrame: false, framesBegun: 1 })
    read(content + content.slice(0, 1), content.slice(1) + content.slice(0, 1))
    expect(sink).toMatchObject({ insideFrame: true, framesBegun: 3 })
  })
})
