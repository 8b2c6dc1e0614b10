/** What a stream that waits is sent, byte by byte and to the millisecond: the gateway's clock is the test's. */
import OpenAI from 'openai'
import { describe, expect, test } from 'vitest'
import type { HeartbeatForm } from '../../src/wire/heartbeat.ts'
import { halfClose, pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { gaugeReaches } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { eventsIn } from '../kit/sse-streams.ts'
import { asked, at, comment, roleFrame, silent } from './heartbeat-scene.ts'
import { story } from './scenarios/first-host.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, model, scenario } from './scenarios/scene.ts'

const restOfStory: readonly ScriptStep[] = [chunkBytes(story), finalChunk]

test('off: status and headers wait for the first content, however long that takes', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    scene.host().play(...silent(...restOfStory))
    const client = await scene.connect()
    await client.send(asked)
    const exchange = await scene.host().exchange()
    await exchange.paused()
    await clock.advance(59_000)
    expect(client.received).toHaveLength(0)
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.over()
    expect([answer.complete, answer.text]).toEqual([true, story])
    expect(answer.header('x-lmx-gateway-host')).toBe('a')
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('comment: from headerHoldMs on, each heartbeatMs, until the first content and not longer', () => {
  const clock = new FakeClock()
  return scenario(at(clock, 'comment', { contentGapMsMax: 100_000 }), async (scene) => {
    const host = scene.host()
    host.play(
      wholeRequest,
      pause,
      sseHeadBytes(),
      chunkBytes(roleFrame),
      pause,
      chunkBytes(contentFrame('once')),
      pause,
    )
    const client = await scene.connect()
    await client.send(asked)
    const exchange = await host.exchange()
    await exchange.paused()
    await clock.advance(9_999)
    expect(client.received).toHaveLength(0)
    await clock.advance(1)
    const answer = await scene.answer(client)
    expect(answer.status).toBe(200)
    expect(answer.header('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(answer.header('cache-control')).toBe('no-cache')
    expect(answer.header('x-accel-buffering')).toBe('no')
    expect(answer.header('x-request-id')).toBeDefined()
    // Which host it will be is not known yet.
    expect(answer.header('x-lmx-gateway-host')).toBeUndefined()
    await answer.has(comment)
    await clock.advance(14_999)
    expect(answer.text).toBe(comment)
    await clock.advance(1)
    await answer.has(comment.repeat(2))
    // The role frame is no content: it waits, and the beats go on.
    await exchange.step()
    await exchange.paused()
    await clock.advance(15_000)
    await answer.has(comment.repeat(3))
    expect(answer.text).toBe(comment.repeat(3))
    await exchange.step()
    await answer.has(contentFrame('once'))
    await clock.advance(90_000)
    expect(answer.text).toBe(comment.repeat(3) + roleFrame + contentFrame('once'))
    client.close()
    await scene.gateway.outcomesOnce(1)
    await exchange.step()
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('comment: in the line as well, and none is owed when the answer is there', () => {
  const clock = new FakeClock()
  return scenario(at(clock, 'comment', {}, { slots: 1 }), async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, pause, jsonResponseBytes(200, JSON.parse(chatAnswer('first'))))
    host.play(...silent(chunkBytes(contentFrame('once') + finishFrame), pause, chunkBytes(done), finalChunk))
    const first = scene.ask(chatBytes())
    const holder = await host.exchange()
    const client = await scene.connect()
    await client.send(asked)
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await clock.advance(10_000)
    const answer = await scene.answer(client)
    await answer.has(comment)
    expect(await scene.gateway.sum('queue_depth')).toBe(1)
    await holder.step()
    expect((await first).status).toBe(200)
    const exchange = await host.exchange(1)
    await exchange.paused()
    await clock.advance(15_000)
    await answer.has(comment.repeat(2))
    await exchange.step()
    await answer.has(finishFrame)
    await clock.advance(4_000)
    await exchange.step()
    await answer.over()
    await clock.advance(60_000)
    expect([answer.complete, answer.text]).toEqual([
      true,
      comment.repeat(2) + contentFrame('once') + finishFrame + done,
    ])
    const [, line] = await scene.gateway.outcomesOnce(2)
    expect(line?.fields).toMatchObject({ status: 200, end: '--', queueMs: 10_000, ttftMs: 25_000 })
    return { requests: 2, attempts: { a: 2 } }
  })
})

describe('chunk: a frame that says nothing, in each dialect', () => {
  const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`
  const messages = [
    event('message_start', { message: { usage: { input_tokens: 3 } } }),
    event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'once' } }),
    event('message_stop', {}),
  ].join('')
  const responses = [
    event('response.output_text.delta', { delta: 'once' }),
    event('response.completed', { response: { id: 'resp_1' } }),
  ].join('')
  const completion = (text: string, reason: string | null) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, text, finish_reason: reason }] })}\n\n`
  const completions = completion('once', null) + completion('', 'stop') + done
  const wall = Math.floor(new FakeClock().wallMs() / 1000)
  const emptyChat = {
    id: 'chatcmpl-waiting',
    created: wall,
    model,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: {}, finish_reason: null }],
  }
  const emptyCompletion = {
    id: 'cmpl-waiting',
    created: wall,
    model,
    object: 'text_completion',
    choices: [{ index: 0, text: '', logprobs: null, finish_reason: null }],
  }
  const body = { model, stream: true }

  test.each<[string, object, string, readonly { event?: string; data: string }[]]>([
    ['/v1/chat/completions', { messages: [] }, story, [{ data: JSON.stringify(emptyChat) }]],
    ['/v1/completions', { prompt: 'x' }, completions, [{ data: JSON.stringify(emptyCompletion) }]],
    ['/v1/messages', { messages: [], max_tokens: 9 }, messages, [{ event: 'ping', data: '{"type":"ping"}' }]],
    // None of its events says nothing, so it gets the comment.
    ['/v1/responses', { input: 'x' }, responses, []],
  ])('%s', (path, fields, sent, beat) => {
    const clock = new FakeClock()
    return scenario(at(clock, 'chunk'), async (scene) => {
      scene.host().play(...silent(chunkBytes(sent), finalChunk))
      const client = await scene.connect()
      await client.send(jsonRequestBytes(path, { ...body, ...fields }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      // The clock of the first content runs on.
      await clock.advance(40_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status: 200, complete: true })
      expect(answer.text.endsWith(sent)).toBe(true)
      expect(answer.text).not.toMatch(/^id:/m)
      const events = eventsIn(answer.text).map(({ event: name, data }) => ({ ...(name && { event: name }), data }))
      const own = eventsIn(sent).map(({ event: name, data }) => ({ ...(name && { event: name }), data }))
      expect(events).toEqual([...beat, ...beat, ...beat, ...own])
      if (beat.length === 0) expect(answer.text).toBe(comment.repeat(3) + sent)
      const [line] = await scene.gateway.outcomesOnce(1)
      // A beat is no token and no first content.
      expect(line?.fields).toMatchObject({ status: 200, end: '--', ttftMs: 40_000 })
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})

describe('the client chooses', () => {
  test.each<[HeartbeatForm, string, RegExp]>([
    ['off', 'comment', /^: waiting\n/],
    ['off', 'chunk', /^data: \{"id":"chatcmpl-waiting"/],
    ['comment', 'chunk', /^data: \{"id":"chatcmpl-waiting"/],
    ['comment', 'off', /^data: \{"id":"chatcmpl-1"/],
  ])('configured %s, wished %s', (configured, wish, begins) => {
    const clock = new FakeClock()
    return scenario(at(clock, configured), async (scene) => {
      scene.host().play(...silent(...restOfStory))
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }, { 'x-lmx-gateway-heartbeat': wish }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      await clock.advance(10_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer.text).toMatch(begins)
      expect(exchange.request?.header('x-lmx-gateway-heartbeat')).toBeUndefined()
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test.each(['nonsense', 'Comment', '', 'comment, chunk'])('but not anything else: %j', (wish) =>
    scenario({ config: { relay: { heartbeat: 'comment' } } }, async (scene) => {
      for (const stream of [true, false]) {
        const answer = await scene.ask(chatBytes({ stream }, { 'x-lmx-gateway-heartbeat': wish }))
        expect([answer.status, errorOf(answer)]).toEqual([
          400,
          {
            message: 'The header x-lmx-gateway-heartbeat must be off, comment or chunk.',
            type: 'invalid_request_error',
            param: null,
            code: 'invalid_request',
          },
        ])
      }
      for (const { fields } of await scene.gateway.outcomesOnce(2)) expect(fields).toMatchObject({ end: 'GA' })
      return { requests: 2, attempts: {} }
    }),
  )

  test('but for a request without a stream there is none', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'comment'), async (scene) => {
      scene.host().play(wholeRequest, pause, jsonResponseBytes(429, { error: { message: 'Full.' } }))
      const client = await scene.connect()
      await client.send(chatBytes({}, { 'x-lmx-gateway-heartbeat': 'chunk' }))
      const exchange = await scene.host().exchange()
      await clock.advance(50_000)
      expect(client.received).toHaveLength(0)
      scene.host().play(wholeRequest, jsonResponseBytes(400, { error: { message: 'No.' } }))
      await exchange.step()
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(1_000)
      expect((await scene.answer(client)).status).toBe(400)
      return { requests: 1, attempts: { a: 2 } }
    })
  })
})

test.each(['comment', 'chunk'] as const)(
  'the OpenAI client reads such a stream to its end, and its errors: %s',
  (heartbeat) =>
    scenario({ config: { relay: { heartbeat, headerHoldMs: 20, heartbeatMs: 10 } } }, async (scene) => {
      scene.host().play(...silent(...restOfStory))
      scene.host().play(...silent(halfClose))
      const client = new OpenAI({ baseURL: scene.gateway.baseUrl, apiKey: 'none', maxRetries: 0 })
      const read = async (): Promise<[string, string | null]> => {
        // Resolved by the headers, which come with the first beat.
        const stream = await client.chat.completions.create({ model, messages: [], stream: true })
        await (await scene.host().exchange(scene.host().exchanges.length - 1)).step()
        let text = ''
        let finish: string | null = null
        for await (const { choices } of stream) {
          text += choices[0]?.delta.content ?? ''
          finish = choices[0]?.finish_reason ?? finish
        }
        return [text, finish]
      }
      expect(await read()).toEqual(['once upon', 'stop'])
      await expect(read()).rejects.toThrow(/closed the connection before its answer was complete/)
      return { requests: 2, attempts: { a: 2 } }
    }),
)
