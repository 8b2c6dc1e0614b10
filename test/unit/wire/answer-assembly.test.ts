import * as fc from 'fast-check'
import type { ChatCompletion } from 'openai/resources/chat/completions'
import { describe, expect, test } from 'vitest'
import { AnswerAssembly } from '../../../src/wire/assembly/answer-assembly.ts'
import { AssemblyTooLargeError } from '../../../src/wire/assembly/assembly-size.ts'
import type { JsonObject } from '../../../src/wire/json-value.ts'
import { captureBody, eventsIn } from '../../kit/sse-streams.ts'

const roomy = 1_000_000

/** Chunks as they are in JSON, so that nothing of a test's objects is shared. */
const copy = <Value>(value: Value) => JSON.parse(JSON.stringify(value)) as Value

function assembled(chunks: readonly object[], dialect: 'chat' | 'completions' = 'chat', bytesMax = roomy) {
  const assembly = new AnswerAssembly(dialect, bytesMax)
  for (const chunk of chunks) assembly.add(copy(chunk) as JsonObject)
  return { answer: JSON.parse(assembly.json().toString()) as JsonObject, finished: assembly.finished }
}

const chunk = (delta: object, reason: string | null = null, index = 0) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 7,
  model: 'm',
  choices: [{ index, delta, finish_reason: reason }],
})

/** The choices of a chat. */
const choicesOf = (...chunks: readonly object[]) => assembled(chunks).answer['choices'] as ChatCompletion.Choice[]

/** The one message of a chat. */
const messageOf = (...deltas: readonly object[]) =>
  choicesOf(...deltas.map((delta) => chunk(delta)), chunk({}, 'stop'))[0]?.message

/** The answer of a capture, less what differs from run to run. */
function captured(name: string): { [key: string]: unknown; choices: { message: object }[] } {
  const answer = JSON.parse(captureBody(name).toString()) as ReturnType<typeof captured>
  return steady(answer)
}

function assembledCapture(name: string, dialect: 'chat' | 'completions' = 'chat') {
  const chunks = eventsIn(captureBody(name))
    .filter(({ data }) => data !== '[DONE]')
    .map(({ data }) => JSON.parse(data) as object)
  const { answer, finished } = assembled(chunks, dialect)
  expect(finished).toBe(true)
  return steady(answer as ReturnType<typeof captured>)
}

function steady(answer: ReturnType<typeof captured>): ReturnType<typeof captured> {
  expect(String(answer['id'])).toMatch(/^(?:chatcmpl|cmpl)-/)
  expect(answer['created']).toBeTypeOf('number')
  const text = JSON.stringify({ ...answer, id: 'id', created: 0 }).replaceAll(/call_[0-9a-f]+/g, 'call_0')
  return JSON.parse(text) as ReturnType<typeof captured>
}

describe('streams of LMX, put together, are the answers that LMX gives without streaming', () => {
  test('a text, but for the reason: its streams never say that max_tokens cut them', () => {
    const whole = captured('chat.nonstream')
    const [choice] = whole.choices
    expect(assembledCapture('chat.stream.usage')).toEqual({ ...whole, choices: [{ ...choice, finish_reason: 'stop' }] })
  })

  test('without the usage that nobody asked for there is none', () => {
    const { usage, ...others } = assembledCapture('chat.stream.usage')
    expect(usage).toBeDefined()
    expect(assembledCapture('chat.stream')).toEqual(others)
  })

  test('a tool call, but for space around the text and the count of the prompt', () => {
    const whole = captured('chat.nonstream.tool')
    const [choice] = whole.choices
    const message = { ...choice?.message, content: 'Let me check.\n' }
    const usage = { prompt_tokens: 2, completion_tokens: 12, total_tokens: 14 }
    expect(assembledCapture('chat.stream.tool')).toEqual({ ...whole, usage, choices: [{ ...choice, message }] })
  })

  test('two choices, one after the other', () => {
    const message = { role: 'assistant', content: 'w0 w1 w2 ', tool_calls: null }
    expect(assembledCapture('chat.stream.n2')).toMatchObject({
      choices: [0, 1].map((index) => ({ index, message, finish_reason: 'length' })),
      usage: { prompt_tokens: 8, completion_tokens: 6, total_tokens: 14 },
    })
  })

  test('a completion; usage is asked for by the gateway, here it is not', () => {
    const { usage, ...whole } = captured('completions.nonstream')
    expect(usage).toBeDefined()
    expect(assembledCapture('completions.stream', 'completions')).toEqual(whole)
  })
})

