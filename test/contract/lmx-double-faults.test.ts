/** Every fault the LMX double can have, seen on the wire; and its routes beside chat. */
import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import type { FaultPlan } from '../kit/lmx-double/faults.ts'
import { faultMarker } from '../kit/lmx-double/faults.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { startLmxDouble } from '../kit/lmx-double/lmx-double.ts'
import type { LmxDoubleOptions } from '../kit/lmx-double/options.ts'
import { bodyOf, chunksOf, RawExchange, rawAnswer } from '../kit/lmx-double/raw-exchange.ts'

const model = 'org/stub-a'
const chat = '/v1/chat/completions'
const busy = 'Server is busy \\u2014 all inference slots occupied. Try again shortly.'
const opened: { stop: () => unknown }[] = []

afterEach(async () => {
  for (const thing of opened.splice(0).toReversed()) await thing.stop()
})

async function start(options: LmxDoubleOptions = {}): Promise<LmxDouble> {
  const double = await startLmxDouble({ models: [model], answerTokens: 6, ...options })
  opened.push(double)
  return double
}

function exchange(double: LmxDouble): RawExchange {
  const made = new RawExchange(double.port)
  opened.push({ stop: () => made.drop() })
  return made
}

const body = (content: string, more: object = {}) => ({ model, messages: [{ role: 'user', content }], ...more })
const contents = (answer: string) =>
  [...answer.matchAll(/"role": null, "content": "(.*?)", "tool_calls"/g)].map(([, text]) => text)

async function streamWith(double: LmxDouble, plan: FaultPlan): Promise<string> {
  double.faults.next(plan)
  return rawAnswer(double.port, { path: chat, body: body('Hello', { stream: true }) })
}

