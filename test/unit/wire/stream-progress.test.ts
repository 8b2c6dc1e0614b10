import { describe, expect, test } from 'vitest'
import { dialects } from '../../../src/wire/dialect.ts'
import { SseScanner } from '../../../src/wire/sse-scanner.ts'
import { type FrameRole, StreamProgress } from '../../../src/wire/stream-progress.ts'
import type { ReportedUsage } from '../../../src/wire/usage.ts'
import { captureBody, frame } from '../../kit/sse-streams.ts'

type Name = keyof typeof dialects

/** A stream being read; `see` takes whole frames and says the role of each. */
function reading(name: Name, choices = 1) {
  const usages: ReportedUsage[] = []
  const responseIds: string[] = []
  const dialect = dialects[name]
  const scanner = new SseScanner(dialect.keys, 1_048_576)
  const progress = new StreamProgress({
    dialect,
    choices,
    onUsage: (usage) => usages.push(usage),
    onResponseId: (id) => responseIds.push(id),
  })
  const see = (...frames: readonly (string | Buffer)[]): FrameRole[] => {
    const roles: FrameRole[] = []
    scanner.feed(Buffer.from(Buffer.concat(frames.map((one) => Buffer.from(one)))))
    while (scanner.next()) roles.push(progress.see(scanner))
    return roles
  }
  return { progress, usages, responseIds, see }
}

const event = (name: string, data: object) => frame(data, { before: [`event: ${name}`] })
const chunk = (index: number, delta: object, finish: string | null = null) =>
  frame({ choices: [{ index, delta, finish_reason: finish }], usage: null })

describe('captures', () => {
  test.each<[string, Name, string, ReportedUsage[]]>([
    ['chat.stream', 'chat', 'other content+ finish done', []],
    ['chat.stream.usage', 'chat', 'other content+ finish usage done', [{ input: 4, output: 6 }]],
    ['chat.stream.tool', 'chat', 'other content+ finish usage done', [{ input: 2, output: 12 }]],
    ['chat.stream.busy', 'chat', 'other content finish usage done', [{ input: 4, output: 0 }]],
    ['chat.stream.engine-failure', 'chat', 'other content+ finish usage done', [{ input: 1, output: 3 }]],
    ['completions.stream', 'completions', 'other content+ finish done', []],
    [
      'messages.stream',
      'messages',
      'other other content+ other other finish',
      [{ input: 1, output: 0 }, { output: 4 }],
    ],
    ['messages.stream.busy', 'messages', 'other other', [{ input: 1, output: 0 }]],
    ['responses.stream', 'responses', 'other content+ finish done', []],
    ['responses.stream.busy', 'responses', 'other', []],
  ])('%s', (capture, name, roles, usages) => {
    const stream = reading(name)
    const seen = stream.see(captureBody(capture)).join(' ')
    expect(seen.replace(/content(?: content)+/g, 'content+')).toBe(roles)
    expect(stream.usages).toEqual(usages)
    expect(stream.progress.complete).toBe(!capture.endsWith('.busy') || name === 'chat')
    expect(stream.progress.badFrames).toBe(0)
  })

  test('chat.stream.n2: complete after the second finish and not before', () => {
    const stream = reading('chat', 2)
    const complete = captureBody('chat.stream.n2')
      .toString()
      .split(/(?<=\n\n)/)
      .map((one) => `${stream.see(one).join()} ${stream.progress.complete}`)
    expect(complete.filter((one) => one.startsWith('finish'))).toEqual(['finish false', 'finish true'])
    expect(complete.at(-1)).toBe('done true')
  })
})

