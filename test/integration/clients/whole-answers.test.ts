/** In whatever way a host gives a whole answer, each client library has the whole answer. */

import { expect, test } from 'vitest'
import { halfClose, pause, reset, type ScriptStep } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, responseBytes } from '../../kit/http-bytes.ts'
import { eachByte } from '../../kit/sse-streams.ts'
import { chatFrame, chatWhole, done, partsOf, type Spoken, text, toolCall, usageFrame } from './answers.ts'
import { twoChoiceReaders } from './openai-readers.ts'
import type { Answered, Reader } from './reader.ts'
import { streamReaders, wholeReaders } from './readers.ts'
import { type Readings, readingsOf, sse } from './stage.ts'

interface Way {
  readonly how: string
  /** Dialects in which it can be. */
  readonly only?: readonly Spoken[]
  readonly script: (dialect: Spoken) => readonly ScriptStep[]
}

const finishOf = { chat: 'stop', completions: 'stop', responses: 'completed', messages: 'end_turn' } as const

function expectAnswers(readings: Readings, asked: readonly Reader[], answer: Partial<Answered> = {}): void {
  const expected = asked.map(({ name, dialect }) => [name, { text, finish: finishOf[dialect], ...answer }])
  expect(readings).toEqual(Object.fromEntries(expected))
}

const streamReadersOf = (dialects: readonly Spoken[] | undefined) =>
  streamReaders.filter(({ dialect }) => dialects?.includes(dialect) ?? true)

function frames(d: Spoken): string {
  const { opening, content, closing, last } = partsOf[d]
  return opening + content + closing + last
}

/** All that says that the answer is complete, but not `[DONE]`. */
const withoutDone = (d: Spoken) => frames(d).replace(done, '')
const openEnded = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'
const counted = (body: string) => responseBytes(200, { 'content-type': 'text/event-stream' }, body)
const byDone: readonly Spoken[] = ['chat', 'completions']

test.each<Way>([
  { how: 'every mark, and an orderly end', script: (d) => [...sse(frames(d)), finalChunk] },
  { how: 'every mark, and no end', script: (d) => [...sse(frames(d)), pause] },
  { how: 'every mark, and the host closes', script: (d) => [...sse(frames(d)), halfClose] },
  { how: 'every mark, and the host resets the connection', script: (d) => [...sse(frames(d)), reset] },
  { how: 'every mark, and junk', script: (d) => [...sse(frames(d), 'data: {"x":\n\n'), 'junk'], only: byDone },
  { how: 'no [DONE], and an orderly end', script: (d) => [...sse(withoutDone(d)), finalChunk] },
  { how: 'no [DONE], and the host closes', script: (d) => [...sse(withoutDone(d)), halfClose] },
  { how: 'no [DONE], and the host resets the connection', script: (d) => [...sse(withoutDone(d)), reset] },
  { how: 'no empty line at the end', script: (d) => [...sse(frames(d).slice(0, -2)), finalChunk] },
  {
    how: 'every byte in a chunk of its own',
    script: (d) => [...sse(), ...eachByte(Buffer.from(frames(d))).map(chunkBytes), finalChunk],
  },
  {
    how: 'comments between its frames',
    script: (d) => [...sse(frames(d).replaceAll('\n\n', '\n\n: ping\n\n')), finalChunk],
  },
  { how: 'a length', script: (d) => [counted(frames(d))] },
  { how: 'neither length nor chunks', script: (d) => [openEnded, frames(d), halfClose] },
  { how: 'neither length nor chunks nor [DONE]', script: (d) => [openEnded, withoutDone(d), halfClose] },
  { how: 'usage', script: () => [...sse(frames('chat').replace(done, usageFrame + done)), finalChunk], only: ['chat'] },
  { how: 'usage and no [DONE]', script: () => [...sse(withoutDone('chat') + usageFrame), finalChunk], only: ['chat'] },
])('a stream with $how', async ({ script, only }) => {
  const asked = streamReadersOf(only)
  expectAnswers(await readingsOf({ readers: asked, script }), asked)
})

test('a stream that ends at its length', async () => {
  const asked = streamReadersOf(byDone)
  const script = (d: Spoken) => [...sse(frames(d).replace('"stop"', '"length"')), finalChunk]
  expectAnswers(await readingsOf({ readers: asked, script }), asked, { finish: 'length' })
})

const call = { text: 'get_weather{"city":"Bern"}', finish: 'tool_calls' }

test('a stream with a tool call', async () => {
  const asked = streamReadersOf(['chat'])
  const { function: made, ...id } = toolCall
  const pieces = [
    { ...id, function: { ...made, arguments: '' } },
    { index: 0, function: { arguments: made.arguments } },
  ]
  const deltas = pieces.map((piece) => chatFrame({ tool_calls: [piece] })).join('')
  const script = () => [...sse(partsOf.chat.opening + deltas + chatFrame({}, 'tool_calls') + done), finalChunk]
  expectAnswers(await readingsOf({ readers: asked, script, tools: true }), asked, call)
})

test.each<Way>([
  { how: 'a length', script: (d) => [responseBytes(200, { 'content-type': 'application/json' }, partsOf[d].whole)] },
  { how: 'chunks', script: (d) => [chunked, ...eachByte(Buffer.from(partsOf[d].whole)).map(chunkBytes), finalChunk] },
  {
    how: 'neither',
    script: (d) => [chunked.replace('transfer-encoding: chunked', 'connection: close'), partsOf[d].whole, halfClose],
  },
])('an answer that is not streamed, with $how', async ({ script }) => {
  expectAnswers(await readingsOf({ readers: wholeReaders, script }), wholeReaders)
  const config = { relay: { answerHoldBytesMax: 64 } }
  expectAnswers(await readingsOf({ readers: wholeReaders, script, config }), wholeReaders)
})

const chunked = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'

test('an answer that is not streamed, with a tool call', async () => {
  const asked = wholeReaders.filter(({ dialect }) => dialect === 'chat')
  const answer = chatWhole({ content: null, tool_calls: [toolCall] }, 'tool_calls')
  const script = () => [jsonResponseBytes(200, JSON.parse(answer))]
  expectAnswers(await readingsOf({ readers: asked, script, tools: true }), asked, call)
})

test.each([
  ['that the host gives', 2, chatFrame({ role: 'assistant', content: text }, null, 1) + chatFrame({}, 'stop', 1)],
  ['of which the host gives one', 1, ''],
])('a stream of two choices %s', async (_how, choices, second) => {
  const { opening, content, closing } = partsOf.chat
  const script = () => [...sse(opening, second, content, closing, done), finalChunk]
  expect(await readingsOf({ readers: twoChoiceReaders, script })).toEqual(
    Object.fromEntries(twoChoiceReaders.map(({ name }) => [name, { text: text.repeat(choices), finish: 'stop' }])),
  )
})
