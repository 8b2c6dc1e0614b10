/** The other endpoints through the official client: embeddings, models, responses, audio; and those it has no method for. */

import { BadRequestError, InternalServerError, NotFoundError, toFile } from 'openai'
import { describe, expect, test } from 'vitest'
import { clientOf, gatewayBefore, model, oneHost, startDouble } from '../kit/fleet.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { formParts } from '../kit/lmx-double/multipart.ts'

const embedder = 'org/embedder'

describe('embeddings', () => {
  test('one and several texts, in the default encoding of the client and as floats', async () => {
    const { client, gateway, double } = await oneHost({ embeddingModel: embedder })
    const one = await client.embeddings.create({ model: embedder, input: 'Hello world' })
    const two = await client.embeddings.create({
      model: embedder,
      input: ['Hello world', 'Bye'],
      encoding_format: 'float',
    })
    expect(one).toMatchObject({ object: 'list', model: embedder, usage: { prompt_tokens: 2, total_tokens: 2 } })
    expect(one.data[0]!.embedding).toHaveLength(8)
    expect(two.data.map(({ index }) => index)).toEqual([0, 1])
    expect(two.data[0]!.embedding).toEqual(one.data[0]!.embedding)
    expect(two.data[1]!.embedding).not.toEqual(one.data[0]!.embedding)
    expect(await gateway.sum('tokens_total', { type: 'input' })).toBe(double.promptTokens)
  })

  test('a host without an embedding engine: its own words, as an error that may pass', async () => {
    const { client } = await oneHost({ embeddingModel: null })
    const failure = client.embeddings.create({ model, input: 'Hello' }, { maxRetries: 0 })
    await expect(failure).rejects.toThrow(/503 Embedding engine not available/)
    await expect(failure).rejects.toBeInstanceOf(InternalServerError)
  })
})

describe('models', () => {
  test('the lists of all hosts in one, aliases among them, each name once', async () => {
    const left = await startDouble({ models: ['org/small', 'org/shared'] })
    const right = await startDouble({ models: ['org/shared', 'plain'] })
    const gateway = await gatewayBefore([{ url: left.url }, { url: right.url }], {
      models: { aliases: { fast: 'org/small', gone: 'org/nowhere' } },
    })
    const names: string[] = []
    for await (const { id } of clientOf(gateway).models.list()) names.push(id)
    expect(names).toEqual(['fast', 'org/shared', 'org/small', 'plain'])
  })

  test.each([['org/stub-a'], ['plain'], ['fast']])('%s is retrieved by its name', async (name) => {
    const { client } = await oneHost(
      { models: ['org/stub-a', 'plain'] },
      { models: { aliases: { fast: 'org/stub-a' } } },
    )
    const found = await client.models.retrieve(name)
    expect(found).toMatchObject({ id: name, object: 'model' })
    expect(found.created).toEqual(expect.any(Number))
  })

  test('a slash that was not encoded belongs to the name too', async () => {
    const { gateway } = await oneHost()
    const response = await fetch(`${gateway.baseUrl}/models/org/stub-a`)
    expect(await response.json()).toMatchObject({ id: 'org/stub-a', object: 'model', owned_by: 'local' })
  })

  test('a name that is not there: NotFoundError', async () => {
    const { client } = await oneHost()
    const failure = client.models.retrieve('org/other')
    await expect(failure).rejects.toBeInstanceOf(NotFoundError)
    await expect(failure).rejects.toMatchObject({ code: 'model_not_found' })
  })
})

