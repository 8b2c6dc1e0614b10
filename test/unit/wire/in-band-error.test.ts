import { describe, expect, it, test } from 'vitest'
import { inBandError } from '../../../src/wire/in-band-error.ts'
import { spacedJson } from '../../kit/lmx-double/python-json.ts'
import { captureBody } from '../../kit/sse-streams.ts'

const busy = 'Server is busy — all inference slots occupied. Try again shortly.'

/** The messages found in the frames of a capture. */
function foundIn(capture: string): (string | null)[] {
  const frames = captureBody(capture)
    .toString()
    .split(/(?<=\n\n)/)
  return frames.map((frame) => inBandError(Buffer.from(frame))?.message ?? null).filter((message) => message !== null)
}

const chatFrame = (text: unknown, json: (value: unknown) => string = spacedJson): Buffer =>
  Buffer.from(`data: ${json({ choices: [{ index: 0, delta: { role: null, content: text } }], usage: null })}\n\n`)
const textFrame = (text: string): Buffer => Buffer.from(`data: ${spacedJson({ choices: [{ text, index: 0 }] })}\n\n`)

describe('captured', () => {
  test.each<[string, readonly string[]]>([
    ['chat.stream.busy', [busy]],
    ['chat.stream.engine-failure', ['Stream inference failed: mlx-lm stream error: stub exploded']],
    ['chat.stream', []],
    ['chat.stream.usage', []],
    ['chat.stream.n2', []],
    ['chat.stream.tool', []],
    ['completions.stream', []],
  ])('%s', (capture, messages) => {
    expect(foundIn(capture)).toEqual(messages)
  })
})

describe('words that LMX is known to say', () => {
  test.each([
    busy,
    'Stream inference timed out after 300s',
    'Stream inference failed: anything at all, "quoted", [in brackets] and\nover two lines',
    `"Model 'org/stub-a' is not loaded"`,
  ])('%s', (message) => {
    const text = `\n\n[Error: ${message}]`
    expect(inBandError(chatFrame(text))).toEqual({ message, choice: 0 })
    expect(inBandError(chatFrame(text, JSON.stringify))).toEqual({ message, choice: 0 })
    expect(inBandError(textFrame(text))).toEqual({ message, choice: 0 })
  })

  it('is told with its choice', () => {
    const choices = [{ index: 1, delta: { content: `\n\n[Error: ${busy}]` } }]
    expect(inBandError(Buffer.from(`data: ${spacedJson({ choices })}\n\n`))).toEqual({ message: busy, choice: 1 })
  })
})

describe('what is text', () => {
  test.each([
    ['other words', '\n\n[Error: x]'],
    ['words that only begin alike', '\n\n[Error: Server is busyness]'],
    ['words that go on', `\n\n[Error: "Model 'a' is not loaded" he said]`],
    ['something before', `w\n\n[Error: ${busy}]`],
    ['something behind', `\n\n[Error: ${busy}] w`],
    ['a line end behind', `\n\n[Error: ${busy}]\n`],
    ['one line end before', `\n[Error: ${busy}]`],
    ['no bracket at the end', `\n\n[Error: ${busy}`],
    ['backslashes in the text itself', `\\n\\n[Error: ${busy}]`],
    ['nothing', ''],
  ])('%s', (_what, text) => {
    expect(inBandError(chatFrame(text))).toBeNull()
    expect(inBandError(textFrame(text))).toBeNull()
  })

  it('in reasoning, in a tool call, in another field, in two choices, in no JSON', () => {
    const text = `\n\n[Error: ${busy}]`
    const frames = [
      { choices: [{ delta: { reasoning_content: text } }] },
      { choices: [{ delta: { tool_calls: [{ function: { arguments: text } }] } }] },
      { choices: [], note: text },
      { choices: [{ delta: { content: text } }, { delta: { content: 'w' } }] },
      { choices: { delta: { content: text } } },
      { error: { message: text } },
    ]
    for (const frame of frames) expect(inBandError(Buffer.from(`data: ${JSON.stringify(frame)}\n\n`))).toBeNull()
    expect(inBandError(Buffer.from('data: \\n\\n[Error: Server is busy]\n\n'))).toBeNull()
    expect(inBandError(Buffer.alloc(0))).toBeNull()
  })
})
