/** What a client of a key with limits is told: how much is left, on every answer; and what does not fit, until when. */
import { describe, expect, test } from 'vitest'
import { pause, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import {
  chunkBytes,
  finalChunk,
  jsonRequestBytes,
  jsonResponseBytes,
  requestBytes,
  sseHeadBytes,
} from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { answerOf, keyedBytes, limitHeaderNames, limitHeadersOf, soundAnswer, usedOnce } from './access-scene.ts'
import { contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const minute = 60_000

interface Refusal {
  readonly what: string
  readonly limits: Readonly<Record<string, number>>
  /** Requests that fit before the one that does not. */
  readonly fit: number
  readonly says: RegExp
}

/** Of 100 tokens an answer may have; the prompt counts by its bytes, some 40 tokens. */
const refusals: readonly Refusal[] = [
  {
    what: 'requests',
    limits: { requestsPerMinute: 4 },
    fit: 4,
    says: /^The limit of key "k" is 4 requests per minute, which are used up/,
  },
  {
    what: 'tokens',
    limits: { tokensPerMinute: 1_000 },
    fit: 2,
    says: /^The limit of key "k" is 1000 tokens per minute, and this request needs \d+/,
  },
  {
    what: 'prompt tokens',
    limits: { inputTokensPerMinute: 240 },
    fit: 2,
    says: /is 240 prompt tokens per minute, and this request needs \d+/,
  },
  {
    what: 'generated tokens',
    limits: { outputTokensPerMinute: 600 },
    fit: 2,
    says: /is 600 generated tokens per minute, and this request needs 100/,
  },
]

const retryAfter = (answer: HttpMessage) => ({
  seconds: Number(answer.header('retry-after')),
  ms: Number(answer.header('retry-after-ms')),
})

test.each(refusals)(
  '429 for $what per minute says when this very request fits: not before, and then it does',
  ({ limits, fit, says }) => {
    const clock = new FakeClock()
    return scenario({ clock }, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits })
      scene.host().playAlways(...answerOf(60, 100))
      const ask = () => scene.ask(keyedBytes(key, { max_tokens: 100 }))
      for (let index = 0; index < fit; index += 1) expect((await ask()).status).toBe(200)
      let refused = 0
      const first = await ask()
      refused += 1
      expect(first.status).toBe(429)
      const error = errorOf(first)
      expect(error).toMatchObject({ code: 'rate_limit_exceeded', type: 'rate_limit_error', param: null })
      expect(error.message).toMatch(says)
      const told = retryAfter(first)
      expect(told.seconds).toBe(Math.max(1, Math.ceil(told.ms / 1_000)))
      expect(told.ms).toBeLessThan(60_000)
      expect(first.header('x-should-retry')).toBe('true')
      // A tenth is added by chance, so that those refused together do not come back together.
      await clock.advance(Math.floor(told.ms / 1.1) - 1)
      const early = await ask()
      refused += 1
      expect(early.status).toBe(429)
      const later = retryAfter(early)
      expect(later.ms).toBeLessThanOrEqual(Math.ceil(told.ms * 0.1) + 200)
      await clock.advance(later.ms)
      expect((await ask()).status).toBe(200)
      // Who was refused is in no row, and has used nothing.
      expect(await usedOnce(scene.gateway, fit + 1, { clock })).toMatchObject({ failed: 0 })
      return { requests: fit + 1 + refused, attempts: { a: fit + 1 } }
    })
  },
)

test('429 for requests at once says so, and to come back in a second; the place is free when the one before has ended', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    const key = await scene.gateway.createKey({ name: 'k', limits: { concurrentRequests: 1 } })
    scene.host().play(wholeRequest, pause, ...soundAnswer.slice(1))
    scene.host().playAlways(...soundAnswer)
    const running = scene.ask(keyedBytes(key))
    const exchange = await scene.host().exchange()
    const refused = await scene.ask(keyedBytes(key))
    expect(refused.status).toBe(429)
    expect(errorOf(refused)).toMatchObject({ code: 'concurrency_limit_exceeded', type: 'rate_limit_error' })
    expect(errorOf(refused).message).toBe('The limit of key "k" is 1 requests at once, and so many wait or run.')
    expect(retryAfter(refused).ms).toBeGreaterThanOrEqual(1_000)
    expect(retryAfter(refused).ms).toBeLessThanOrEqual(1_100)
    expect(refused.header('x-should-retry')).toBe('true')
    await exchange.step()
    expect((await running).status).toBe(200)
    expect((await scene.ask(keyedBytes(key))).status).toBe(200)
    return { requests: 3, attempts: { a: 2 } }
  })
})

