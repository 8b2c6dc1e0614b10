/** Where the receipt of a stream stands: before the mark that ends it, and nowhere where it does not end well. */
import { describe, expect, test } from 'vitest'
import type { dialects } from '../../../src/wire/dialect.ts'
import { captureBody, eachByte, frame } from '../../kit/sse-streams.ts'
import { broken, content, done, finish, relaying, role, usage } from './relayed-stream.ts'

const receipt = ': receipt\n\n'
const asking = { receipt: () => receipt }
const event = (name: string, data: object) => frame(data, { before: [`event: ${name}`] })

test('stands before [DONE], in one write with it, and behind all else', () => {
  const { sink, read } = relaying(asking)
  read(role, content, content + finish + usage + done)
  expect(sink.sent).toBe(role + content + content + finish + usage + receipt + done)
  expect(sink.writes.at(-1)).toBe(receipt + done)
  expect(sink.ended).toBe('complete')
})

test('is made when the last frame has been counted, one that was taken out included', () => {
  let meteredBy = ''
  const { sink, read, meter } = relaying({
    dropUsageFrame: true,
    receipt: () => {
      const { tokens, usageSource } = meter.soFar()
      meteredBy = `${tokens.input} ${tokens.output} ${usageSource}`
      return receipt
    },
  })
  read(role + content + finish + usage + done)
  expect(sink.sent).toBe(role + content + finish + receipt + done)
  expect(meteredBy).toBe('3 2 reported')
})

test('stands before the [DONE] that a host forgot', () => {
  const { sink, read, answer } = relaying(asking)
  read(content, finish)
  answer.end()
  expect(sink).toMatchObject({ sent: content + finish + receipt + done, ended: 'complete' })
})

describe.each<[keyof typeof dialects, string, RegExp]>([
  ['chat', 'chat.stream.usage', /^data: \[DONE\]\r?\n\r?\n$/],
  ['completions', 'completions.stream', /^data: \[DONE\]\r?\n\r?\n$/],
  ['messages', 'messages.stream', /^event: message_stop\r?\n/],
  ['responses', 'responses.stream', /^event: response\.completed\r?\n/],
])('%s', (dialect, capture, last) => {
  test('the receipt stands once, before the last mark; every other byte is the host’s', () => {
    const body = captureBody(capture)
    for (const pieces of [[body], eachByte(body)]) {
      const { sink, answer } = relaying({ dialect, ...asking })
      for (const piece of pieces) answer.data(piece)
      answer.end()
      expect(sink.ended).toBe('complete')
      const [before = '', after = '', ...more] = sink.sent.split(receipt)
      expect(more).toEqual([])
      expect(before + after).toBe(body.toString('latin1'))
      expect(after).toMatch(last)
      const [write = ''] = sink.writes.filter((bytes) => bytes.startsWith(receipt))
      expect(write.slice(receipt.length)).toMatch(last)
    }
  })
})

test('a last event that comes alone is sent with what was held before it', () => {
  const created = event('response.created', { response: { id: 'x' } })
  const completed = event('response.completed', { response: { usage: { input_tokens: 3, output_tokens: 0 } } })
  const { sink, read, answer } = relaying({ dialect: 'responses', ...asking })
  read(created, completed)
  answer.end()
  expect(sink).toMatchObject({ sent: created + receipt + completed, ended: 'complete' })
})

test('a second mark has no second receipt', () => {
  const stop = event('message_stop', {})
  const { sink, read, answer } = relaying({ dialect: 'messages', ...asking })
  read(event('content_block_delta', { delta: { text: 'w' } }), stop, stop)
  answer.end()
  expect(sink.sent.split(receipt)).toHaveLength(2)
  expect(sink.ended).toBe('complete')
})

test('a stream without marks of its own has it at its very end', () => {
  const { sink, read, answer } = relaying({ dialect: 'none', ...asking })
  read('data: x\n\n')
  answer.end()
  expect(sink).toMatchObject({ sent: `data: x\n\n${receipt}`, ended: 'complete' })
})

test.each<[string, readonly string[]]>([
  ['breaks off', [role, content]],
  ['tells an error', [content, frame({ error: { message: 'CUDA' } })]],
  ['says it is done without an end', [content, done]],
  ['has an end that is cut', [content, finish.slice(0, -9)]],
])('a stream that %s has none', (_how, frames) => {
  const { sink, read, answer } = relaying(asking)
  read(...frames)
  answer.broke(broken)
  expect(sink.failure).toBeDefined()
  expect(sink.sent).not.toContain(receipt)
})