describe('in a stream', () => {
  test('an error after k tokens is text, and the stream ends as if well', async () => {
    const double = await start()
    const answer = await streamWith(double, { errorAfterTokens: 2, errorText: 'out of memory' })
    expect(contents(answer)).toEqual(['w0 ', 'w1 ', '\\n\\n[Error: Stream inference failed: out of memory]'])
    expect(answer).toMatch(/"finish_reason": "stop".*data: \[DONE\]\n\n\r\n0\r\n\r\n$/s)
    expect(double.requests[0]).toMatchObject({ endedBy: 'fault', tokens: 2, status: 200 })
  })

  test('the time limit after k tokens', async () => {
    const answer = await streamWith(await start(), { timeoutAfterTokens: 1 })
    expect(contents(answer)).toEqual(['w0 ', '\\n\\n[Error: Stream inference timed out after 300s]'])
  })

  test('the real time limit strikes a stalled answer', async () => {
    const clock = new FakeClock()
    const double = await start({ clock, inferenceTimeoutMs: 600_000 })
    double.faults.next({ stallAfterTokens: 1 })
    const stalled = exchange(double).send({ path: chat, body: body('Hello', { stream: true }) })
    await stalled.until((text) => text.includes('w0 '), 'the first token')
    await clock.advance(599_999)
    expect(double.running).toBe(1)
    await clock.advance(1)
    expect(contents(await stalled.answer())).toEqual(['w0 ', '\\n\\n[Error: Stream inference timed out after 600s]'])
  })

  test('a stall ends after its time', async () => {
    const clock = new FakeClock()
    const double = await start({ clock })
    double.faults.next({ stallBeforeContent: 5_000, stallAfterTokens: 2, stallMs: 7_000 })
    const stalled = exchange(double).send({ path: chat, body: body('Hello', { stream: true }) })
    await double.waitFor((now) => now.running === 1, 'the stream running')
    await clock.advance(4_999)
    expect(double.requests[0]?.tokens).toBe(0)
    await clock.advance(1)
    expect(double.requests[0]?.tokens).toBe(2)
    await clock.advance(6_999)
    expect(double.requests[0]?.tokens).toBe(2)
    await clock.advance(1)
    expect(contents(await stalled.answer())).toHaveLength(6)
  })

  test.each(['fin', 'reset'] as const)('a cut inside a transfer chunk, by %s', async (cut) => {
    const double = await start()
    double.faults.next({ cutAfterTokens: 2, cut })
    const cutOff = exchange(double)
    let error: NodeJS.ErrnoException | undefined
    cutOff.socket.on('error', (raised: NodeJS.ErrnoException) => {
      error = raised
    })
    cutOff.send({ path: chat, body: body('Hello', { stream: true }) })
    const text = await cutOff.until(() => cutOff.closed, 'the cut')
    const chunks = chunksOf(text.slice(text.indexOf('\r\n\r\n') + 4))
    expect(contents(text).slice(0, 2)).toEqual(['w0 ', 'w1 '])
    expect(chunks.at(-1)).not.toMatch(/\n\n$/)
    expect(error?.code).toBe(cut === 'reset' ? 'ECONNRESET' : undefined)
    expect(double.requests[0]?.endedBy).toBe('fault')
    expect(double.running).toBe(0)
  })

  test('a model that vanishes between check and start', async () => {
    const double = await start()
    const answer = await streamWith(double, { modelVanishes: true })
    expect(contents(answer)).toEqual([String.raw`\n\n[Error: \"Model 'org/stub-a' is not loaded\"]`])
    expect(double.models.ids).toEqual([])
  })

  test('text that only looks like an error', async () => {
    const double = await start()
    const middle = contents(await streamWith(double, { lookalike: 'middle' }))
    expect(middle.indexOf(`\\n\\n[Error: ${busy}]`)).toBe(3)
    expect(middle).toHaveLength(7)
    const last = contents(await streamWith(double, { lookalike: 'last' }))
    expect(last.at(-1)).toBe('\\n\\n[Error: this is how a log line may look]')
    expect(double.requests.map((entry) => entry.endedBy)).toEqual(['complete', 'complete'])
  })

  test('several tokens per chunk', async () => {
    expect(contents(await streamWith(await start(), { tokensPerChunk: 4 }))).toEqual(['w0 w1 w2 w3 ', 'w4 w5 '])
  })

  test('a character split across segments', async () => {
    const clock = new FakeClock()
    const double = await start({ clock, reply: () => ['Zürich '] })
    double.faults.next({ splitMultibyteMs: 5 })
    const split = exchange(double).send({ path: chat, body: body('Hello', { stream: true }) })
    await split.until(() => Buffer.concat(split.parts).at(-1) === 0xc3, 'the first byte of the ü')
    await clock.advance(5)
    expect(await split.answer()).toContain('"content": "Zürich "')
  })

  test('a client that does not read stops the engine', async () => {
    const double = await start({ reply: () => Array.from({ length: 2_000 }, () => 'x'.repeat(8_192)) })
    const slow = exchange(double)
    slow.socket.pause()
    slow.send({ path: chat, body: body('Hello', { stream: true }) })
    await double.waitFor((now) => (now.requests[0]?.tokens ?? 0) > 0, 'the first chunk')
    const produced = double.requests[0]!.tokens
    expect(produced).toBeLessThan(2_000)
    expect(double.running).toBe(1)
    slow.socket.resume()
    const atEnd = () => slow.parts.at(-1)?.toString().endsWith('\r\n0\r\n\r\n') === true
    await slow.until(atEnd, 'all the rest')
    expect(double.requests[0]?.tokens).toBe(2_000)
  })
})