describe('chat', () => {
  test.each<[string, object]>([
    ['text', { content: 'w' }],
    ['reasoning_content', { reasoning_content: 'w' }],
    ['reasoning', { reasoning: 'w' }],
    ['a refusal', { refusal: 'w' }],
    ['a tool call', { tool_calls: [{ index: 0, function: { arguments: '{' } }] }],
    ['an old tool call', { function_call: { arguments: '{' } }],
  ])('%s is content, on one line and on several', (_what, delta) => {
    const data = { choices: [{ index: 0, delta, finish_reason: null }] }
    expect(reading('chat').see(frame(data), frame(data, { severalLines: true }))).toEqual(['content', 'content'])
  })

  test.each<[string, string]>([
    ['a refusal', '{"refusal":\n"w"}'],
    ['a tool call', '{"tool_calls":\n[{"index":0}]}'],
    ['an old tool call', '{"function_call"\n:\n{"name":"f"}}'],
  ])('%s is content when key and value stand on two lines', (_what, delta) => {
    const lines = `{"choices":[{"index":0,"delta":${delta}}]}`.split('\n')
    expect(reading('chat').see(`${lines.map((line) => `data: ${line}\n`).join('')}\n`)).toEqual(['content'])
  })

  test.each<[string, object]>([
    ['a role', { role: 'assistant', content: '' }],
    ['nothing', {}],
    ['nulls', { content: null, tool_calls: null, refusal: null }],
    ['an empty list', { tool_calls: [] }],
  ])('%s is not, on one line and on several', (_what, delta) => {
    const data = { choices: [{ index: 0, delta, finish_reason: null }] }
    expect(reading('chat').see(frame(data), frame(data, { severalLines: true }))).toEqual(['other', 'other'])
  })

  test('two choices, one after the other', () => {
    const { see, progress } = reading('chat', 2)
    expect(see(chunk(0, { content: 'a' }), chunk(0, {}, 'stop'))).toEqual(['content', 'finish'])
    expect(progress).toMatchObject({ complete: false, finishedAllSeen: true })
    expect(see(chunk(1, { content: 'b' }))).toEqual(['content'])
    expect(progress).toMatchObject({ complete: false, finishedAllSeen: false })
    expect(see(chunk(1, { content: 'b' }), chunk(1, {}, 'length'))).toEqual(['content', 'finish'])
    expect(progress.complete).toBe(true)
  })

  test('two choices, interleaved; one that finishes twice is still one', () => {
    const { see, progress } = reading('chat', 2)
    see(chunk(0, { content: 'a' }), chunk(1, { content: 'b' }), chunk(1, {}, 'stop'), chunk(1, {}, 'stop'))
    expect(progress.complete).toBe(false)
    see(chunk(0, { content: 'a' }), chunk(0, {}, 'stop'))
    expect(progress.complete).toBe(true)
  })

  test('two choices that finish in one frame', () => {
    const { see, progress } = reading('chat', 2)
    const choices = [0, 1].map((index) => ({ index, delta: {}, finish_reason: 'stop' }))
    expect(see(frame({ choices }))).toEqual(['finish'])
    expect(progress.complete).toBe(true)
  })

  test('a host that ignores n finishes some choice, not all', () => {
    const { see, progress } = reading('chat', 3)
    see(chunk(0, { content: 'a' }), chunk(0, {}, 'stop'))
    expect(progress).toMatchObject({ complete: false, finishedAllSeen: true })
  })

  test('content and finish in one frame are both', () => {
    const { see, progress } = reading('chat')
    expect(see(chunk(0, { content: 'a' }, 'stop'))).toEqual(['content'])
    expect(progress.complete).toBe(true)
  })

  test('a choice without an index is the first', () => {
    const { see, progress } = reading('chat')
    see(frame({ choices: [{ delta: {}, finish_reason: 'stop' }] }))
    expect(progress.complete).toBe(true)
  })

  test.each([null, '', 0, false])('a finish reason of %j ends nothing, beside usage or on several lines', (reason) => {
    const { see, progress } = reading('chat')
    const data = { choices: [{ index: 0, delta: {}, finish_reason: reason }], usage: { completion_tokens: 1 } }
    expect(see(frame(data), frame(data, { severalLines: true }))).toEqual(['other', 'other'])
    expect(progress.finishedAllSeen).toBe(false)
  })

  test('a first frame behind a byte order mark is read like any other', () => {
    const { see, progress, usages } = reading('chat')
    const data = {
      choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: 3 },
    }
    expect(see(`\uFEFF${frame(data)}`)).toEqual(['content'])
    expect(progress.complete).toBe(true)
    expect(usages).toEqual([{ input: 3 }])
  })

  test('frames that are not JSON are counted, and those in a row until a good one comes', () => {
    const { see, progress } = reading('chat')
    expect(see('data: {"usage": {"prompt_tokens\n\n', 'data: "finish_reason":"stop"\n\n', 'data: {oops\n\n')).toEqual([
      'other',
      'other',
      'other',
    ])
    expect(progress).toMatchObject({ badFrames: 3, badFramesInARow: 3 })
    expect(see(chunk(0, { content: 'a' }, 'stop'))).toEqual(['content'])
    expect(progress).toMatchObject({ badFrames: 3, badFramesInARow: 0, complete: true })
  })

  test.each([
    'data: {"choices":[{"delta":{"content":"he',
    'data: oops',
    'data:7',
    '\uFEFFdata: {oops',
    'id: 1\ndata: {oops',
  ])('a frame of %j is torn', (torn) => {
    const { see, progress } = reading('chat')
    expect(see(`${torn}\n\n`)).toEqual(['other'])
    expect(progress.badFramesInARow).toBe(1)
  })

  test.each([': comment', 'event: ping', 'id: 7', 'retry: 10', 'data: {"a":1}\nid: 7', 'data:', 'data: '])(
    'a frame of %j is not',
    (sound) => {
      const { see, progress } = reading('chat')
      expect(see(`${sound}\n\n`)).toEqual(['other'])
      expect(progress.badFrames).toBe(0)
    },
  )
})

