/** The small parts of the double: Python's JSON, faults, tool calls, forms. */
import { describe, expect, test } from 'vitest'
import type { FaultPlan } from '../../kit/lmx-double/faults.ts'
import { FaultBoard, faultMarker, withoutMarker } from '../../kit/lmx-double/faults.ts'
import { formParts } from '../../kit/lmx-double/multipart.ts'
import { chunked, countedPromptWords, estimatedTokens, messagesOf } from '../../kit/lmx-double/prompt.ts'
import { compactJson, PyFloat, spacedJson } from '../../kit/lmx-double/python-json.ts'
import { miniMaxToolCall, ToolStream, toolCallsIn } from '../../kit/lmx-double/tool-calls.ts'

describe("Python's JSON", () => {
  const value = { a: [1, new PyFloat(2), new PyFloat(2.5)], 'é"': null, t: 'x\n\u007f—👋', skipped: undefined }

  test('spaced and escaped in frames', () => {
    expect(spacedJson(value)).toBe('{"a": [1, 2.0, 2.5], "\\u00e9\\"": null, "t": "x\\n\\u007f\\u2014\\ud83d\\udc4b"}')
  })

  test('compact and raw in whole answers', () => {
    expect(compactJson(value)).toBe('{"a":[1,2.0,2.5],"é\\"":null,"t":"x\\n\u007f—👋"}')
  })
})

describe('faults', () => {
  test('a marker survives its way through a prompt and leaves no trace', () => {
    const plan: FaultPlan = { errorAfterTokens: 3, errorText: 'a [deep] "error"' }
    const text = `before ${faultMarker(plan)} after`
    expect(new FaultBoard().take(undefined, text)).toEqual(plan)
    expect(withoutMarker(text)).toBe('before  after')
    expect(withoutMarker('plain')).toBe('plain')
  })

  test('nearer sources win, and the line of next faults is used up', () => {
    const board = new FaultBoard({ stallMs: 1, cut: 'fin' })
    board.next({ stallMs: 2, answerTokens: 9 })
    expect(board.take('{"stallMs":3}', '')).toEqual({ stallMs: 3, cut: 'fin', answerTokens: 9 })
    expect(board.take(undefined, '')).toEqual({ stallMs: 1, cut: 'fin' })
  })

  test.each<object>([{ stall: true }, { stallMs: 'long' }, { constructor: 1 }])('%j is refused', (plan) => {
    expect(() => new FaultBoard().set(plan as FaultPlan)).toThrow(/fault/)
    expect(() => new FaultBoard().take(JSON.stringify(plan), '')).toThrow(/fault/)
  })
})

describe('tool calls', () => {
  const xml = miniMaxToolCall('get_weather', { location: 'Paris', days: 3 })

  test('are read from a whole text, and what follows the block is lost', () => {
    const parsed = toolCallsIn(`Let me check.\n${xml} more`)
    expect(parsed?.content).toBe('Let me check.')
    expect(parsed?.calls).toMatchObject([{ name: 'get_weather', arguments: '{"location": "Paris", "days": 3}' }])
    expect(toolCallsIn('a < b')).toBeNull()
  })

  test.each([1, 3, 1_000])('come whole out of a stream in pieces of %i', (size) => {
    const text = `a <b> c.${xml}`
    const stream = new ToolStream()
    const parts = []
    for (let at = 0; at < text.length; at += size) parts.push(...stream.feed(text.slice(at, at + size)))
    parts.push(...stream.flush())
    expect(parts.map((part) => ('text' in part ? part.text : '')).join('')).toBe('a <b> c.')
    expect(parts.filter((part) => 'call' in part)).toHaveLength(1)
    expect(stream.sawCalls).toBe(true)
  })

  test('a tag that never comes is text after all', () => {
    const stream = new ToolStream()
    expect([...stream.feed('x <mini'), ...stream.flush()]).toEqual([{ text: 'x ' }, { text: '<mini' }])
  })
})

describe('reading requests', () => {
  test('tokens by characters and by words, over roles and parts', () => {
    const messages = messagesOf([
      { role: 'system', content: 'Be kind' },
      {
        role: 'user',
        content: [{ type: 'text', text: 'What is' }, { type: 'image_url' }, { type: 'text', text: 'it?' }],
      },
    ])
    expect(estimatedTokens(messages)).toBe(4)
    expect(countedPromptWords(messages)).toBe(8)
    expect(estimatedTokens([])).toBe(1)
  })

  test('chunks carry the blanks that follow them and lose none', () => {
    const text = ' a  b\n\nc '
    expect(chunked(text)).toEqual([' a  ', 'b\n\n', 'c '])
    expect(chunked(text).join('')).toBe(text)
  })

  test('a form in its parts, or null', () => {
    const body = Buffer.from(
      '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n' +
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n\r\n\u0001\r\n--x--\r\n',
    )
    const parts = formParts(body, 'multipart/form-data; boundary="x"')
    expect(parts?.map(({ name, filename, data }) => [name, filename, data.toString()])).toEqual([
      ['model', null, 'whisper'],
      ['file', 'a.wav', '\r\n\u0001'],
    ])
    expect(formParts(body.subarray(0, -6), 'multipart/form-data; boundary=x')).toBeNull()
    expect(formParts(body, 'application/json')).toBeNull()
  })
})