describe('responses', () => {
  test('whole', async () => {
    const { client, gateway } = await oneHost({ echo: true })
    const response = await client.responses.create({ model, input: 'Say this' }).asResponse()
    expect(await response.json()).toMatchObject({
      id: expect.stringMatching(/^resp-/) as string,
      object: 'response',
      status: 'completed',
      output_text: 'Say this',
    })
    expect(await gateway.sum('requests_total', { endpoint: 'responses', status: '200', end: '--' })).toBe(1)
  })

  test('streamed', async () => {
    const { client, gateway } = await oneHost({ echo: true })
    const stream = await client.responses.create({ model, input: 'Say this in four', stream: true })
    let text = ''
    for await (const event of stream) if ('delta' in event && typeof event.delta === 'string') text += event.delta
    expect(text).toBe('Say this in four')
    expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(4)
    expect(await gateway.sum('requests_total', { endpoint: 'responses', end: '--' })).toBe(1)
  })

  test.each([[false], [true]])('an id is known to the host that made it alone (streamed: %s)', async (stream) => {
    const doubles = [await startDouble(), await startDouble()]
    const gateway = await gatewayBefore(doubles.map(({ url }, index) => ({ name: `host-${index}`, url })))
    const client = clientOf(gateway)
    const first = await client.responses.create({ model, input: 'Hello', stream }).asResponse()
    const keeper = first.headers.get('x-lmx-gateway-host')
    const id = /"id": ?"(resp-[^"]+)"/.exec(await first.text())![1]!
    for (let turn = 0; turn < 8; turn += 1) {
      const next = await client.responses
        .create({ model, input: 'And?', previous_response_id: id, stream: turn % 2 === 0 })
        .asResponse()
      expect(next.headers.get('x-lmx-gateway-host')).toBe(keeper)
      await next.text()
    }
  })

  test('an id whose host is gone is not taken elsewhere', async () => {
    const doubles = [await startDouble(), await startDouble()]
    const gateway = await gatewayBefore(doubles.map(({ url }, index) => ({ name: `host-${index}`, url })))
    const client = clientOf(gateway, { maxRetries: 0 })
    const { data, response } = await client.responses.create({ model, input: 'Hello' }).withResponse()
    const keeper = Number(response.headers.get('x-lmx-gateway-host')!.at(-1))
    await doubles[keeper]!.sigterm()
    for (const stream of [false, true]) {
      const next = client.responses.create({ model, input: 'And?', previous_response_id: data.id, stream })
      await expect(next).rejects.toMatchObject({ status: 503, code: 'no_upstream_available' })
    }
    expect(doubles[1 - keeper]!.inferenceRequests).toEqual([])
  })

  test('an id that nobody gave out: NotFoundError, and no host is asked', async () => {
    const { client, double } = await oneHost()
    const failure = client.responses.create({ model, input: 'And?', previous_response_id: 'resp-unknown' })
    await expect(failure).rejects.toBeInstanceOf(NotFoundError)
    await expect(failure).rejects.toMatchObject({ code: 'not_found', param: 'previous_response_id' })
    expect(double.inferenceRequests).toEqual([])
  })
})

describe('audio', () => {
  const sound = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 31) & 255))

  test('a transcription: the file intact, an alias replaced by the name on the host', async () => {
    const { client, double } = await oneHost(
      {},
      { host: { models: ['mlx/whisper-large'] }, models: { aliases: { 'whisper-1': 'mlx/whisper-large' } } },
    )
    const file = await toFile(sound, 'speech.wav', { type: 'audio/wav' })
    const answer = await client.audio.transcriptions.create({ file, model: 'whisper-1', language: 'de' })
    expect(answer.text).toBe('speech.wav has 70000 bytes')
    const parts = received(double)
    expect(parts.map(({ name }) => name).toSorted()).toEqual(['file', 'language', 'model'])
    expect(parts.find(({ name }) => name === 'model')!.data.toString()).toBe('mlx/whisper-large')
    expect(parts.find(({ name }) => name === 'file')!.data.equals(sound)).toBe(true)
  })

  test('a transcription as plain text', async () => {
    const { client } = await oneHost({}, { host: { models: ['whisper'] } })
    const file = await toFile(sound, 'speech.wav')
    const answer = await client.audio.transcriptions.create({ file, model: 'whisper', response_format: 'text' })
    expect(answer).toBe('speech.wav has 70000 bytes')
  })

  test('a form without a model: BadRequestError', async () => {
    const { client } = await oneHost()
    const form = new FormData()
    form.append('file', new Blob([sound]), 'speech.wav')
    const failure = client.post('/audio/transcriptions', { body: form })
    await expect(failure).rejects.toBeInstanceOf(BadRequestError)
    await expect(failure).rejects.toMatchObject({ param: 'model' })
  })

  test('speech: every byte as the host sent it', async () => {
    const { client, double } = await oneHost({}, { host: { models: ['tts'] } })
    const body = {
      model: 'tts',
      voice: 'alloy',
      input: 'A sentence to be said aloud.',
      response_format: 'wav' as const,
    }
    const answer = await client.audio.speech.create(body)
    const direct = await fetch(`${double.url}/v1/audio/speech`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    expect(answer.headers.get('content-type')).toBe('audio/wav')
    const bytes = Buffer.from(await answer.arrayBuffer())
    expect(bytes.length).toBeGreaterThan(8_000)
    expect(bytes.equals(Buffer.from(await direct.arrayBuffer()))).toBe(true)
  })

  test('a path that no host of this kind has: NotFoundError', async () => {
    const { client } = await oneHost({}, { host: { models: ['whisper'] } })
    const form = new FormData()
    form.append('model', 'whisper')
    form.append('file', new Blob([sound]), 'speech.wav')
    const failure = client.post('/audio/translations', { body: form })
    await expect(failure).rejects.toMatchObject({ status: 404, code: 'not_found' })
  })
})

