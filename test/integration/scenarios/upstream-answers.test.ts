/** Answers whose end does not come where it should: too early, too late, or without the mark of their dialect. */
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { halfClose, pause, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const json = { 'content-type': 'application/json' }
const story = contentFrame('once') + contentFrame(' upon') + finishFrame

test.each<[string, readonly ScriptStep[]]>([
  ['the final chunk', [finalChunk]],
  ['FIN', [halfClose]],
  ['RST', [reset]],
])('U10: an answer with its finish reason is whole without [DONE], which the gateway adds: end by %s', (_how, end) =>
  scenario({}, async (scene) => {
    // A pause, since a reset may overtake what was sent just before it.
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story), pause, ...end)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await answer.has(finishFrame)
    await (await scene.host().exchange()).step()
    await answer.over()
    expect(answer.text).toBe(story + done)
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ end: '--', tokensOut: 2, usage: 'counted' })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U10: the OpenAI client reads an answer without [DONE] to its end', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story), finalChunk)
    const client = new OpenAI({ baseURL: scene.gateway.baseUrl, apiKey: 'none', maxRetries: 0 })
    const stream = await client.chat.completions.create({ model, messages: [], stream: true })
    let text = ''
    let finish: string | null = null
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? ''
      finish = choices[0]?.finish_reason ?? finish
    }
    expect([text, finish]).toEqual(['once upon', 'stop'])
    return { requests: 1, attempts: { a: 1 } }
  }))

const stolen = responseBytes(200, json, chatAnswer('stolen'))

test.each<[string, readonly ScriptStep[]]>([
  ['junk at once', [Buffer.concat([responseBytes(200, json, chatAnswer('own')), Buffer.from('junk')])]],
  ['junk later', [responseBytes(200, json, chatAnswer('own')), pause, 'junk']],
  ['a second answer at once', [Buffer.concat([responseBytes(200, json, chatAnswer('own')), stolen])]],
  ['a second answer later', [responseBytes(200, json, chatAnswer('own')), pause, stolen]],
])('U19: what a host sends beyond its content-length goes to nobody: %s', (_what, script) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, ...script)
    host.play(wholeRequest, responseBytes(200, json, chatAnswer('next')))
    const client = await scene.connect()
    expect((await scene.ask(chatBytes(), client)).text).toBe(chatAnswer('own'))
    const first = await host.exchange()
    if (script.includes(pause)) await first.step()
    await first.peerLeft()
    expect((await scene.ask(chatBytes(), client)).text).toBe(chatAnswer('next'))
    expect(host.exchanges[1]?.connection).not.toBe(first.connection)
    return { requests: 2, attempts: { a: 2 } }
  }),
)

/** Announces ten bytes more than come. */
function shortAnswer(body: string, contentType: string, connection = 'keep-alive'): Buffer {
  const length = String(body.length + 10)
  return responseBytes(200, { 'content-type': contentType, 'content-length': length, connection }, body)
}

test.each<[string, string, string]>([
  ['a small answer', chatAnswer('short'), 'keep-alive'],
  ['a small answer on a connection that was to close', chatAnswer('short'), 'close'],
  ['an answer without a byte', '', 'keep-alive'],
])('U20: fewer bytes than announced, nothing sent to the client yet: 502 (%s)', (_what, body, connection) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, shortAnswer(body, 'application/json', connection), halfClose)
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(502)
    expect(errorOf(answer).code).toBe('upstream_disconnected')
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toMatch(/^U[FD]$/)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U20: fewer bytes than announced after the answer began: the client sees that it is short', () =>
  scenario({ config: { relay: { answerHoldBytesMax: 1_024 } } }, async (scene) => {
    const body = chatAnswer('x'.repeat(8_192))
    scene.host().playAlways(wholeRequest, shortAnswer(body, 'application/json'), halfClose)
    const client = await scene.connect()
    const answer = await scene.ask(chatBytes(), client)
    expect(answer.status).toBe(200)
    expect(answer.header('content-length')).toBe(String(body.length + 10))
    expect(answer).toMatchObject({ complete: false, cut: true })
    expect(body.startsWith(answer.text)).toBe(true)
    await client.closed()
    await expect(fetchedText(scene.gateway.baseUrl, {})).rejects.toThrow('terminated')
    for (const line of await scene.gateway.outcomesOnce(2))
      expect(line.fields).toMatchObject({ end: 'UD', status: 200 })
    return { requests: 2, attempts: { a: 2 } }
  }))