describe('head and foot', () => {
  test('id, time, model, tier and fingerprint stand in their order, from the first chunk that has them', () => {
    const first = { ...chunk({ content: 'w' }), system_fingerprint: null }
    const second = { ...chunk({}, 'stop'), id: 'other', system_fingerprint: 'fp', service_tier: 'flex' }
    const { answer } = assembled([first, second])
    expect(answer).toMatchObject({
      id: 'chatcmpl-1',
      created: 7,
      model: 'm',
      system_fingerprint: 'fp',
      service_tier: 'flex',
      object: 'chat.completion',
    })
    expect(Object.keys(answer).slice(0, 2)).toEqual(['id', 'object'])
  })

  test('usage is the object that came last, as the host sent it', () => {
    const usage = {
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
      prompt_tokens_details: { cached_tokens: 1 },
    }
    const early = { ...chunk({ content: 'w' }), usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }
    const last = { ...chunk({}), choices: [], usage }
    expect(assembled([early, chunk({}, 'stop'), last, { ...chunk({}), usage: null }]).answer['usage']).toEqual(usage)
  })

  test('what only some hosts tell at the end is kept, and padding is not', () => {
    const timings = { predicted_ms: 9 }
    const chunks = [chunk({ content: 'w' }), { ...chunk({}, 'stop'), timings, obfuscation: 'x' }, chunk({})]
    expect(assembled(chunks).answer).toMatchObject({ timings })
    expect(assembled(chunks).answer).not.toHaveProperty('obfuscation')
  })

  test('events that are no chunks leave nothing', () => {
    expect(assembled([{ type: 'ping', x: 1 }, chunk({ content: 'w' }, 'stop')]).answer).not.toHaveProperty('x')
  })
})

describe('choices', () => {
  test('may come interleaved and in any order, several in a chunk, and stand by their index', () => {
    const two = { ...chunk({}), choices: [1, 0].map((index) => ({ index, delta: { content: `c${index}` } })) }
    const choices = choicesOf(two, chunk({ content: '-b' }, null, 1), two, chunk({}, 'stop', 0), chunk({}, 'length', 1))
    expect(choices.map(({ message }) => message.content)).toEqual(['c0c0', 'c1-bc1'])
    expect(choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
      [0, 'stop'],
      [1, 'length'],
    ])
  })

  test('each of them must have its reason, and an empty text is none', () => {
    expect(assembled([]).finished).toBe(false)
    expect(assembled([chunk({ content: 'w' }, '')]).finished).toBe(false)
    expect(assembled([chunk({ content: 'w' }, 'stop'), chunk({ role: 'assistant' }, null, 1)]).finished).toBe(false)
    expect(assembled([chunk({ content: 'w' }, 'stop'), chunk({}, 'stop', 1)]).finished).toBe(true)
  })

  test('a reason is not lost to chunks behind it', () => {
    const [choice] = choicesOf(chunk({ content: 'w' }, 'stop'), chunk({}), chunk({}, ''))
    expect(choice?.finish_reason).toBe('stop')
  })

  test('lists of logprobs are continued; null stays where there are none', () => {
    const of = (logprobs: object | null) => ({ ...chunk({}), choices: [{ index: 0, delta: {}, logprobs }] })
    const token = (text: string) => ({ token: text, logprob: -1, bytes: null, top_logprobs: [] })
    const [told] = choicesOf(
      of(null),
      of({ content: [token('a'), token('b')], refusal: null }),
      of({ content: [token('c')], refusal: null }),
      chunk({}, 'stop'),
    )
    expect(told?.logprobs).toEqual({ content: ['a', 'b', 'c'].map(token), refusal: null })
    expect(choicesOf(of(null), chunk({}, 'stop'))[0]?.logprobs).toBeNull()
    expect(choicesOf(chunk({}, 'stop'))[0]).not.toHaveProperty('logprobs')
  })

  test('unknown fields: lists are continued, of others the last counts', () => {
    const of = (fields: object) => ({
      ...chunk({}),
      choices: [{ index: 0, delta: {}, finish_reason: 'stop', ...fields }],
    })
    const [choice] = choicesOf(of({ token_ids: [1], stop_reason: null }), of({ token_ids: [2, 3], stop_reason: 'x' }))
    expect(choice).toMatchObject({ token_ids: [1, 2, 3], stop_reason: 'x' })
  })

  test('of a completion have their texts, and logprobs in its own form', () => {
    const of = (fields: object) => ({ ...chunk({}), object: 'text_completion', choices: [fields] })
    const logprobs = (token: string, offset: number) => ({
      tokens: [token],
      token_logprobs: [-1],
      text_offset: [offset],
    })
    const chunks = [
      of({ index: 0, text: 'a', logprobs: logprobs('a', 0), finish_reason: null }),
      of({ index: 1, text: 'x', logprobs: null, finish_reason: 'stop' }),
      of({ index: 0, text: 'b', logprobs: logprobs('b', 1), finish_reason: 'length' }),
    ]
    expect(assembled(chunks, 'completions').answer).toEqual({
      id: 'chatcmpl-1',
      object: 'text_completion',
      created: 7,
      model: 'm',
      choices: [
        {
          index: 0,
          text: 'ab',
          logprobs: { tokens: ['a', 'b'], token_logprobs: [-1, -1], text_offset: [0, 1] },
          finish_reason: 'length',
        },
        { index: 1, text: 'x', logprobs: null, finish_reason: 'stop' },
      ],
    })
  })
})