describe('usage', () => {
  const usage = { prompt_tokens: 3, completion_tokens: 2 }

  test('a frame of usage alone has an empty list of choices', () => {
    const { see, usages } = reading('chat')
    expect(see(frame({ choices: [], usage }))).toEqual(['usage'])
    expect(usages).toEqual([{ input: 3, output: 2 }])
  })

  test('on every frame it is told each time, and takes no role from the frame', () => {
    const { see, usages } = reading('chat')
    const choice = (delta: object, reason: string | null) => [{ index: 0, delta, finish_reason: reason }]
    const frames = [
      frame({ choices: choice({ content: 'a' }, null), usage: { ...usage, completion_tokens: 1 } }),
      frame({ choices: choice({}, 'stop'), usage }),
      frame({ choices: [], usage }),
      frame({ choices: [], usage }),
    ]
    expect(see(...frames)).toEqual(['content', 'finish', 'usage', 'usage'])
    expect(usages.map(({ output }) => output)).toEqual([1, 2, 2, 2])
  })

  test('that cannot be believed is told as such, and its frame is one of usage still', () => {
    const { see, usages } = reading('chat')
    expect(see(frame({ choices: [], usage: { prompt_tokens: -1, completion_tokens: '7' } }))).toEqual(['usage'])
    expect(usages).toEqual([{ rejected: true }])
  })

  test('beside choices, without any, or of null, is no frame of usage alone', () => {
    const { see } = reading('chat')
    const frames = [
      frame({ choices: [{ index: 0, delta: {} }], usage }),
      frame({ usage }),
      frame({ choices: [], usage: null }),
      frame({ choices: [] }),
    ]
    expect(see(...frames)).toEqual(['other', 'other', 'other', 'other'])
  })

  test('Responses and Anthropic carry it inside of the object they announce', () => {
    const responses = reading('responses')
    responses.see(event('response.completed', { response: { usage: { input_tokens: 5, output_tokens: 6 } } }))
    expect(responses.usages).toEqual([{ input: 5, output: 6 }])
    const messages = reading('messages')
    messages.see(event('message_start', { message: { usage: { input_tokens: 5 } } }))
    expect(messages.usages).toEqual([{ input: 5 }])
  })
})

describe('completions', () => {
  test('text, finish, end', () => {
    const { see, progress } = reading('completions')
    const part = (text: string, reason: string | null) =>
      frame({ choices: [{ index: 0, text, finish_reason: reason }] })
    expect(see(part('', null), part('w', null), part('', 'length'), 'data: [DONE]\n\n')).toEqual([
      'other',
      'content',
      'finish',
      'done',
    ])
    expect(progress.complete).toBe(true)
  })

  test('echoed tokens in log probabilities are no text', () => {
    const choices = [{ index: 0, text: '', logprobs: { tokens: ['w'], text_offset: [0] }, finish_reason: null }]
    expect(reading('completions').see(frame({ choices }))).toEqual(['other'])
  })
})