test('U20: a chunked answer that ends inside of a chunk is no better', () =>
  scenario({}, async (scene) => {
    const [head, chunk] = chunkedAnswer('application/json', chatAnswer('short'), {
      announced: { connection: 'close' },
      lines: '',
    })
    scene.host().play(wholeRequest, head!, chunk!.subarray(0, -10), halfClose)
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(502)
    expect(errorOf(answer).code).toBe('upstream_disconnected')
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U20: a stream shorter than announced ends with an error frame and without the final chunk', () =>
  scenario({}, async (scene) => {
    const frames = contentFrame('once') + contentFrame(' upon')
    scene.host().playAlways(wholeRequest, shortAnswer(frames, 'text/event-stream'), halfClose)
    const client = await scene.connect()
    const answer = await scene.ask(chatBytes({ stream: true }), client)
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.header('transfer-encoding')).toBe('chunked')
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_disconnected', type: 'upstream_error' })
    expect(await client.closed()).toBe('fin')
    await expect(fetchedText(scene.gateway.baseUrl, { stream: true })).rejects.toThrow('terminated')
    return { requests: 2, attempts: { a: 2 } }
  }))

/** By a client that knows nothing of SSE or of OpenAI. */
async function fetchedText(baseUrl: string, fields: Readonly<Record<string, unknown>>): Promise<string> {
  const response = await fetch(`${baseUrl}/chat/completions`, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ model, messages: [], ...fields }),
  })
  return within(5_000, 'the whole body', response.text())
}

interface Trailers {
  readonly announced?: Readonly<Record<string, string>>
  readonly lines: string
}

const trailersSeen: readonly [string, Trailers][] = [
  ['an announced one', { announced: { trailer: 'x-late' }, lines: 'x-late: 1\r\n' }],
  ['headers of ours', { lines: 'content-type: text/html\r\nset-cookie: a=b\r\nx-request-id: forged\r\n' }],
  ['a transfer-encoding', { lines: 'transfer-encoding: chunked\r\n' }],
]
const contentLength: Trailers = { lines: 'content-length: 3\r\n' }

test.each([...trailersSeen, ['a content-length', contentLength] as const])(
  'U23: trailers of a stream are dropped, and it ends: %s',
  (_what, trailers) =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, ...chunkedAnswer('text/event-stream', story + done, trailers))
      const client = await scene.connect()
      const stream = await scene.ask(chatBytes({ stream: true }), client)
      expect(stream.text).toBe(story + done)
      expect(client.received.toString()).toMatch(/\r\n0\r\n\r\n$/)
      expectNoTrailers(stream)
      return { requests: 1, attempts: { a: 1 } }
    }),
)

test.each(trailersSeen)('U23: trailers of an answer that is not streamed are dropped: %s', (_what, trailers) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, ...chunkedAnswer('application/json', chatAnswer('whole'), trailers))
    const answer = await scene.ask(chatBytes())
    expect(answer.text).toBe(chatAnswer('whole'))
    expectNoTrailers(answer)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U23: a content-length after an answer that is not streamed is refused by the HTTP client library', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, ...chunkedAnswer('application/json', chatAnswer('whole'), contentLength))
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(502)
    expect(errorOf(answer).code).toBe('upstream_protocol_error')
    return { requests: 1, attempts: { a: 1 } }
  }))

function chunkedAnswer(contentType: string, body: string, { announced = {}, lines }: Trailers): Buffer[] {
  const head = sseHeadBytes({ ...announced, 'content-type': contentType })
  return [head, chunkBytes(body), Buffer.from(`0\r\n${lines}\r\n`)]
}

function expectNoTrailers(answer: HttpMessage): void {
  for (const name of ['x-late', 'trailer', 'set-cookie']) expect(answer.header(name), name).toBeUndefined()
  expect(answer.header('x-request-id')).not.toBe('forged')
}
