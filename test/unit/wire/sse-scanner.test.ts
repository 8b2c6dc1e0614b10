import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dialects } from '../../../src/wire/dialect.ts'
import { FrameTooLargeError, type KeyTable, mark, SseScanner } from '../../../src/wire/sse-scanner.ts'
import {
  anyStream,
  captureBody,
  cutAt,
  cuts,
  eachByte,
  eventsIn,
  frame,
  hostileTexts,
  jsonStyles,
  lineEnds,
  streamedCaptures,
} from '../../kit/sse-streams.ts'

interface Scanned {
  /** Bytes of each frame, as latin1 text. */
  frames: { bytes: string; marks: number }[]
  rest: string
}

const enough = 1_048_576

function scan(chunks: readonly Buffer[], keys: KeyTable = dialects.chat.keys, frameBytesMax = enough): Scanned {
  const scanner = new SseScanner(keys, frameBytesMax)
  const frames: Scanned['frames'] = []
  for (const chunk of chunks) {
    scanner.feed(chunk)
    while (scanner.next()) {
      const bytes = scanner.buffer.toString('latin1', scanner.frameStart, scanner.frameEnd)
      frames.push({ bytes, marks: scanner.marks })
    }
  }
  return { frames, rest: scanner.rest().toString('latin1') }
}

const joined = ({ frames, rest }: Scanned) => frames.map(({ bytes }) => bytes).join('') + rest

/** The places where a cut in two makes a difference. */
function cutsThatMatter(bytes: Buffer, whole: Scanned, keys?: KeyTable): number[] {
  return [...bytes.keys()].filter(
    (cut) => !isDeepStrictEqual(scan([bytes.subarray(0, cut), bytes.subarray(cut)], keys), whole),
  )
}

function keysFor(capture: string): KeyTable {
  const [route = ''] = capture.split('.')
  return dialects[route as 'chat' | 'completions' | 'messages' | 'responses'].keys
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText = (value: unknown) => typeof value === 'string' && value !== ''

/** What the marks of a chat frame mean, said again by parsing. */
const meaning: Readonly<Record<string, (value: unknown) => number>> = {
  content: (value) => (isText(value) ? mark.content : 0),
  reasoning_content: (value) => (isText(value) ? mark.content : 0),
  reasoning: (value) => (isText(value) ? mark.content : 0),
  refusal: (value) => (isText(value) ? mark.content : 0),
  tool_calls: (value) => (Array.isArray(value) && value.length > 0 ? mark.content : 0),
  function_call: (value) => (isObject(value) ? mark.content : 0),
  usage: (value) => (isObject(value) ? mark.usage : 0),
  error: (value) => (isObject(value) || isText(value) ? mark.error : 0),
  finish_reason: (value) => (isText(value) ? mark.finish : 0),
}

function marksIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let marks = 0
  for (const [key, inner] of Object.entries(value)) marks |= (meaning[key]?.(inner) ?? 0) | marksIn(inner)
  return marks
}

/** What the marks of a chat frame should be, by an SSE parser and a JSON parser; null where neither has a say. */
function expectedMarks(bytes: string): number | null {
  const [event] = eventsIn(Buffer.from(bytes, 'latin1'))
  if (event === undefined) return 0
  if (event.data.startsWith('[DONE]')) return mark.done
  if (event.data.includes('\n')) return mark.severalLines
  try {
    return marksIn(JSON.parse(event.data))
  } catch {
    return null
  }
}

/** On several lines the other marks may be missed: such a frame is parsed anyway. */
const told = (marks: number) => ((marks & mark.severalLines) === 0 ? marks : mark.severalLines)

/**
 * An LF that comes alone behind a frame that ended in CR is its second half. A frame whose other lines end in CR LF waits
 * for it; one whose line ends are mixed does not, so the LF stands at the start of the next frame.
 */
function withHalvesJoined({ frames, rest }: Scanned): Scanned {
  const whole: Scanned['frames'] = []
  for (const { bytes, marks } of frames) {
    const last = whole.at(-1)
    const isHalf = last?.bytes.endsWith('\r') === true && bytes.startsWith('\n')
    if (isHalf) last.bytes += '\n'
    whole.push({ bytes: isHalf ? bytes.slice(1) : bytes, marks })
  }
  const last = whole.at(-1)
  if (last?.bytes.endsWith('\r') !== true || rest !== '\n') return { frames: whole, rest }
  last.bytes += '\n'
  return { frames: whole, rest: '' }
}

describe.each(streamedCaptures)('the capture %s', (capture) => {
  const body = captureBody(capture)
  const whole = scan([body], keysFor(capture))

  test('is cut into the frames that a parser reads, and every byte is in one of them', () => {
    expect(joined(whole)).toBe(body.toString('latin1'))
    expect(whole.rest).toBe('')
    expect(whole.frames).toHaveLength(eventsIn(body).length)
    if (capture.startsWith('chat')) {
      expect(whole.frames.map(({ marks }) => marks)).toEqual(whole.frames.map(({ bytes }) => expectedMarks(bytes)))
    }
  })

  test('is the same cut at every byte, and byte by byte', () => {
    expect(cutsThatMatter(body, whole, keysFor(capture))).toEqual([])
    expect(scan(eachByte(body), keysFor(capture))).toEqual(whole)
  })
})

