/** The receipt of its speed that a client asks for: its figures to the millisecond, in every dialect, read past by every client. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { halfClose, pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { gaugeReaches } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { partsOf, type Spoken, text, usageFrame } from './clients/answers.ts'
import { streamReaders, wholeReaders } from './clients/readers.ts'
import { readingsOf, sse } from './clients/stage.ts'
import { firstOfEquals, story, tellsStory } from './scenarios/first-host.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  finishFrame,
  model,
  type Scene,
  scenario,
} from './scenarios/scene.ts'

const header = 'x-lmx-gateway-receipt'
const asking = { [header]: '1' }
const comment = /: lmx-gateway-receipt (\{.*\})\n\n/
const usageOf = (output: number) =>
  `data: {"choices":[],"usage":{"prompt_tokens":30,"completion_tokens":${output},"prompt_tokens_details":{"cached_tokens":12}}}\n\n`

/** What the receipt in a stream says. */
function told(stream: string): unknown {
  const receipt = comment.exec(stream)?.[1]
  if (receipt === undefined) throw new Error(`no receipt in ${stream}`)
  return JSON.parse(receipt)
}

const toldBy = (answer: HttpMessage): unknown => JSON.parse(answer.header(header) ?? 'null')

/** What was settled for the request is what its client was told. */
async function expectSettled({ gateway }: Scene, receipt: unknown): Promise<void> {
  const [line] = await gateway.outcomesOnce(1)
  const { tokensIn, tokensCached, tokensOut, usage, ttftMs, host, attempts } = line!.fields
  expect(receipt).toMatchObject({
    inputTokens: tokensIn,
    cachedInputTokens: tokensCached ?? 0,
    outputTokens: tokensOut,
    usage,
    ttftMs: ttftMs ?? null,
    host,
    attempts,
  })
}

test('a stream is told how it went, to the millisecond, behind a wait in the line and with usage the client did not ask for', () => {
  const clock = new FakeClock()
  return scenario({ clock, slots: 1 }, async (scene) => {
    const host = scene.host()
    const holds: readonly ScriptStep[] = [wholeRequest, sseHeadBytes(), pause, chunkBytes(story), finalChunk]
    host.play(...holds)
    const holder = await scene.connect()
    await holder.send(chatBytes({ stream: true }))
    const held = await host.exchange()
    await held.paused()
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }, asking))
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    const timed: readonly string[] = [contentFrame('once'), contentFrame(' upon'), finishFrame + usageOf(5) + done]
    host.play(
      wholeRequest,
      sseHeadBytes(),
      ...timed.flatMap((frames): ScriptStep[] => [pause, chunkBytes(frames)]),
      finalChunk,
    )
    await clock.advance(500)
    await held.step()
    await (await scene.answer(holder)).over()
    const exchange = await host.exchange(1)
    await exchange.paused()
    await clock.advance(300)
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.has('once')
    await exchange.paused()
    await clock.advance(100)
    await exchange.step()
    await answer.has('upon')
    await exchange.paused()
    await clock.advance(10)
    await exchange.step()
    await answer.over()
    // Of five tokens in two pieces half are behind the first: 100 ms for two and a half of them.
    const receipt = {
      queueMs: 500,
      ttftMs: 800,
      upstreamTtftMs: 300,
      inputTokens: 30,
      cachedInputTokens: 12,
      outputTokens: 5,
      tokensPerSecond: 25,
      timePerOutputTokenMs: 40,
      // Five in 910 ms, the wait included.
      endToEndTokensPerSecond: 5.49,
      durationMs: 910,
      usage: 'reported',
      host: 'a',
      attempts: 1,
    }
    expect(told(answer.text)).toEqual(receipt)
    const sent = `: lmx-gateway-receipt ${JSON.stringify(receipt)}\n\n`
    expect(answer.text).toBe(contentFrame('once') + contentFrame(' upon') + finishFrame + sent + done)
    const [, line] = await scene.gateway.outcomesOnce(2)
    expect(line?.fields).toMatchObject({ tokensIn: 30, tokensOut: 5, ttftMs: 800, tokensPerSecond: 25 })
    return { requests: 2, attempts: { a: 2 } }
  })
})

