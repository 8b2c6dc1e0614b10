import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { dialects } from '../../../src/wire/dialect.ts'
import { answerStream, captureBody, cutAt, cuts, eachByte, frame } from '../../kit/sse-streams.ts'
import { broken, done, relaying } from './relayed-stream.ts'

describe('other dialects', () => {
  const event = (name: string, data: object) => frame(data, { before: [`event: ${name}`] })

  test('Responses are whole at their last event, with no [DONE] added', () => {
    const delta = event('response.output_text.delta', { delta: 'w' })
    const completed = event('response.completed', { response: { usage: { input_tokens: 3, output_tokens: 2 } } })
    const { sink, read, answer, meter } = relaying({ dialect: 'responses' })
    read(delta, completed)
    expect(sink).toMatchObject({ ended: undefined, endExpectedWithinMs: 50 })
    answer.end()
    expect(sink).toMatchObject({ sent: delta + completed, ended: 'complete' })
    expect(meter.end()).toMatchObject({ tokens: { input: 3, output: 2 } })
  })

  test.each<[keyof typeof dialects, string, string | undefined]>([
    ['chat', 'chat.stream', undefined],
    ['chat', 'chat.stream.usage', undefined],
    ['chat', 'chat.stream.tool', undefined],
    ['completions', 'completions.stream', undefined],
    ['responses', 'responses.stream', undefined],
    ['messages', 'messages.stream', undefined],
    ['messages', 'messages.stream.busy', 'upstream_disconnected'],
    ['responses', 'responses.stream.busy', 'upstream_disconnected'],
  ])('%s: the capture %s passes byte for byte, in one read and byte by byte', (dialect, capture, failure) => {
    const body = captureBody(capture)
    for (const pieces of [[body], eachByte(body)]) {
      const { sink, answer } = relaying({ dialect })
      for (const piece of pieces) answer.data(piece)
      answer.broke(broken)
      expect(sink.failure).toBe(failure)
      // LMX cuts a stream for which it has no slot before any content: held until then, none of it was sent.
      expect(sink.sent).toBe(failure === undefined ? body.toString('latin1') : '')
    }
  })

  test('both choices of the capture chat.stream.n2 pass', () => {
    const { sink, answer } = relaying({ choices: 2 })
    answer.data(captureBody('chat.stream.n2'))
    expect(sink).toMatchObject({ sent: captureBody('chat.stream.n2').toString('latin1'), ended: 'complete' })
  })

  test('a stream that is not read passes frame by frame from the first on, and is whole when HTTP says so', () => {
    const parts = ['data: {"type":"transcript.text.delta","delta":"w"}\n\n', ': ping\n\n', 'data: x\n\n']
    const { sink, read, answer } = relaying({ dialect: 'none' })
    read(...parts)
    expect(sink.writes).toEqual(parts)
    answer.end()
    expect(sink).toMatchObject({ sent: parts.join(''), ended: 'complete' })
  })

  test('a stream that is not read is whole at its [DONE] too', () => {
    const { sink, read } = relaying({ dialect: 'none' })
    read('data: {"choices":[{"delta":{"content":"w"}}]}\n\n', done)
    expect(sink).toMatchObject({ ended: 'complete' })
    expect(sink.sent).toContain(done)
  })

  test('a stream that is not read and breaks, or tells an error, is not whole', () => {
    const cut = relaying({ dialect: 'none' })
    cut.read('data: x\n\n')
    cut.answer.broke(broken)
    expect(cut.sink.failure).toBe('upstream_disconnected')
    const failed = relaying({ dialect: 'none' })
    failed.read(frame({ error: { message: 'CUDA' } }))
    expect(failed.sink).toMatchObject({ head: undefined, failure: 'upstream_bad_response' })
  })
})

describe('any sound answer, cut anywhere', () => {
  test.each([false, true])('the client gets the bytes of the host; usage taken out: %s', (dropUsageFrame) => {
    fc.assert(
      fc.property(answerStream, cuts, (made, positions) => {
        const whole = Buffer.from(made.frames.join(''))
        const { sink, answer, meter } = relaying({ dropUsageFrame, frameBytesMax: 65_536 })
        for (const piece of cutAt(whole, positions)) answer.data(piece)
        const wanted = made.frames.filter((one) => !dropUsageFrame || one !== made.usageFrame).join('')
        expect(sink.ended).toBe('complete')
        expect(sink.sent).toBe(Buffer.from(wanted).toString('latin1'))
        expect(sink.contents).toBe(made.contentFrames)
        expect(meter.end()).toMatchObject({
          usageSource: 'reported',
          tokens: { input: made.usage.prompt_tokens, output: made.usage.completion_tokens },
        })
      }),
      { numRuns: 300 },
    )
  })
})