describe('a message', () => {
  test('has its role, its text and both spellings of reasoning', () => {
    expect(
      messageOf(
        { role: 'assistant', content: null, reasoning_content: 'th' },
        { role: null, reasoning_content: 'ink', reasoning: 'a' },
        { content: 'w0 ', reasoning: 'b' },
        { content: 'w1', reasoning_content: null },
      ),
    ).toEqual({ role: 'assistant', content: 'w0 w1', reasoning_content: 'think', reasoning: 'ab' })
  })

  test('without anything is an empty text; role and all', () => {
    expect(messageOf()).toEqual({ role: 'assistant', content: '' })
    expect(messageOf({ role: 'assistant', content: null, tool_calls: null })).toEqual({
      role: 'assistant',
      content: '',
      tool_calls: null,
    })
  })

  test('that refuses has no text', () => {
    expect(messageOf({ content: '', refusal: null }, { refusal: 'I ' }, { refusal: 'won’t.' })).toEqual({
      role: 'assistant',
      content: null,
      refusal: 'I won’t.',
    })
  })

  test.each([63, 64, 65, 128, 200])('of %i pieces has all of them', (pieces) => {
    const deltas = Array.from({ length: pieces }, (_, index) => ({ content: `${index} ` }))
    expect(messageOf(...deltas)?.content).toBe(deltas.map(({ content }) => content).join(''))
  })

  test('characters that were cut between two chunks are whole', () => {
    expect(messageOf({ content: 'a\ud83e' }, { content: '\udd80b' })?.content).toBe('a🦀b')
  })

  test('names that objects inherit are names as any', () => {
    const delta = JSON.parse('{"content":"w","__proto__":{"role":"x"},"constructor":"y"}') as object
    const [choice] = assembled([chunk(delta, 'stop')]).answer['choices'] as { message: object }[]
    expect(Object.entries(choice?.message ?? {})).toContainEqual(['constructor', 'y'])
    expect(JSON.stringify(choice?.message)).toContain('"role":"assistant"')
  })
})