const requests: Readonly<Record<Spoken, readonly [path: string, body: object]>> = {
  chat: ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hello' }] }],
  completions: ['/v1/completions', { prompt: 'Hello' }],
  responses: ['/v1/responses', { input: 'Hello' }],
  messages: ['/v1/messages', { messages: [{ role: 'user', content: 'Hello' }], max_tokens: 9 }],
}
const dialects = Object.keys(requests) as Spoken[]

function bytesOf(dialect: Spoken, stream: boolean, headers: Readonly<Record<string, string>> = asking): Buffer {
  const [path, body] = requests[dialect]
  return jsonRequestBytes(path, { model, stream, ...body }, headers)
}

test.each(dialects)(
  '%s: before the last mark, with the tokens that were settled; all else is as the host sent it',
  (dialect) =>
    scenario({}, async (scene) => {
      const { opening, content, closing, last } = partsOf[dialect]
      scene.host().play(wholeRequest, ...sse(opening, content, closing, last), finalChunk)
      const answer = await scene.ask(bytesOf(dialect, true))
      expect(answer.complete).toBe(true)
      expect(answer.text.replace(comment, '')).toBe(opening + content + closing + last)
      expect(answer.text.indexOf(': lmx-gateway-receipt')).toBe((opening + content + closing).length)
      expect(answer.header(header)).toBeUndefined()
      const usage = dialect === 'chat' || dialect === 'completions' ? 'counted' : 'reported'
      expect(told(answer.text)).toMatchObject({ outputTokens: 2, usage })
      await expectSettled(scene, told(answer.text))
      return { requests: 1, attempts: { a: 1 } }
    }),
)

test.each(dialects)('%s: an answer that is no stream tells it in a header', (dialect) =>
  scenario({}, async (scene) => {
    const { whole } = partsOf[dialect]
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(whole)))
    const answer = await scene.ask(bytesOf(dialect, false))
    expect(answer.text).toBe(whole)
    const receipt = toldBy(answer)
    const untold = { ttftMs: null, upstreamTtftMs: null, timePerOutputTokenMs: null, tokensPerSecond: null }
    expect(receipt).toMatchObject({ inputTokens: 3, outputTokens: 2, usage: 'reported', ...untold })
    expect((receipt as { endToEndTokensPerSecond: number }).endToEndTokensPerSecond).toBeGreaterThan(0)
    await expectSettled(scene, receipt)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('one that was put together from a stream tells how fast that was', () => {
  const clock = new FakeClock()
  return scenario({ clock, host: { streamUpstream: true } }, async (scene) => {
    const host = scene.host()
    const [opening, rest] = [contentFrame('w0 '), contentFrame('w1 ') + finishFrame + usageOf(3) + done]
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(opening), pause, chunkBytes(rest), finalChunk)
    const client = await scene.connect()
    await client.send(chatBytes({}, asking))
    const exchange = await host.exchange()
    await exchange.paused()
    await gaugeReaches(scene.gateway, 'host_streams', 1, { phase: 'decode' })
    await clock.advance(80)
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer.header('x-lmx-gateway-assembled')).toBe('true')
    const receipt = toldBy(answer)
    expect(receipt).toMatchObject({
      outputTokens: 3,
      timePerOutputTokenMs: 53.333,
      tokensPerSecond: 18.75,
      durationMs: 80,
    })
    expect(receipt).toMatchObject({ endToEndTokensPerSecond: 37.5 })
    await expectSettled(scene, receipt)
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('an answer too large to be held tells what is known when it goes on', () =>
  scenario({ config: { relay: { answerHoldBytesMax: 1_024 } } }, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'.repeat(2_000)))))
    const answer = await scene.ask(chatBytes({}, asking))
    const { queueMs, host, attempts, ...others } = toldBy(answer) as Record<string, unknown>
    expect([queueMs, host, attempts]).toEqual([expect.any(Number), 'a', 1])
    expect(new Set(Object.values(others))).toEqual(new Set([null]))
    return { requests: 1, attempts: { a: 1 } }
  }))

test('an answer of another host tells of it and of both attempts', () => {
  firstOfEquals()
  return scenario({ hosts: { a: [model], b: [model] }, newConnections: true }, async (scene) => {
    scene.host('a').play(wholeRequest, halfClose)
    scene.host('b').play(...tellsStory)
    const answer = await scene.ask(chatBytes({ stream: true }, asking))
    expect(told(answer.text)).toMatchObject({ host: 'b', attempts: 2, usage: 'counted', outputTokens: 2 })
    await expectSettled(scene, told(answer.text))
    return { requests: 1, attempts: { a: 1, b: 1 } }
  })
})

test('a stream that breaks has none, nor has one whose client wants none, and no host is asked for one', () =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), halfClose)
    const broken = await scene.ask(chatBytes({ stream: true }, asking))
    expect(broken.cut).toBe(true)
    expect(broken.text).not.toMatch(/receipt/)
    host.play(...tellsStory)
    expect((await scene.ask(chatBytes({ stream: true }, { [header]: '0' }))).text).toBe(story)
    const passedOn = host.exchanges.map(({ request }) => request?.headers.map(([name]) => name.toLowerCase()) ?? [])
    for (const names of passedOn) {
      expect(names).toContain('x-request-id')
      expect(names).not.toContain(header)
    }
    return { requests: 2, attempts: { a: 2 } }
  }))