/** The last day of a month, so that the month turns with it. */
const midnightUtc = Date.UTC(2026, 1, 1)
const midnightInBerlin = midnightUtc - 60 * minute

test.each([
  { limit: 'requestsPerDay', most: 1, timeZone: 'UTC', midnight: midnightUtc },
  { limit: 'tokensPerDay', most: 250, timeZone: 'UTC', midnight: midnightUtc },
  { limit: 'requestsPerMonth', most: 1, timeZone: 'UTC', midnight: midnightUtc },
  { limit: 'tokensPerMonth', most: 250, timeZone: 'Europe/Berlin', midnight: midnightInBerlin },
  { limit: 'requestsPerDay', most: 1, timeZone: 'Europe/Berlin', midnight: midnightInBerlin },
])(
  '429 for $limit is quota_exceeded until the calendar turns in $timeZone, and no client is told to try again by itself',
  ({ limit, most, timeZone, midnight }) => {
    const clock = new FakeClock(1_000, midnight - 10 * minute)
    return scenario({ clock, config: { limits: { timeZone } } }, async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits: { [limit]: most } })
      scene.host().playAlways(...answerOf(60, 100))
      const ask = () => scene.ask(keyedBytes(key, { max_tokens: 100 }))
      expect((await ask()).status).toBe(200)
      const refused = await ask()
      expect(refused.status).toBe(429)
      expect(errorOf(refused)).toMatchObject({ code: 'quota_exceeded', type: 'rate_limit_error' })
      const period = limit.endsWith('Day') ? 'day' : 'month'
      const leftS = Math.ceil((midnight - clock.wallMs()) / 1_000)
      expect(errorOf(refused).message).toMatch(
        new RegExp(`^The limit of key "k" is ${most} \\w+ per ${period}, .*It fits in ${leftS} s\\.$`),
      )
      expect(refused.header('x-should-retry')).toBe('false')
      const told = retryAfter(refused)
      expect(told.ms).toBeGreaterThanOrEqual(midnight - clock.wallMs())
      expect(told.ms).toBeLessThanOrEqual(midnight - clock.wallMs() + 5_000)
      await clock.advance(midnight - 1 - clock.wallMs())
      expect((await ask()).status).toBe(429)
      await clock.advance(1)
      expect((await ask()).status).toBe(200)
      return { requests: 4, attempts: { a: 2 } }
    })
  },
)