describe('before an answer', () => {
  const status = async (double: LmxDouble, plan: FaultPlan, more: object = {}) => {
    double.faults.next(plan)
    return rawAnswer(double.port, { path: chat, body: body('Hello', more) })
  }

  test.each([{}, { stream: true }])('%j: the generic 500, the second 429, a dead process', async (more) => {
    const double = await start()
    expect(await status(double, { internalError: true }, more)).toMatch(
      /^HTTP\/1\.1 500 .*"code":"internal_error"\}\}$/s,
    )
    const limited = await status(double, { rateLimited: true }, more)
    expect(limited).toMatch(/^HTTP\/1\.1 429 .*\{"error":"Rate limit exceeded: [^"]+"\}$/s)
    expect(limited).not.toContain('retry-after')
    expect(await status(double, { emptyReply: true }, more)).toBe('')
    expect(double.requests.map((entry) => entry.endedBy)).toEqual(['fault', 'fault', 'fault'])
  })

  test('whole answers hide what failed', async () => {
    const double = await start()
    for (const plan of [{ errorAfterTokens: 1 }, { timeoutAfterTokens: 1 }, { modelVanishes: true }]) {
      expect(await status(double, plan)).toContain('"message":"Internal server error"')
    }
  })

  test('a blocked loop delays health as well', async () => {
    const clock = new FakeClock()
    const double = await start({ clock, faults: { delayAllMs: 2_000 } })
    const probe = exchange(double).send({ path: '/healthz' })
    await double.waitFor((now) => now.requests.length === 1, 'the probe')
    await clock.advance(1_999)
    expect(probe.text).toBe('')
    await clock.advance(1)
    expect(await probe.answer()).toMatch(/^HTTP\/1\.1 200 /)
  })

  test('faults by header, by marker, in turn, and standing; a heal ends them', async () => {
    const double = await start()
    const plan: FaultPlan = { rateLimited: true }
    const ask = (content = 'Hello', headers: Record<string, string> = {}) =>
      rawAnswer(double.port, { path: chat, headers, body: body(content) })
    expect(await ask('Hello', { 'x-fake-fault': JSON.stringify(plan) })).toMatch(/^HTTP\/1\.1 429 /)
    expect(await ask(`Hello ${faultMarker(plan)} again`)).toMatch(/^HTTP\/1\.1 429 /)
    double.faults.next(plan)
    expect(await ask()).toMatch(/^HTTP\/1\.1 429 /)
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /)
    double.faults.set(plan)
    expect(await ask()).toMatch(/^HTTP\/1\.1 429 /)
    double.faults.clear()
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 /)
    expect(await ask(faultMarker({ stal: 1 } as FaultPlan))).toContain('there is no fault named stal')
  })
})

describe('other answers', () => {
  test('echo gives the prompt back without its marker', async () => {
    const double = await start({ echo: true })
    const answer = await rawAnswer(double.port, { path: chat, body: body(`Grüße, tag-7 ${faultMarker({})}`) })
    expect(answer).toContain('"content":"Grüße, tag-7"')
  })

  test('streams escape what is not ASCII', async () => {
    const double = await start({ echo: true })
    const answer = await rawAnswer(double.port, { path: chat, body: body('Grüße 👋', { stream: true }) })
    expect(contents(answer)).toEqual(['Gr\\u00fc\\u00dfe ', '\\ud83d\\udc4b'])
  })

  test('embeddings and rerank', async () => {
    const double = await start()
    const embedded = await rawAnswer(double.port, {
      path: '/v1/embeddings',
      body: { model: 'e', input: ['one', 'two'] },
    })
    const parsed = JSON.parse(bodyOf(embedded)) as { data: { embedding: number[]; index: number }[] }
    expect(parsed).toMatchObject({ object: 'list', model: 'e', usage: { prompt_tokens: 1, total_tokens: 1 } })
    expect(parsed.data.map((item) => [item.index, item.embedding.length])).toEqual([
      [0, 8],
      [1, 8],
    ])
    const ranked = await rawAnswer(double.port, {
      path: '/v1/rerank',
      body: { model: 'r', query: 'red fox', documents: ['a blue whale', 'the red fox'], top_n: 1 },
    })
    expect(bodyOf(ranked)).toMatch(
      /^\{"results":\[\{"index":1,"relevance_score":0\.66\d+,"document":\{"text":"the red fox"\}\}\]/,
    )
  })

  test('audio goes in as a form and comes out as chunks', async () => {
    const double = await start({ requireKey: 'k' })
    const form = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--b--\r\n'
    const headers = { 'content-type': 'multipart/form-data; boundary=b' }
    const heard = await rawAnswer(double.port, { path: '/v1/audio/transcriptions', headers, body: form })
    expect(bodyOf(heard)).toBe('{"text":"a.wav has 4 bytes"}')
    const spoken = await rawAnswer(double.port, { path: '/v1/audio/speech', body: { input: 'Hello' } })
    expect(spoken).toMatch(/\r\ncontent-type: audio\/wav\r\n.*\r\ntransfer-encoding: chunked\r\n\r\n[0-9a-f]+\r\nRIFF/s)
  })

  test('models load and unload by request', async () => {
    const double = await start()
    const load = await rawAnswer(double.port, { path: '/admin/models/load', body: { model_id: 'org/b' } })
    expect(bodyOf(load)).toMatch(/^\{"success":true,"model_id":"org\/b"/)
    expect(double.models.ids).toEqual([model, 'org/b'])
    await rawAnswer(double.port, { path: '/admin/models/unload', body: { model_id: model } })
    expect(double.models.ids).toEqual(['org/b'])
  })
})
