/** Whatever becomes of an answer at its host, the client is told the truth of it, and nothing is done twice. */

import { setTimeout as passing } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type ChaosHost, halfClose, pause, reset, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { configOf } from '../kit/config-of.ts'
import { DeafHost } from '../kit/deaf-host.ts'
import { ask, clientOf, gatewayBefore, model } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, responseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { frame } from '../kit/sse-streams.ts'
import { chatAnswer, chatBytes, done, errorOf, type Scene, scenario } from './scenarios/scene.ts'

const json = { 'content-type': 'application/json' }
const lastOutcome = async ({ gateway }: Scene) => (await gateway.outcomesOnce(1)).at(-1)!.fields

describe('sound that breaks off', () => {
  const speech = { model: 'm', input: 'Hello', voice: 'alloy' }

  test('asked for as a stream and counted: the client gets the bytes of the host alone, visibly short', () =>
    scenario({}, async (scene) => {
      const head = 'HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 100\r\n\r\n'
      scene.host().play(wholeRequest, head, 'ID3 half of it', pause, reset)
      const client = await scene.connect()
      await client.send(jsonRequestBytes('/v1/audio/speech', { ...speech, stream: true }))
      const answer = await scene.answer(client)
      await answer.has('ID3 half of it')
      await (await scene.host().exchange()).step()
      await answer.over()
      expect([answer.status, answer.header('content-length')]).toEqual([200, '100'])
      expect([answer.text, answer.cut]).toEqual(['ID3 half of it', true])
      expect(client.received.toString()).not.toMatch(/data:|error/)
      expect(await lastOutcome(scene)).toMatchObject({ status: 200, end: 'UD', error: 'upstream_disconnected' })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('in chunks, to a client of HTTP/1.0: a reset, since an orderly end would make it look whole', () =>
    scenario({}, async (scene) => {
      const head = 'HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ntransfer-encoding: chunked\r\n\r\n'
      scene.host().play(wholeRequest, head, chunkBytes('ID3 half of it'), pause, reset)
      const client = await scene.connect()
      const request = jsonRequestBytes('/v1/audio/speech', speech).toString().replace('HTTP/1.1', 'HTTP/1.0')
      await client.send(request)
      const answer = await client.response()
      await answer.has('ID3 half of it')
      await (await scene.host().exchange()).step()
      expect(await client.closed()).toBe('reset')
      expect(answer.text).toBe('ID3 half of it')
      expect(await lastOutcome(scene)).toMatchObject({ status: 200, end: 'UD' })
      return { requests: 1, attempts: { a: 1 } }
    }))
})

describe('JSON', () => {
  test('of which the end of the connection cut the half away is 502', () =>
    scenario({}, async (scene) => {
      const half = chatAnswer('Never whole').slice(0, 60)
      const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n'
      scene.host().play(wholeRequest, head + half, halfClose)
      const answer = await scene.ask(chatBytes())
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_truncated')
      expect(answer.text).not.toContain('Never')
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('that is a web page is 502, and the page stays here', () =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, responseBytes(200, { 'content-type': 'text/html' }, '<html>Log in</html>'))
      const answer = await scene.ask(chatBytes())
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      expect(answer.text).not.toContain('Log in')
      return { requests: 1, attempts: { a: 1 } }
    }))
})

describe('streams', () => {
  const choice = (index: number, delta: object, reason: string | null = null) =>
    frame({ choices: [{ index, delta, finish_reason: reason }] })
  const script = (...frames: readonly string[]): ScriptStep[] => [
    wholeRequest,
    sseHeadBytes(),
    ...frames.map(chunkBytes),
    finalChunk,
  ]

  test('a choice that began and did not finish before [DONE] makes it an error, without [DONE]', () =>
    scenario({}, async (scene) => {
      const sent = choice(0, { content: 'a' }) + choice(1, { content: 'b' }) + choice(0, {}, 'stop')
      scene.host().play(...script(sent, done))
      const answer = await scene.ask(chatBytes({ stream: true, n: 2 }))
      expect(answer.status).toBe(200)
      expect(answer.text.startsWith(sent)).toBe(true)
      expect(answer.text).not.toContain('[DONE]')
      expect(errorOf(answer).code).toBe('upstream_truncated')
      expect(await lastOutcome(scene)).toMatchObject({ end: 'UD', error: 'upstream_truncated' })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('a host that ignores n and finishes what it began is whole', () =>
    scenario({}, async (scene) => {
      const sent = choice(0, { content: 'a' }) + choice(0, {}, 'stop')
      scene.host().play(...script(sent, done))
      const answer = await scene.ask(chatBytes({ stream: true, n: 2 }))
      expect(answer.text).toBe(sent + done)
      return { requests: 1, attempts: { a: 1 } }
    }))

  const event = (type: string, fields: object) => `event: ${type}\n${frame({ type, ...fields })}`
  const created = event('response.created', { response: { id: 'resp_1', status: 'in_progress' } })
  const delta = event('response.output_text.delta', { delta: 'w' })
  const failed = event('response.failed', {
    response: { id: 'resp_1', status: 'failed', error: { code: 'server_error', message: 'Out of memory.' } },
  })
  const responsesBytes = jsonRequestBytes('/v1/responses', { model: 'm', input: 'Hello', stream: true })

  test('response.failed before any content is 502 with the words of the host', () =>
    scenario({}, async (scene) => {
      scene.host().play(...script(created, failed))
      const answer = await scene.ask(responsesBytes)
      expect(answer.status).toBe(502)
      expect(errorOf(answer)).toMatchObject({ code: 'upstream_bad_response', message: 'Out of memory.' })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('response.failed without a word of why is no less an error', () =>
    scenario({}, async (scene) => {
      scene.host().play(...script(created, event('response.failed', { response: { id: 'resp_1', status: 'failed' } })))
      const answer = await scene.ask(responsesBytes)
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('response.failed after content is an error frame behind it', () =>
    scenario({}, async (scene) => {
      scene.host().play(...script(created, delta, failed))
      const answer = await scene.ask(responsesBytes)
      expect(answer.status).toBe(200)
      expect(answer.text.startsWith(created + delta)).toBe(true)
      expect(errorOf(answer).message).toBe('Out of memory.')
      expect([answer.complete, answer.cut]).toEqual([false, true])
      expect(await lastOutcome(scene)).toMatchObject({ status: 200, end: 'UD' })
      return { requests: 1, attempts: { a: 1 } }
    }))
})

describe('a kept connection that closes without an answer', () => {
  /** The second request goes over the connection of the first. */
  async function second(scene: Scene, whenRead: (host: ChaosHost) => Promise<void>) {
    const host = scene.host()
    host.play(wholeRequest, responseBytes(200, json, chatAnswer('first')))
    host.play(wholeRequest, pause, halfClose)
    host.playAlways(wholeRequest, responseBytes(200, json, chatAnswer('again')))
    const client = await scene.connect()
    await scene.ask(chatBytes(), client)
    await client.send(chatBytes())
    const exchange = await host.exchange(1)
    expect(exchange.connection).toBe(host.exchanges[0]?.connection)
    await exchange.paused()
    await whenRead(host)
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.over()
    return answer
  }

  test('1.5 s after it read the request had begun to work: it is not asked again', () =>
    scenario({}, async (scene) => {
      const answer = await second(scene, () => passing(1_500))
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toBe('upstream_disconnected')
      return { requests: 2, attempts: { a: 2 } }
    }))

  test('at once had given it up: it is asked once more', () =>
    scenario({}, async (scene) => {
      const answer = await second(scene, async () => {})
      expect(answer.status).toBe(200)
      expect(answer.text).toContain('again')
      expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
      return { requests: 2, attempts: { a: 3 } }
    }))
})

test('a stored response that is too large to be held is still found at its host', () =>
  scenario({ hosts: { a: ['m'], b: ['m'] } }, async (scene) => {
    for (const name of ['a', 'b']) {
      const output = [{ type: 'message', content: [{ type: 'output_text', text: 'w'.repeat(300_000) }] }]
      const answer = JSON.stringify({ id: `resp_of_${name}`, object: 'response', status: 'completed', output })
      scene.host(name).playAlways(wholeRequest, responseBytes(200, json, answer))
    }
    const client = await scene.connect()
    const first = await scene.ask(jsonRequestBytes('/v1/responses', { model: 'm', input: 'Hello' }), client)
    const keeper = first.header('x-lmx-gateway-host') ?? ''
    const follow = { model: 'm', input: 'Go on', previous_response_id: `resp_of_${keeper}` }
    for (let time = 0; time < 6; time++) {
      const next = await scene.ask(jsonRequestBytes('/v1/responses', follow), client)
      expect([next.status, next.header('x-lmx-gateway-host')]).toEqual([200, keeper])
    }
    return { requests: 7, attempts: { [keeper]: 7 } }
  }))

test('a host that accepts no connection in time is 503, with a hint in both spellings', async () => {
  const deaf = await DeafHost.start()
  onTestFinished(() => deaf.close())
  const host = { name: 'deaf', url: deaf.url, kind: 'openai' as const, models: [model] }
  const gateway = await gatewayBefore([host], { probe: { everyMs: 600_000 }, relay: { connectMsMax: 200 } })
  await deaf.closeEars()
  const client = clientOf(gateway, { maxRetries: 0 })
  const refusal: unknown = await client.chat.completions.create(ask('Hello')).catch((error: unknown) => error)
  expect(refusal).toMatchObject({ status: 503, code: 'no_upstream_available' })
  const { headers } = refusal as { headers: Headers }
  const hintMs = Number(headers.get('retry-after-ms'))
  expect(hintMs).toBeGreaterThan(0)
  expect(headers.get('retry-after')).toBe(String(Math.ceil(hintMs / 1_000)))
  const [line] = await gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ end: 'uC', attempts: 1 })
})

describe('a key with which no host can be asked', () => {
  const withKey = (apiKey: string) => () => configOf({ hosts: [{ url: 'http://127.0.0.1:9', apiKey }] })

  test.each(['secret\n', 'sec\nret', 'sec ret', 'secr\u00e9t'])(
    '%j is refused by the configuration, unseen',
    (apiKey) => {
      expect(withKey(apiKey)).toThrow(/one word of plain letters/)
      expect(withKey(apiKey)).not.toThrow(apiKey.slice(0, 3))
    },
  )

  test('one word is taken', () => {
    expect(withKey('sk-LMX_1.2~3')().hosts[0]?.apiKey).toBe('sk-LMX_1.2~3')
  })
})