describe("OpenAI's six headers stand on every answer of a key with limits", () => {
  const limits = { requestsPerMinute: 6_000, tokensPerMinute: 600_000 }
  const full = {
    'x-ratelimit-limit-requests': '6000',
    'x-ratelimit-limit-tokens': '600000',
    'x-ratelimit-remaining-requests': '1500',
    'x-ratelimit-remaining-tokens': '150000',
    'x-ratelimit-reset-requests': '0s',
    'x-ratelimit-reset-tokens': '0s',
  }
  const clocked = () => ({ clock: new FakeClock() })

  test('a stream has them before its first byte, with what it took', () =>
    scenario(clocked(), async (scene) => {
      const key = await scene.gateway.createKey({ name: 'k', limits })
      scene
        .host()
        .play(
          wholeRequest,
          sseHeadBytes(),
          chunkBytes(contentFrame('a')),
          pause,
          chunkBytes(contentFrame('b') + finishFrame + done),
          finalChunk,
        )
      const client = await scene.connect()
      await client.send(keyedBytes(key, { stream: true, max_tokens: 100 }))
      const answer = await scene.answer(client)
      const taken = limitHeadersOf(answer)
      expect(Object.keys(taken).toSorted()).toEqual(limitHeaderNames.toSorted())
      expect(taken['x-ratelimit-remaining-requests']).toBe('1499')
      const tokensLeft = Number(taken['x-ratelimit-remaining-tokens'])
      expect(150_000 - tokensLeft).toBeGreaterThan(100)
      expect(150_000 - tokensLeft).toBeLessThan(200)
      expect(taken['x-ratelimit-reset-requests']).toBe('10ms')
      expect(taken['x-ratelimit-reset-tokens']).toMatch(/^\d+ms$/)
      await (await scene.host().exchange()).step()
      await answer.over()
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('whole answers, errors of hosts, and what is refused', () =>
    scenario({ ...clocked(), config: { relay: { bodyBytesMax: 2_000 } } }, async (scene) => {
      const key = await scene.gateway.createKey({
        name: 'k',
        limits: { ...limits, requestsPerDay: 4 },
        models: [model, 'gone'],
      })
      const bearer = { authorization: `Bearer ${key.key}` }
      const chat = (body: unknown) => jsonRequestBytes('/v1/chat/completions', body, bearer)
      scene.host().play(...soundAnswer)
      scene.host().play(wholeRequest, jsonResponseBytes(400, { error: { message: 'no' } }))
      scene.host().playAlways(wholeRequest, jsonResponseBytes(500, { error: { message: 'broken' } }))
      const answers: [number, HttpMessage][] = [
        [200, await scene.ask(keyedBytes(key))],
        [400, await scene.ask(keyedBytes(key))],
        [502, await scene.ask(keyedBytes(key))],
        [400, await scene.ask(chat({ messages: [] }))],
        [403, await scene.ask(chat({ model: 'other' }))],
        [404, await scene.ask(chat({ model: 'gone' }))],
        [413, await scene.ask(chat({ model, padding: 'x'.repeat(3_000) }))],
        [415, await scene.ask(requestBytes('POST', '/v1/chat/completions', bearer, '{}'))],
        [200, await scene.ask(requestBytes('GET', '/v1/models', bearer))],
        [200, await scene.ask(requestBytes('GET', `/v1/models/${model}`, bearer))],
        [404, await scene.ask(requestBytes('GET', '/v1/models/none', bearer))],
        [404, await scene.ask(requestBytes('GET', '/v1/nowhere', bearer))],
        [405, await scene.ask(requestBytes('GET', '/v1/chat/completions', bearer))],
      ]
      for (const [status, answer] of answers) {
        expect(answer.status, answer.text).toBe(status)
        expect(Object.keys(limitHeadersOf(answer)).toSorted(), `${status} ${answer.text}`).toEqual(
          limitHeaderNames.toSorted(),
        )
      }
      return { requests: 8, attempts: { a: 3 } }
    }))

  test('429 too, with nothing left; a 401 has none, nor has a key without limits', () =>
    scenario(clocked(), async (scene) => {
      const poor = await scene.gateway.createKey({ name: 'poor', limits: { requestsPerMinute: 1 } })
      const free = await scene.gateway.createKey({ name: 'free' })
      scene.host().playAlways(...soundAnswer)
      await scene.ask(keyedBytes(poor))
      const refused = await scene.ask(keyedBytes(poor))
      expect(refused.status).toBe(429)
      expect(limitHeadersOf(refused)).toMatchObject({
        'x-ratelimit-limit-requests': '1',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '1m0s',
      })
      expect(limitHeadersOf(await scene.ask(keyedBytes({ key: `${free.key}x` })))).toEqual({})
      const answer = await scene.ask(keyedBytes(free))
      expect([answer.status, limitHeadersOf(answer)]).toEqual([200, {}])
      return { requests: 4, attempts: { a: 2 } }
    }))

  test('the default limits stand for keys without their own, and for clients without a key by their address', () =>
    scenario({ ...clocked(), config: { limits: { default: limits } } }, async (scene) => {
      scene.host().playAlways(...soundAnswer)
      const nobody = await scene.ask(requestBytes('GET', '/v1/models'))
      expect(limitHeadersOf(nobody)).toEqual(full)
      const key = await scene.gateway.createKey({ name: 'k', limits: { requestsPerMinute: 60 } })
      expect(
        limitHeadersOf(await scene.ask(requestBytes('GET', '/v1/models', { authorization: `Bearer ${key.key}` }))),
      ).toEqual({
        ...full,
        'x-ratelimit-limit-requests': '60',
        'x-ratelimit-remaining-requests': '15',
      })
      return { requests: 0, attempts: {} }
    }))
})
