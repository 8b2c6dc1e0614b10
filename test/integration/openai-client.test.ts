/** The official client, unchanged, with the gateway where it expects OpenAI: chats, tools, choices, usage, completions. */

import { expect, test } from 'vitest'
import { ask, model, oneHost } from '../kit/fleet.ts'
import { miniMaxToolCall } from '../kit/lmx-double/tool-calls.ts'

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    description: 'Weather of a city',
    parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'number' } } },
  },
}

test('a chat', async () => {
  const { client, gateway, double } = await oneHost()
  const { data, response } = await client.chat.completions.create(ask('Say five words', 5)).withResponse()
  expect(data).toMatchObject({
    object: 'chat.completion',
    model,
    choices: [{ index: 0, message: { role: 'assistant', content: 'w0 w1 w2 w3 w4 ' }, finish_reason: 'length' }],
    usage: { completion_tokens: 5 },
  })
  expect(response.headers.get('x-lmx-gateway-host')).toBe('studio')
  expect(response.headers.get('x-lmx-gateway-attempts')).toBe('1')
  expect(response.headers.get('x-request-id')).toMatch(/^req-/)
  // The host logs under the id that the client sees.
  expect(double.inferenceRequests[0]!.headers['x-request-id']).toBe(response.headers.get('x-request-id'))
  expect(await gateway.metric('requests_total', endedWell('chat_completions'))).toBe(1)
})

test('a streamed chat', async () => {
  const { client, gateway } = await oneHost()
  const { data, response } = await client.chat.completions
    .create({ ...ask('Say five words', 5), stream: true })
    .withResponse()
  const chunks = await collect(data)
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(response.headers.get('x-accel-buffering')).toBe('no')
  expect(chunks[0]!.choices[0]!.delta.role).toBe('assistant')
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('w0 w1 w2 w3 w4 ')
  expect(chunks.at(-1)!.choices[0]!.finish_reason).toBe('stop')
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1)
  expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set([model]))
  expect(await gateway.metric('requests_total', endedWell('chat_completions'))).toBe(1)
})

test('a streamed chat by the helper that puts it together again', async () => {
  const { client } = await oneHost({ echo: true })
  const runner = client.chat.completions.stream(ask('Grüße, 世界 und 🌍!'))
  const pieces: string[] = []
  runner.on('content', (piece) => pieces.push(piece))
  expect(await runner.finalContent()).toBe('Grüße, 世界 und 🌍!')
  expect(pieces.length).toBeGreaterThan(1)
})

test('tools', async () => {
  const call = miniMaxToolCall('get_weather', { city: 'Zürich', days: 2 })
  const { client } = await oneHost({ reply: () => ['Let me look. ', call] })
  const answer = await client.chat.completions.create({ ...ask('Weather?'), tools: [weather] })
  expect(answer.choices[0]!.finish_reason).toBe('tool_calls')
  expect(answer.choices[0]!.message.content).toBe('Let me look.')
  const [made] = answer.choices[0]!.message.tool_calls!
  expect(made).toMatchObject({ type: 'function', function: { name: 'get_weather' } })
  expect(argumentsOf(made)).toEqual({ city: 'Zürich', days: 2 })
})

test('tools, streamed', async () => {
  const calls = [miniMaxToolCall('get_weather', { city: 'Zürich' }), miniMaxToolCall('get_weather', { city: 'Bern' })]
  const { client } = await oneHost({ reply: () => ['Let me look. ', ...calls] })
  const runner = client.chat.completions.stream({ ...ask('Weather?'), tools: [weather] })
  const message = await runner.finalMessage()
  expect(message.content).toBe('Let me look. ')
  expect(message.tool_calls!.map(argumentsOf)).toEqual([{ city: 'Zürich' }, { city: 'Bern' }])
  expect((await runner.finalChatCompletion()).choices[0]!.finish_reason).toBe('tool_calls')
})