describe('tool calls', () => {
  const call = (index: number, name: string, args: string) => ({
    index,
    id: `call_${index}`,
    type: 'function',
    function: { name, arguments: args },
  })
  const piece = (index: number, args: string) => ({ index, function: { arguments: args } })
  const callsOf = (...deltas: readonly object[]) =>
    messageOf(...deltas.map((tool_call) => ({ content: null, tool_calls: [tool_call] })))?.tool_calls

  test('are merged by their index, however they are interleaved', () => {
    const message = messageOf(
      { role: 'assistant', content: '' },
      { tool_calls: [call(1, 'b', '{'), call(0, 'a', '')] },
      { tool_calls: [piece(1, '"x":'), piece(0, '{}')] },
      { tool_calls: null, content: null },
      { tool_calls: [{ ...piece(1, '1}'), id: null, type: null }] },
    )
    expect(message).toEqual({
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'call_0', type: 'function', function: { name: 'a', arguments: '{}' } },
        { id: 'call_1', type: 'function', function: { name: 'b', arguments: '{"x":1}' } },
      ],
    })
  })

  test('take id, type and name from the first delta that has them', () => {
    const first = { index: 0, id: '', function: { name: null, arguments: '{' } }
    const second = { index: 0, id: 'call_0', type: 'function', function: { name: 'a', arguments: '' } }
    const again = { index: 0, id: 'call_9', function: { arguments: '}' } }
    const made = { id: 'call_0', type: 'function', function: { name: 'a', arguments: '{}' } }
    expect(callsOf(first, second, again)).toEqual([made])
    const renamed = { index: 0, type: 'function', function: { name: 'b', arguments: '{' } }
    expect(callsOf({ ...second, type: 'odd' }, renamed, again)).toEqual([{ ...made, type: 'odd' }])
    // Repeated in every delta, as some do.
    expect(callsOf(second, { ...second, function: { name: 'a', arguments: '{}' } })).toEqual([made])
  })

  test('of a host that gives each the same number, or none, are told apart', () => {
    const made = [call(0, 'a', '{}'), call(1, 'b', '{"x":1}')].map(({ id, type, function: called }) => ({
      id,
      type,
      function: called,
    }))
    expect(callsOf(call(0, 'a', '{}'), { ...call(1, 'b', '{"x":1}'), index: 0 })).toEqual(made)
    expect(callsOf(...made)).toEqual(made)
  })

  test('with arguments as an object have them as text', () => {
    expect(callsOf({ index: 0, id: 'i', function: { name: 'a', arguments: { x: 1 } } })).toMatchObject([
      { type: 'function', function: { arguments: '{"x":1}' } },
    ])
  })

  test('in their old form have their name and all arguments', () => {
    const deltas = [{ name: 'a', arguments: '' }, { arguments: '{"x"' }, { arguments: ':1}' }]
    expect(messageOf(...deltas.map((function_call) => ({ function_call })))).toEqual({
      role: 'assistant',
      content: null,
      function_call: { name: 'a', arguments: '{"x":1}' },
    })
  })
})

describe('the bound', () => {
  const big = 10_000

  test.each<[string, (count: number) => object]>([
    ['text', () => ({ delta: { content: 'wwww' } })],
    ['reasoning', () => ({ delta: { reasoning: 'wwww' } })],
    ['arguments', () => ({ delta: { tool_calls: [{ index: 0, function: { arguments: 'wwww' } }] } })],
    ['calls', (count) => ({ delta: { tool_calls: [{ index: count }] } })],
    ['choices', (count) => ({ index: count })],
    ['logprobs', () => ({ logprobs: { content: [{ token: 'w' }] } })],
    ['fields', (count) => ({ [`x${count}`]: 1 })],
    ['lists', () => ({ delta: { parts: [1] } })],
  ])('holds for %s', (_what, choice) => {
    const assembly = new AnswerAssembly('chat', big)
    let count = 0
    const all = () => {
      while (count < big) assembly.add({ choices: [{ index: 0, ...choice(count++) }] })
    }
    expect(all).toThrow(AssemblyTooLargeError)
    expect(count).toBeGreaterThan(5)
    expect(assembly.json().length).toBeLessThan(2 * big)
  })

  test('counts what is kept once: values that take the place of another do not add up', () => {
    const assembly = new AnswerAssembly('chat', big)
    for (let n = 0; n < big; n++) assembly.add({ choices: [{ index: 0, timing: n }], timings: { n } })
    expect(assembly.json().toString()).toContain(`"timing":${big - 1}`)
  })

  test('is counted in bytes, to the byte', () => {
    const text = 'é'.repeat(1_000)
    const fits = (bytesMax: number) => () => assembled([chunk({ content: text })], 'chat', bytesMax)
    const overhead = 512 + 'finish_reason'.length + 'null'.length
    expect(fits(overhead + 2_000)).not.toThrow()
    expect(fits(overhead + 1_999)).toThrow(AssemblyTooLargeError)
  })
})

test('any text in any pieces, of any choices, comes out as it went in', () => {
  const pieces = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.string({ unit: 'grapheme', maxLength: 5 })), {
    minLength: 1,
    maxLength: 300,
  })
  fc.assert(
    fc.property(pieces, (told) => {
      const indexes = [...new Set(told.map(([index]) => index))].toSorted((a, b) => a - b)
      const choices = choicesOf(
        ...told.map(([index, content]) => chunk({ content }, null, index)),
        ...indexes.map((index) => chunk({}, 'stop', index)),
      )
      expect(choices.map(({ index }) => index)).toEqual(indexes)
      for (const { index, message } of choices) {
        expect(message.content).toBe(told.map(([of, text]) => (of === index ? text : '')).join(''))
      }
    }),
  )
})
