/** SSE streams to test with: what the captures hold, frames made at random, ways to cut them, and how a parser reads them. */

import { readdirSync, readFileSync } from 'node:fs'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import * as fc from 'fast-check'
import { MessageReader } from './http-message.ts'
import { spacedJson } from './lmx-double/python-json.ts'

const captures = new URL('../fixtures/lmx/', import.meta.url)

/** The captures of streamed answers, by name without `.http`. */
export const streamedCaptures: readonly string[] = readdirSync(captures)
  .filter((name) => /\.stream\b.*\.http$/.test(name))
  .map((name) => name.replace(/\.http$/, ''))

/** The SSE bytes of a captured answer, its chunk framing removed. */
export function captureBody(name: string): Buffer {
  const reader = new MessageReader('response')
  reader.feed(readFileSync(new URL(`${name}.http`, captures)), 0)
  const [message] = reader.messages
  if (message === undefined || message.body.length === 0) throw new Error(`the capture ${name} has no body`)
  return message.body
}

/** `bytes` in pieces, cut before each of the positions; positions beyond the end count from the start again. */
export function cutAt(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = positions.map((position) => position % (bytes.length + 1)).toSorted((a, b) => a - b)
  return [0, ...cuts].map((start, index) => bytes.subarray(start, cuts[index]))
}

export const eachByte = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.of(byte))

/** The events that a client's parser reads. */
export function eventsIn(bytes: Buffer | string): EventSourceMessage[] {
  const events: EventSourceMessage[] = []
  createParser({ onEvent: (event) => events.push(event) }).feed(bytes.toString())
  return events
}

/** Texts that look like frames, keys or ends when escaping and framing are not taken seriously. */
export const hostileTexts: readonly string[] = [
  '"content": "x"',
  '"content":"x"',
  '{"usage":{"prompt_tokens":1}}',
  '\\"finish_reason\\":\\"stop\\"',
  '"finish_reason":"stop"',
  '"error":{"message":"no"}',
  '[DONE]',
  'data: [DONE]\n\n',
  '\r\n\r\ndata: x\r\n\r\n',
  '\\',
  '\\"',
  '"',
  ':',
  '":',
  '你好🦀 é',
  '\u2028',
  '\uFEFF',
]

export type LineEnd = '\n' | '\r\n' | '\r'
export const lineEnds: readonly LineEnd[] = ['\n', '\r\n', '\r']

/** How JSON is written by the servers of the field: compact, or as Python does it. */
export const jsonStyles = { compact: (value: unknown) => JSON.stringify(value), spaced: spacedJson } as const

export interface FrameForm {
  readonly lineEnd: LineEnd
  readonly space: '' | ' '
  readonly json: (value: unknown) => string
  /** Lines before the data: comments and other fields. */
  readonly before: readonly string[]
  /** JSON is written on several lines. */
  readonly severalLines: boolean
  /** Empty lines behind the one that ends the frame. */
  readonly emptyLines: number
}

const word = fc.constantFrom('', ' ', 'w0 ', ...hostileTexts)
const text = fc.array(word, { maxLength: 3 }).map((words) => words.join(''))
const contentText = text.map((value) => `w${value}`)

export const frameForm: fc.Arbitrary<FrameForm> = fc.record({
  lineEnd: fc.constantFrom(...lineEnds),
  space: fc.constantFrom('', ' ' as const),
  json: fc.constantFrom(jsonStyles.compact, jsonStyles.spaced),
  before: fc.array(fc.constantFrom(': ping', ':', ': "content": "x"', 'id: 7', 'retry: 3000', 'other: 1', 'other'), {
    maxLength: 2,
  }),
  severalLines: fc.boolean(),
  emptyLines: fc.constantFrom(0, 0, 0, 1, 2),
})

export function frame(data: unknown, form: Partial<FrameForm> = {}): string {
  const { lineEnd = '\n', space = ' ', json = JSON.stringify, before = [], severalLines = false, emptyLines = 0 } = form
  const whole = typeof data === 'string' ? data : json(data)
  const lines = severalLines && typeof data !== 'string' ? JSON.stringify(data, null, 1).split('\n') : [whole]
  return [...before, ...lines.map((line) => `data:${space}${line}`), ...Array<string>(emptyLines + 2).fill('')].join(
    lineEnd,
  )
}