describe('marks', () => {
  const chunk = (delta: object, more: object = {}) => ({ choices: [{ index: 0, delta, finish_reason: null }], ...more })

  test.each<[string, unknown, number]>([
    ['a role frame', chunk({ role: 'assistant', content: '' }), 0],
    ['content', chunk({ content: 'w' }), mark.content],
    ['reasoning', chunk({ reasoning: 'w' }), mark.content],
    ['reasoning_content', chunk({ reasoning_content: 'w' }), mark.content],
    ['refusal', chunk({ refusal: 'w' }), mark.content],
    ['a tool call', chunk({ tool_calls: [{ index: 0 }] }), mark.content],
    ['no tool call', chunk({ tool_calls: [] }), 0],
    ['an old tool call', chunk({ function_call: { name: 'f' } }), mark.content],
    ['content of null', chunk({ content: null, tool_calls: null, function_call: null }), 0],
    ['log probabilities, whose content is a list', chunk({}, { logprobs: { content: [{ token: 'w' }] } }), 0],
    ['usage', { choices: [], usage: { prompt_tokens: 1 } }, mark.usage],
    ['usage of null', chunk({}, { usage: null }), 0],
    ['usage beside content', chunk({ content: 'w' }, { usage: {} }), mark.content | mark.usage],
    ['a finish reason', { choices: [{ delta: {}, finish_reason: 'stop' }] }, mark.finish],
    ['a finish reason that is empty', { choices: [{ delta: {}, finish_reason: '' }] }, 0],
    ['an error object', { error: { message: 'no' } }, mark.error],
    ['an error text', { error: 'no' }, mark.error],
    ['no error', chunk({}, { error: null }), 0],
    ['the end', '[DONE]', mark.done],
    ['the end and a space', '[DONE] ', mark.done],
    ['the end as a JSON text', '"[DONE]"', 0],
    ['the end inside of a list', '["[DONE]"]', 0],
  ])('%s', (_what, data, marks) => {
    for (const json of Object.values(jsonStyles)) {
      for (const lineEnd of lineEnds) {
        for (const before of [[], ['event: a name that is not short'], [': "content": "x"'], ['other: "error": "x"']]) {
          const text = frame(data, { json, lineEnd, before })
          expect(scan([Buffer.from(text)]).frames, JSON.stringify(text)).toEqual([
            { bytes: Buffer.from(text).toString('latin1'), marks },
          ])
        }
      }
    }
  })

  test.each(hostileTexts)('content that says %j is content and nothing else', (text) => {
    for (const json of Object.values(jsonStyles)) {
      const bytes = Buffer.from(frame(chunk({ content: text }), { json }))
      expect(scan([bytes]).frames.map(({ marks }) => marks)).toEqual([mark.content])
      expect(scan(eachByte(bytes)).frames.map(({ marks }) => marks)).toEqual([mark.content])
    }
  })

  test('of one frame are not those of the next', () => {
    const frames = [frame(chunk({ content: 'w' })), frame(chunk({})), frame('[DONE]'), ': ping\n\n']
    const scanned = scan([Buffer.from(frames.join(''))])
    expect(scanned.frames.map(({ marks }) => marks)).toEqual([mark.content, 0, mark.done, 0])
  })

  test('of data on several lines say so, behind a byte order mark too', () => {
    const text = frame(chunk({ content: 'w' }), { severalLines: true })
    for (const bytes of [text, `\uFEFF${text}`]) {
      const [scanned] = scan([Buffer.from(bytes)]).frames
      expect(told(scanned?.marks ?? 0)).toBe(mark.severalLines)
    }
  })
})