test('two choices', async () => {
  const { client } = await oneHost()
  const answer = await client.chat.completions.create({ ...ask('Twice', 3), n: 2 })
  expect(answer.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, 'w0 w1 w2 '],
    [1, 'w0 w1 w2 '],
  ])
})

test('two choices, streamed: the end of the first is not the end', async () => {
  const { client, gateway } = await oneHost()
  const stream = await client.chat.completions.create({ ...ask('Twice', 3), n: 2, stream: true })
  const contents = ['', '']
  const finished: number[] = []
  for await (const { choices } of stream) {
    for (const { index, delta, finish_reason: reason } of choices) {
      contents[index] += delta.content ?? ''
      if (reason !== null) finished.push(index)
    }
  }
  expect(contents).toEqual(['w0 w1 w2 ', 'w0 w1 w2 '])
  expect(finished).toEqual([0, 1])
  expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(6)
})

test.each([
  ['asked for', { include_usage: true }, true],
  ['declined', { include_usage: false }, false],
  ['left empty', {}, false],
  ['null', null, false],
  ['absent', undefined, false],
])('usage of a stream, %s: the chunk with it is there only when asked for', async (_how, streamOptions, asked) => {
  const { client, gateway, double } = await oneHost()
  const options = streamOptions === undefined ? {} : { stream_options: streamOptions }
  const chunks = await collect(
    await client.chat.completions.create({ ...ask('How much?', 4), stream: true, ...options }),
  )
  const withUsage = chunks.filter((chunk) => chunk.usage !== null && chunk.usage !== undefined)
  const usage = { prompt_tokens: 2, completion_tokens: 4, total_tokens: 6 }
  expect(withUsage).toEqual(asked ? [expect.objectContaining({ choices: [], usage })] : [])
  expect(chunks.every((chunk) => chunk.choices.length === 1 || withUsage.includes(chunk))).toBe(true)
  // The gateway itself knows the figures in either case.
  expect(double.inferenceRequests[0]!.json).toMatchObject({ stream_options: { include_usage: true } })
  expect(await gateway.sum('tokens_total', { type: 'input' })).toBe(2)
  expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(4)
  expect(await gateway.metric('usage_source_total', { host: 'studio', source: 'reported' })).toBe(1)
})

test('a legacy completion', async () => {
  const { client } = await oneHost()
  const answer = await client.completions.create({ model, prompt: 'Once upon a time', max_tokens: 3 })
  expect(answer).toMatchObject({ object: 'text_completion', choices: [{ text: 'w0 w1 w2 ', finish_reason: 'length' }] })
  expect(answer.usage!.completion_tokens).toBe(3)
})

test('a legacy completion, streamed, of two prompts', async () => {
  const { client, gateway } = await oneHost()
  const prompt = ['Once upon a time', 'Twice upon a time']
  const chunks = await collect(await client.completions.create({ model, prompt, max_tokens: 3, stream: true }))
  const texts = ['', '']
  for (const { choices } of chunks) for (const { index, text } of choices) texts[index] += text
  expect(texts).toEqual(['w0 w1 w2 ', 'w0 w1 w2 '])
  expect(chunks.filter(({ choices }) => choices[0]!.finish_reason !== null)).toHaveLength(2)
  expect(await gateway.metric('requests_total', endedWell('completions'))).toBe(1)
  expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(6)
})

test('fields that only the host knows arrive as they were sent', async () => {
  const { client, double } = await oneHost()
  const body = { ...ask('Now'), num_ctx: 4096, seed: 7, response_format: { type: 'json_object' as const } }
  await client.chat.completions.create(body)
  expect(JSON.parse(double.inferenceRequests[0]!.body.toString())).toEqual(body)
})

function endedWell(endpoint: string) {
  return { endpoint, model, key: 'anonymous', status: '200', end: '--' }
}

function argumentsOf(call: unknown): unknown {
  return JSON.parse((call as { function: { arguments: string } }).function.arguments)
}
