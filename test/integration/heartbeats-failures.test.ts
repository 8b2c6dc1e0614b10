/** What goes wrong after the headers of a waiting stream went out: told inside of it, or moved to another host unseen. */
import { describe, expect, test } from 'vitest'
import { halfClose, pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { gaugeReaches } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes } from '../kit/http-bytes.ts'
import { eventsIn } from '../kit/sse-streams.ts'
import { asked, at, comment, roleFrame, silent } from './heartbeat-scene.ts'
import { firstOfEquals, story, tellsStory } from './scenarios/first-host.ts'
import { chatAnswer, errorOf, model, scenario } from './scenarios/scene.ts'

describe('a failure once the headers are out', () => {
  test.each<[string, readonly ScriptStep[], string, string]>([
    ['a connection that breaks', [halfClose], 'upstream_disconnected', 'UF'],
    ['an end without content', [finalChunk], 'upstream_truncated', 'UF'],
    ['an error frame', [chunkBytes('data: {"error":{"message":"CUDA"}}\n\n')], 'upstream_bad_response', 'UF'],
  ])('%s is an error frame with the code it would have had', (_what, end, code, endCode) => {
    const clock = new FakeClock()
    return scenario(at(clock, 'comment'), async (scene) => {
      scene.host().play(...silent(...end))
      const client = await scene.connect()
      await client.send(asked)
      const exchange = await scene.host().exchange()
      await exchange.paused()
      await clock.advance(10_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
      expect(errorOf(answer).code).toBe(code)
      expect(answer.text).toBe(`${comment}data: ${JSON.stringify({ error: errorOf(answer) })}\n\n`)
      expect(await client.closed()).toBe('fin')
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ status: 200, end: endCode, error: code })
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('so is a refusal, and the end of patience in the line', () => {
    const clock = new FakeClock()
    const config = { queue: { waitMsMax: 12_000 } }
    return scenario(at(clock, 'comment', {}, { config, slots: 1 }), async (scene) => {
      scene.host().play(wholeRequest, pause, jsonResponseBytes(400, { error: { message: 'No such role.' } }))
      const refused = await scene.connect()
      await refused.send(asked)
      const exchange = await scene.host().exchange()
      const impatient = await scene.connect()
      await impatient.send(asked)
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(12_000)
      const late = await scene.answer(impatient)
      await late.over()
      expect(errorOf(late).code).toBe('queue_timeout')
      await exchange.step()
      const bad = await scene.answer(refused)
      await bad.over()
      expect(errorOf(bad)).toMatchObject({ code: 'invalid_request', message: 'No such role.' })
      const lines = await scene.gateway.outcomesOnce(2)
      expect(lines.map(({ fields }) => [fields['status'], fields['end']])).toEqual([
        [200, 'RQ'],
        [200, 'GH'],
      ])
      return { requests: 2, attempts: { a: 1 } }
    })
  })

  test('Anthropic is told in its own form', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'chunk'), async (scene) => {
      scene.host().play(...silent(halfClose))
      const client = await scene.connect()
      await client.send(jsonRequestBytes('/v1/messages', { model, messages: [], max_tokens: 9, stream: true }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      await clock.advance(10_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer.cut).toBe(true)
      expect(eventsIn(answer.text).map(({ event }) => event)).toEqual(['ping', 'error'])
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('another host may still answer', () => {
    firstOfEquals()
    const clock = new FakeClock()
    const hosts = { a: [model], b: [model] }
    return scenario(at(clock, 'comment', {}, { hosts }), async (scene) => {
      scene.host('a').play(...silent(chunkBytes(roleFrame), halfClose))
      scene.host('b').play(...tellsStory)
      const client = await scene.connect()
      await client.send(asked)
      const exchange = await scene.host('a').exchange()
      await exchange.paused()
      await clock.advance(25_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.complete, answer.text]).toEqual([true, comment.repeat(2) + story])
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ status: 200, end: '--', host: 'b', attempts: 2 })
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })
})

describe('a host that answers a stream with JSON', () => {
  const json = jsonResponseBytes(200, JSON.parse(chatAnswer('whole')))

  test('once the headers are out, it is an error frame', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'comment'), async (scene) => {
      scene.host().play(wholeRequest, pause, json)
      const client = await scene.connect()
      await client.send(asked)
      const exchange = await scene.host().exchange()
      await exchange.paused()
      await clock.advance(10_000)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status: 200, cut: true })
      expect(errorOf(answer).code).toBe('upstream_bad_response')
      expect(answer.text).not.toContain('whole')
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('when it had begun before, no beat gets into it', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'comment'), async (scene) => {
      scene.host().play(wholeRequest, json.subarray(0, -20), pause, json.subarray(-20))
      const client = await scene.connect()
      await client.send(asked)
      const exchange = await scene.host().exchange()
      await exchange.paused()
      // The gateway shares this event loop, and has read what the host sent before it answers this.
      for (let i = 0; i < 3; i++) await gaugeReaches(scene.gateway, 'host_inflight', 1)
      await clock.advance(30_000)
      expect(client.received).toHaveLength(0)
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.complete, answer.text]).toEqual([200, true, chatAnswer('whole')])
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})