describe('rerank', () => {
  test('by the general method of the client', async () => {
    const { client, gateway } = await oneHost({}, { host: { models: ['reranker'] } })
    const documents = ['bread and butter', 'the slot of a host', 'a slot']
    const body = { model: 'reranker', query: 'slot', documents, top_n: 2 }
    expect(await client.post('/rerank', { body })).toMatchObject({
      results: [
        { index: 2, document: { text: 'a slot' } },
        { index: 1, document: { text: 'the slot of a host' } },
      ],
    })
    expect(await gateway.sum('requests_total', { endpoint: 'rerank', status: '200', end: '--' })).toBe(1)
  })
})

describe('messages, for clients of Anthropic', () => {
  const post = (baseUrl: string, body: unknown, path = '/messages') =>
    fetch(`${baseUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': 'any', 'anthropic-version': '2023-06-01' },
      body: JSON.stringify(body),
    })
  const hello = { model, max_tokens: 3, messages: [{ role: 'user', content: 'Hello' }] }

  test('whole and streamed', async () => {
    const { gateway, double } = await oneHost()
    const whole = await post(gateway.baseUrl, hello)
    expect(await whole.json()).toMatchObject({
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'w0 w1 w2 ' }],
      usage: { output_tokens: 3 },
    })
    const streamed = await post(gateway.baseUrl, { ...hello, stream: true })
    const events = (await streamed.text()).split('\n\n').map((frame) => /^event: (.*)$/m.exec(frame)?.[1])
    expect(events.filter((name) => name === 'content_block_delta')).toHaveLength(3)
    expect([events[0], events.at(-2)]).toEqual(['message_start', 'message_stop'])
    expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(6)
    const [first] = double.inferenceRequests
    expect(first!.headers).toMatchObject({ 'anthropic-version': '2023-06-01' })
    expect(first!.headers).not.toHaveProperty('x-api-key')
  })

  test.each([
    ['an unknown model', { ...hello, model: 'claude' }, 404, 'not_found_error'],
    ['a body without a model', { messages: [] }, 400, 'invalid_request_error'],
    ['a name that leaves the local network', { ...hello, model: 'copilot/gpt-4o' }, 403, 'permission_error'],
  ])('%s: an error in their envelope', async (_what, body, status, type) => {
    const { gateway } = await oneHost()
    const response = await post(gateway.baseUrl, body)
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ type: 'error', error: { type, message: expect.any(String) as string } })
  })

  test('a stream that the host cuts before the first content still gets its true status', async () => {
    const { gateway, double } = await oneHost()
    double.faults.next({ cutAfterTokens: 0 })
    const response = await post(gateway.baseUrl, { ...hello, stream: true })
    expect(response.status).toBe(502)
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'api_error' } })
  })

  test('a stream that the host cuts later ends with an error event, and no HTTP client takes it for whole', async () => {
    const { gateway, double } = await oneHost()
    double.faults.next({ cutAfterTokens: 2 })
    const response = await post(gateway.baseUrl, { ...hello, stream: true })
    expect(response.status).toBe(200)
    let text = ''
    const read = async () => {
      for await (const bytes of response.body!) text += Buffer.from(bytes as Uint8Array).toString()
    }
    await expect(read()).rejects.toThrow()
    expect(text).toMatch(/event: error\ndata: \{"type":"error","error":\{"type":"api_error","message":"[^"]+"\}\}\n\n$/)
  })

  test('counting tokens, which no LMX host can', async () => {
    const { gateway } = await oneHost()
    const response = await post(gateway.baseUrl, hello, '/messages/count_tokens')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'not_found_error' } })
  })
})

function received(double: LmxDouble) {
  const [request] = double.inferenceRequests
  return formParts(request!.body, String(request!.headers['content-type']))!
}