describe('every framing that the SSE rules allow', () => {
  const content = (text: string) => ({ choices: [{ delta: { content: text }, finish_reason: null }] })
  const texts = ['你好🦀 é', '"content": "x"', '']
  const corpus = Object.values(jsonStyles).flatMap((json) =>
    lineEnds.flatMap((lineEnd) =>
      (['', ' '] as const).map((space) => {
        const form = { json, lineEnd, space }
        const parts = [
          `\uFEFF: comment${lineEnd}${lineEnd}`,
          ...texts.map((text) => frame(content(text), form)),
          frame(content('x'), { ...form, before: ['event: chunk', 'id: 1', 'retry: 9', ':'], severalLines: true }),
          frame({ choices: [], usage: { prompt_tokens: 1 } }, { ...form, emptyLines: 1 }),
          frame('[DONE]', form),
        ]
        return { name: JSON.stringify({ lineEnd, space, json: json.name }), bytes: Buffer.from(parts.join('')) }
      }),
    ),
  )

  test.each(corpus)('$name: the same cut at every byte, and byte by byte', ({ bytes }) => {
    const whole = scan([bytes])
    expect(joined(whole)).toBe(bytes.toString('latin1'))
    expect(whole.frames.flatMap((one) => eventsIn(Buffer.from(one.bytes, 'latin1')))).toEqual(eventsIn(bytes))
    expect(cutsThatMatter(bytes, whole)).toEqual([])
    expect(scan(eachByte(bytes))).toEqual(whole)
  })

  test('any stream: no byte is lost, the frames are the events of a parser, the marks those of a JSON parser', () => {
    fc.assert(
      fc.property(anyStream, (bytes) => {
        const whole = scan([bytes])
        expect(joined(whole)).toBe(bytes.toString('latin1'))
        expect(whole.frames.flatMap((one) => eventsIn(Buffer.from(one.bytes, 'latin1')))).toEqual(eventsIn(bytes))
        for (const one of whole.frames) expect([told(one.marks), null]).toContain(expectedMarks(one.bytes))
      }),
      { numRuns: 1_000 },
    )
  })

  test('any stream, cut anywhere: the same frames with the same marks', () => {
    fc.assert(
      fc.property(anyStream, cuts, (bytes, positions) => {
        const whole = scan([bytes])
        const cut = scan(cutAt(bytes, positions))
        expect(joined(cut)).toBe(joined(whole))
        expect(withHalvesJoined(cut)).toEqual(whole)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('line ends', () => {
  const bytesOf = (...chunks: string[]) => scan(chunks.map((chunk) => Buffer.from(chunk))).frames.map((f) => f.bytes)

  test('a frame ended by CR CR is whole at the second CR', () => {
    expect(bytesOf('data: 1\r\r')).toEqual(['data: 1\r\r'])
  })

  test('a frame whose lines end in CR LF is whole at its last LF', () => {
    expect(bytesOf('data: 1\r\n\r')).toEqual([])
    expect(bytesOf('data: 1\r\n\r', '\n')).toEqual(['data: 1\r\n\r\n'])
    expect(bytesOf('data: 1\r\n\r', 'data: 2\r\n\r\n')).toEqual(['data: 1\r\n\r', 'data: 2\r\n\r\n'])
  })

  test('a stream may change from CR LF to CR: then no frame waits for an LF', () => {
    expect(bytesOf('data: 1\r\n\r\n', 'data: 2\r', '\r')).toEqual(['data: 1\r\n\r\n', 'data: 2\r\r'])
  })

  test('an LF that comes late is no empty frame', () => {
    expect(bytesOf('data: 1\r\r', '\ndata: 2\r\r')).toEqual(['data: 1\r\r', '\ndata: 2\r\r'])
  })

  test('an empty line is a frame of its own', () => {
    expect(bytesOf('\n', 'data: 1\n\n\n')).toEqual(['\n', 'data: 1\n\n', '\n'])
  })
})

describe('frameBytesMax', () => {
  const max = 64
  const whole = (size: number) => Buffer.from(`data: ${'x'.repeat(size - 8)}\n\n`)
  const unfinished = (size: number) => Buffer.from(`data: ${'x'.repeat(size - 6)}`)
  const forms: [string, (bytes: Buffer) => Buffer[]][] = [
    ['at once', (bytes) => [bytes]],
    ['byte by byte', eachByte],
    ['behind another frame in the same read', (bytes) => [Buffer.concat([whole(20), bytes])]],
    [
      'begun in the read of another frame',
      (bytes) => [Buffer.concat([whole(20), bytes.subarray(0, 9)]), bytes.subarray(9)],
    ],
  ]

  test.each(forms)('%s: a frame of that size passes, of one byte more does not', (_how, pieces) => {
    expect(scan(pieces(whole(max)), undefined, max).frames.at(-1)?.bytes).toHaveLength(max)
    expect(() => scan(pieces(whole(max + 1)), undefined, max)).toThrow(FrameTooLargeError)
  })

  test.each(forms)('%s: an unfinished frame may have that size, and not one byte more', (_how, pieces) => {
    expect(scan(pieces(unfinished(max)), undefined, max).rest).toHaveLength(max)
    expect(() => scan(pieces(unfinished(max + 1)), undefined, max)).toThrow(FrameTooLargeError)
  })

  test('many frames in one read may be larger together', () => {
    const read = Buffer.concat(Array.from({ length: 10 }, () => whole(max)))
    expect(scan([read], undefined, max).frames).toHaveLength(10)
  })
})

describe('a frame that drips in byte by byte', () => {
  const size = 1 << 17

  test('is copied only as often as its buffer doubles', () => {
    const scanner = new SseScanner(dialects.chat.keys, enough)
    const buffers = new Set<Buffer>()
    const frameBytes: number[] = []
    for (const piece of eachByte(Buffer.from(`data: ${'x'.repeat(size)}\n\n`))) {
      scanner.feed(piece)
      if (scanner.next()) frameBytes.push(scanner.frameEnd - scanner.frameStart)
      buffers.add(scanner.buffer)
    }
    expect(frameBytes).toEqual([size + 8])
    expect(buffers.size).toBeLessThanOrEqual(Math.log2(size) + 3)
  })

  test('is not read again from its last key on: spaces behind a key are bounded', () => {
    const scanned = scan(eachByte(Buffer.from(`data: {"content":${' '.repeat(size)}"w"}\n\n`)))
    expect(scanned.frames).toHaveLength(1)
  })
})