const delta = fc.record(
  {
    role: fc.constantFrom(null, 'assistant'),
    content: fc.option(text),
    reasoning_content: fc.option(text),
    reasoning: fc.option(text),
    refusal: fc.option(text),
    tool_calls: fc.option(
      fc.array(fc.record({ index: fc.nat(3), function: fc.record({ name: text, arguments: text }) }), { maxLength: 2 }),
    ),
    function_call: fc.option(fc.record({ name: text, arguments: text })),
  },
  { requiredKeys: [] },
)
const usage = fc.record({ prompt_tokens: fc.nat(99), completion_tokens: fc.nat(99) })

/** Any chunk that a chat stream could hold, sound or odd. */
export const anyChunk = fc.record(
  {
    id: text,
    choices: fc.array(
      fc.record({
        index: fc.nat(2),
        delta,
        logprobs: fc.constantFrom(null, { content: [{ token: 'w', bytes: [119] }], refusal: [] }),
        finish_reason: fc.constantFrom(null, 'stop', 'length', ''),
      }),
      { maxLength: 2 },
    ),
    usage: fc.option(usage),
    error: fc.oneof(fc.constant(null), fc.record({ message: text, code: fc.constant(500) }), text),
    content: text,
  },
  { requiredKeys: [] },
)

const comment = fc
  .tuple(fc.constantFrom(': ping', ':', ': "content":"x"', 'event: ping', 'retry: 10'), fc.constantFrom(...lineEnds))
  .map(([line, lineEnd]) => line + lineEnd + lineEnd)

const anyFrame = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(anyChunk, frameForm).map(([chunk, form]) => frame(chunk, form)) },
  { weight: 1, arbitrary: comment },
  { weight: 1, arbitrary: frameForm.map((form) => frame('[DONE]', form)) },
  { weight: 1, arbitrary: fc.tuple(text, frameForm).map(([line, form]) => frame(line.replace(/[\r\n]/g, ''), form)) },
)

const bom = fc.constantFrom('', '', '\uFEFF')

/** Any stream of frames, each in a form of its own. */
export const anyStream: fc.Arbitrary<Buffer> = fc
  .tuple(bom, fc.array(anyFrame, { maxLength: 6 }))
  .map((parts) => Buffer.from(parts.flat().join('')))

export interface AnswerStream {
  readonly frames: readonly string[]
  /** The frame with usage and nothing else, which is among `frames` too. */
  readonly usageFrame: string
  readonly contentFrames: number
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number }
}

const chunkOf = (choice: object) => ({
  id: 'c',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, finish_reason: null, ...choice }],
})

/** A sound chat answer of one choice, framed in every way that the SSE rules allow: role, content, finish, usage, [DONE]. */
export const answerStream: fc.Arbitrary<AnswerStream> = fc
  .record({
    bom,
    early: fc.array(comment, { maxLength: 2 }),
    role: frameForm,
    content: fc.array(fc.tuple(contentText, frameForm, fc.option(comment, { nil: '' })), {
      minLength: 1,
      maxLength: 6,
    }),
    finish: frameForm,
    usage,
    usageForm: frameForm,
    doneForm: frameForm,
  })
  .map((made) => {
    const contentFrames = made.content.map(
      ([content, form, after]) => frame(chunkOf({ delta: { content } }), form) + after,
    )
    const usageFrame = frame({ choices: [], usage: made.usage }, { ...made.usageForm, emptyLines: 0 })
    return {
      usage: made.usage,
      usageFrame,
      contentFrames: contentFrames.length,
      frames: [
        made.bom + made.early.join('') + frame(chunkOf({ delta: { role: 'assistant', content: '' } }), made.role),
        ...contentFrames,
        frame(chunkOf({ delta: {}, finish_reason: 'stop' }), made.finish),
        usageFrame,
        frame('[DONE]', { ...made.doneForm, emptyLines: 0 }),
      ],
    }
  })

/** Places to cut at, for `cutAt`. */
export const cuts: fc.Arbitrary<number[]> = fc.array(fc.nat(100_000), { maxLength: 12 })
