/** Events of a stream that tell of an error, or that are no JSON. */
import * as fc from 'fast-check'
import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../../kit/http-bytes.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const words = 'The engine gave up on it.'

/** The shapes in which servers tell of an error inside of a stream. */
const errorFrames: readonly [string, string][] = [
  ['OpenAI’s envelope', `data: {"error":{"message":"${words}","type":"server_error","param":null,"code":null}}\n\n`],
  ['the envelope with a text', `data: {"error":"${words}"}\n\n`],
  ['vLLM’s object', `data: {"object":"error","message":"${words}","type":"InternalServerError","code":500}\n\n`],
  ['an event named error', `event: error\ndata: {"message":"${words}"}\n\n`],
  ['an event named error around the envelope', `event: error\ndata: {"error":{"message":"${words}"}}\n\n`],
]

test.each(errorFrames)('U32: an error as the first event has a true status: %s', (_shape, frame) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(frame + done), finalChunk)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 502, complete: true })
    expect(answer.header('content-type')).toContain('application/json')
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_bad_response', message: words })
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'UF', status: 502, tokensOut: 0 })
    expect(await scene.gateway.sum('host_errors_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each([
  ['OpenAI’s envelope', '{"error":{"message":"Not so.","code":400}}'],
  ['vLLM’s object', '{"object":"error","message":"Not so.","type":"BadRequestError","code":400}'],
])('U32: an error as the first event that names a status gets that one: %s', (_shape, data) =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(`data: ${data}\n\n`), finalChunk)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 400, complete: true })
    expect(errorOf(answer)).toMatchObject({ code: 'invalid_request', message: 'Not so.' })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

const five = ['once', ' upon', ' a', ' time', ' there'].map(contentFrame).join('')

test.each(errorFrames)('U32: an error behind five events is told once, as a failure: %s', (_shape, frame) =>
  scenario({}, async (scene) => {
    // The host ends as if all were well.
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(five + frame + done), finalChunk)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.text.split(words)).toHaveLength(2)
    expect(answer.text).not.toContain('[DONE]')
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_bad_response', message: words })
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'UD', tokensOut: 5 })
    expect(await scene.gateway.sum('host_errors_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U32: the OpenAI client throws what the host said', () =>
  scenario({}, async (scene) => {
    const [, [, frame] = ['', '']] = errorFrames
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(five + frame), finalChunk)
    const client = new OpenAI({ baseURL: scene.gateway.baseUrl, apiKey: 'none', maxRetries: 0 })
    const stream = await client.chat.completions.create({ model, messages: [], stream: true })
    let text = ''
    const reading = (async () => {
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
    })()
    await expect(reading).rejects.toThrow(words)
    expect(text).toBe('once upon a time there')
    return { requests: 1, attempts: { a: 1 } }
  }))

/** What a server writes that failed in the middle of a frame, and begins the next one all the same. */
const torn: readonly [string, string][] = [
  ['an object that does not end', 'data: {"id":"chatcmpl-1","choices":[{"index":0,"delta":{"con\n\n'],
  ['a text that does not end', 'data: {"choices":[{"index":0,"delta":{"content":"half a wo\n\n'],
  ['no object at all', 'data: Internal Server Error\n\n'],
  ['nothing but a word in quotes', 'data: "oops"\n\n'],
]

test.each(torn)('U26: one event that is no JSON goes out as it came, and the stream goes on: %s', (_what, frame) =>
  scenario({}, async (scene) => {
    const story = contentFrame('once') + frame + contentFrame(' upon') + finishFrame
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story + done), finalChunk)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 200, complete: true })
    expect(answer.text).toBe(story + done)
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', tokensOut: 2 })
    expect(await scene.gateway.metric('bad_frames_total', { host: 'a' })).toBe(1)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test.each(torn)('U26: the third in a row ends the stream: %s', (_what, frame) =>
  scenario({}, async (scene) => {
    // Two and a good one between do not.
    const told = contentFrame('once') + frame + frame + contentFrame(' upon') + frame + frame
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(told + frame + contentFrame(' a time')), pause)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(answer.text.startsWith(told)).toBe(true)
    expect(answer.text).not.toContain('a time')
    expect(errorOf(answer).code).toBe('upstream_bad_response')
    const exchange = await scene.host().exchange()
    await exchange.peerLeft()
    await exchange.step()
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'UD', tokensOut: 2 })
    return { requests: 1, attempts: { a: 1 } }
  }),
)

test('U26: three in a row before any content are 502', () =>
  scenario({}, async (scene) => {
    const [[, frame] = ['', '']] = torn
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(frame.repeat(3)), pause)
    const answer = await scene.ask(chatBytes({ stream: true }))
    expect(answer).toMatchObject({ status: 502, complete: true })
    expect(errorOf(answer).code).toBe('upstream_bad_response')
    await (await scene.host().exchange()).step()
    return { requests: 1, attempts: { a: 1 } }
  }))

/** One line of anything, on which a frame cannot end. */
const anyLine = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replace(/[\r\n\0]/g, ' '))
const runs = process.env['TEST_LONG'] === 'true' ? 1_000 : 60

test(`U26: whatever one event says, the stream around it arrives as it was sent (${runs} events)`, () =>
  scenario({}, async (scene) => {
    const client = await scene.connect()
    let requests = 0
    await fc.assert(
      fc.asyncProperty(anyLine, async (line) => {
        // What an error says, or an end, has tests of its own.
        fc.pre(!/error|\[DONE\]|finish_reason/.test(line))
        const story = `${contentFrame('once')}data: ${line}\n\n${contentFrame(' upon')}${finishFrame}`
        scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(story + done), finalChunk)
        const answer = await scene.ask(chatBytes({ stream: true }), client)
        requests += 1
        expect(answer.text).toBe(story + done)
        const outcome = (await scene.gateway.outcomesOnce(requests)).at(-1)
        expect(outcome?.fields).toMatchObject({ end: '--', tokensOut: 2 })
      }),
      { numRuns: runs },
    )
    return { requests, attempts: { a: requests } }
  }))