test('a page that is let may read it', () => {
  const origin = 'https://app.example.org'
  return scenario({ config: { server: { corsOrigins: [origin] } } }, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('x'))))
    const answer = await scene.ask(chatBytes({}, { ...asking, origin }))
    expect(answer.header('access-control-expose-headers')?.split(', ')).toContain(header)
    return { requests: 1, attempts: { a: 1 } }
  })
})

test.each([false, true])('a wish that nobody understands is refused before a host is asked, stream: %s', (stream) =>
  scenario({}, async (scene) => {
    const answer = await scene.ask(chatBytes({ stream }, { [header]: 'yes' }))
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text)).toMatchObject({
      error: { code: 'invalid_request', message: `The header ${header} must be 1 or 0.`, param: header },
    })
    return { requests: 1, attempts: {} }
  }),
)

/** Every request of a client library asks for a receipt; what was answered to each. */
function askedByAll() {
  const answers: { readonly headers: Headers; readonly body: Promise<string> }[] = []
  const plain = globalThis.fetch
  vi.stubGlobal('fetch', async (...asked: Parameters<typeof fetch>) => {
    const request = new Request(...asked)
    if (request.method !== 'POST') return plain(request)
    request.headers.set(header, '1')
    const response = await plain(request)
    answers.push({ headers: response.headers, body: response.clone().text() })
    return response
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return answers
}

test('every client library reads its stream past the receipt', async () => {
  const answers = askedByAll()
  const readings = await readingsOf({
    readers: streamReaders,
    script(dialect) {
      const { opening, content, closing, last } = partsOf[dialect]
      const usage = dialect === 'chat' ? usageFrame : ''
      return [...sse(opening, content, closing + usage, last), finalChunk]
    },
  })
  for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatchObject({ text })
  const bodies = await Promise.all(answers.map(({ body }) => body))
  expect(bodies).toHaveLength(streamReaders.length)
  for (const body of bodies) expect(told(body)).toMatchObject({ outputTokens: 2 })
})

test('and its whole answer under the header', async () => {
  const answers = askedByAll()
  const readings = await readingsOf({
    readers: wholeReaders,
    script: (dialect) => [jsonResponseBytes(200, JSON.parse(partsOf[dialect].whole))],
  })
  for (const [name, reading] of Object.entries(readings)) expect(reading, name).toMatchObject({ text })
  expect(answers).toHaveLength(wholeReaders.length)
  for (const { headers } of answers)
    expect(JSON.parse(headers.get(header) ?? 'null')).toMatchObject({ outputTokens: 2 })
})