describe('responses', () => {
  test('the id of the response is told once', () => {
    const { see, responseIds } = reading('responses')
    see(event('response.created', { type: 'response.created', response: { id: 'resp-1' } }))
    see(event('response.created', { response: { id: 'resp-2' } }))
    expect(responseIds).toEqual(['resp-1'])
  })

  test('LMX puts the id beside', () => {
    const { see, responseIds } = reading('responses')
    see(captureBody('responses.stream'))
    expect(responseIds).toEqual([expect.stringMatching(/^resp-/)])
  })

  test('an id that is no text is nobody', () => {
    const { see, responseIds } = reading('responses')
    see(event('response.created', { id: 7 }))
    expect(responseIds).toEqual([])
  })

  test.each(['response.completed', 'response.incomplete'])('%s ends it', (name) => {
    const { see, progress } = reading('responses')
    expect(see(event('response.output_text.delta', { delta: 'w' }), event(name, { response: { id: 'r' } }))).toEqual([
      'content',
      'finish',
    ])
    expect(progress.complete).toBe(true)
  })

  test('the type in the data stands for a missing event line', () => {
    const { see, progress, responseIds } = reading('responses')
    expect(
      see(
        frame({ type: 'response.created', response: { id: 'resp-1' } }),
        frame({ type: 'response.output_text.delta', delta: 'w' }),
        frame({ type: 'response.completed', response: { error: null, usage: { input_tokens: 1, output_tokens: 1 } } }),
      ),
    ).toEqual(['other', 'content', 'finish'])
    expect(progress.complete).toBe(true)
    expect(responseIds).toEqual(['resp-1'])
  })

  test('a failed response is no end but an error, and carries it', () => {
    const { see, progress } = reading('responses')
    expect(see(event('response.failed', { response: { error: { code: 'server_error' } } }))).toEqual(['error'])
    expect(progress.error).toEqual({ code: 'server_error' })
    expect(progress.complete).toBe(false)
  })
})

describe('messages', () => {
  test.each<[string, object]>([
    ['text', { type: 'text_delta', text: 'w' }],
    ['thinking', { type: 'thinking_delta', thinking: 'w' }],
    ['arguments of a tool', { type: 'input_json_delta', partial_json: '{' }],
  ])('%s is content', (_what, delta) => {
    expect(reading('messages').see(event('content_block_delta', { index: 0, delta }))).toEqual(['content'])
  })

  test.each<[string, string, object]>([
    ['ping', 'ping', { type: 'ping' }],
    ['an empty block', 'content_block_start', { content_block: { type: 'text', text: '' } }],
    ['the end of a block', 'content_block_stop', { index: 0 }],
    ['a stop reason', 'message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 4 } }],
  ])('%s is not, and ends nothing', (_what, name, data) => {
    const { see, progress } = reading('messages')
    expect(see(event(name, data))).toEqual(['other'])
    expect(progress.complete).toBe(false)
  })
})

describe('errors', () => {
  const error = { message: 'out of memory', code: 500 }

  test.each<[string, Name, string, unknown]>([
    ['an object', 'chat', frame({ error }), error],
    ['an object on several lines', 'chat', frame({ error }, { severalLines: true }), error],
    ['a text', 'chat', frame({ error: 'out of memory' }), 'out of memory'],
    ['beside usage', 'chat', frame({ error, usage: { prompt_tokens: 1 } }), error],
    ['behind a byte order mark', 'chat', `\uFEFF${frame({ error })}`, error],
    ['named, with the object', 'chat', event('error', { error }), error],
    ['named, with its fields in the data', 'chat', event('error', error), error],
    ['of completions', 'completions', frame({ error }), error],
    ['of an endpoint that has no stream', 'none', frame({ error }), error],
    ['of Responses', 'responses', event('error', { type: 'error', ...error }), { type: 'error', ...error }],
    [
      'of Responses, without its event line',
      'responses',
      frame({ type: 'error', ...error }),
      { type: 'error', ...error },
    ],
    ['of Anthropic', 'messages', event('error', { type: 'error', error }), error],
  ])('%s', (_what, name, text, found) => {
    const { see, progress } = reading(name)
    expect(see(text)).toEqual(['error'])
    expect(progress.error).toEqual(found)
    expect(progress.complete).toBe(false)
  })

  test.each([null, '', false, 0])('an error of %j is none', (none) => {
    const { see } = reading('chat')
    const data = { error: none, choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }] }
    expect(see(frame(data), frame(data, { severalLines: true }))).toEqual(['content', 'content'])
  })

  test('an error inside of something else is not one of the stream', () => {
    const { see } = reading('chat')
    const delta = { tool_calls: [{ index: 0, result: { error: { message: 'no' } } }] }
    expect(see(frame({ choices: [{ index: 0, delta, finish_reason: null }] }))).toEqual(['content'])
  })

  test('a text that says so is content', () => {
    const { see } = reading('chat')
    expect(see(chunk(0, { content: '{"error": {"message": "no"}}' }))).toEqual(['content'])
  })
})
