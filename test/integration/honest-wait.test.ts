/** What a client is told of its wait in the line, while it waits and when it is refused; the gateway's clock is the test's. */
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/base/errors.ts'
import { pause, wholeRequest } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { gaugeReaches } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { at, comment, silent } from './heartbeat-scene.ts'
import { story } from './scenarios/first-host.ts'
import { chatAnswer, chatBytes, errorOf, model, type Scene, type SceneOptions, scenario } from './scenarios/scene.ts'

const queueEvents = { 'x-lmx-gateway-queue-events': '1' }
const answered = jsonResponseBytes(200, JSON.parse(chatAnswer('first')))
const oneSlot: SceneOptions = { slots: 1 }

/** A request takes the only slot, and keeps it until the returned function is called. */
async function heldSlot(scene: Scene): Promise<() => Promise<void>> {
  const host = scene.host()
  const index = host.exchanges.length
  host.play(wholeRequest, pause, answered)
  const answer = scene.ask(chatBytes())
  const exchange = await host.exchange(index)
  await exchange.paused()
  return async () => {
    await exchange.step()
    expect((await answer).status).toBe(200)
  }
}

/** From now on the gateway knows how long a slot is held. */
async function learnHold(scene: Scene, clock: FakeClock, ms: number): Promise<void> {
  const end = await heldSlot(scene)
  await clock.advance(ms)
  await end()
  await gaugeReaches(scene.gateway, 'host_inflight', 0)
}

const told = (answer: HttpMessage) => {
  const [, json = ''] = /^: lmx-gateway (\{.*\})\n\n/.exec(answer.text) ?? []
  return (JSON.parse(json) as { queue: Record<string, unknown> }).queue
}

describe('a stream that asks for its place in the line', () => {
  test('gets it as a comment at each beat, byte by byte, and once it has a slot the plain beat', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'off', {}, oneSlot), async (scene) => {
      const end = await heldSlot(scene)
      scene.host().play(...silent(chunkBytes(story), finalChunk))
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }, queueEvents))
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(9_999)
      expect(client.received).toHaveLength(0)
      await clock.advance(1)
      const answer = await scene.answer(client)
      expect(answer.header('content-type')).toBe('text/event-stream; charset=utf-8')
      // No answer has ended yet, so nothing is known of how long one takes.
      const place =
        ': lmx-gateway {"queue":{"position":0,"ahead_in_key":0,"keys_waiting":1,"eta_seconds":null,"eta_p90_seconds":null,"class":"default","waits_for":"slot"}}\n\n'
      await answer.has(place)
      await clock.advance(15_000)
      await answer.has(place.repeat(2))
      await end()
      const exchange = await scene.host().exchange(1)
      await exchange.paused()
      await clock.advance(15_000)
      await answer.has(place.repeat(2) + comment)
      await exchange.step()
      await answer.over()
      expect([answer.complete, answer.text]).toEqual([true, place.repeat(2) + comment + story])
      return { requests: 2, attempts: { a: 2 } }
    })
  })

  test('is told who is before it, and how long that will take as far as it is known', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'off', {}, oneSlot), async (scene) => {
      await learnHold(scene, clock, 20_000)
      const end = await heldSlot(scene)
      const clients = [await scene.connect(), await scene.connect()]
      for (const [index, client] of clients.entries()) {
        await client.send(
          chatBytes({ stream: true }, { ...queueEvents, 'x-lmx-gateway-priority': index === 1 ? 'bulk' : 'default' }),
        )
        await gaugeReaches(scene.gateway, 'queue_depth', index + 1)
      }
      await clock.advance(10_000)
      const answers = [await scene.answer(clients[0]!), await scene.answer(clients[1]!)]
      for (const answer of answers) await answer.has('\n\n')
      const [first, second] = answers.map(told)
      expect(first).toMatchObject({ position: 0, ahead_in_key: 0, keys_waiting: 1, class: 'default' })
      expect(second).toMatchObject({ position: 1, ahead_in_key: 1, keys_waiting: 1, class: 'bulk' })
      for (const { eta_seconds: eta, eta_p90_seconds: p90 } of [first!, second!]) {
        expect(eta).toBeGreaterThan(0)
        expect(p90).toBeGreaterThan(Number(eta))
        // Tenths of seconds, and seconds they are: a slot is held for twenty.
        expect(Number(p90)).toBeLessThan(200)
        expect(String(eta)).toMatch(/^\d+(?:\.\d)?$/)
      }
      expect(Number(second?.['eta_seconds'])).toBeGreaterThan(Number(first?.['eta_seconds']))
      for (const client of clients) client.close()
      await gaugeReaches(scene.gateway, 'queue_depth', 0)
      await end()
      return { requests: 4, attempts: { a: 2 } }
    })
  })

  test('gets the frame that says nothing as well, where that is configured', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'chunk', {}, oneSlot), async (scene) => {
      const end = await heldSlot(scene)
      const client = await scene.connect()
      const fields = { model, stream: true, messages: [], max_tokens: 9 }
      await client.send(jsonRequestBytes('/v1/messages', fields, queueEvents))
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(10_000)
      const answer = await scene.answer(client)
      await answer.has('ping"}\n\n')
      expect(answer.text).toMatch(/^: lmx-gateway \{"queue":\{.*\}\}\n\nevent: ping\ndata: \{"type":"ping"\}\n\n$/)
      client.close()
      await gaugeReaches(scene.gateway, 'queue_depth', 0)
      await end()
      return { requests: 2, attempts: { a: 1 } }
    })
  })

  test('hears in a frame that its patience is over', () => {
    const clock = new FakeClock()
    return scenario(at(clock, 'off', {}, oneSlot), async (scene) => {
      const end = await heldSlot(scene)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }, queueEvents))
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(60_000)
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.complete, told(answer)['position'], errorOf(answer).code]).toEqual([false, 0, 'queue_timeout'])
      await end()
      return { requests: 2, attempts: { a: 1 } }
    })
  })

  test('asks with 1 and nothing else; what it asks the gateway no host hears', () =>
    scenario({}, async (scene) => {
      for (const wish of ['2', 'yes', '']) {
        const answer = await scene.ask(chatBytes({}, { 'x-lmx-gateway-queue-events': wish }))
        expect([answer.status, errorOf(answer)]).toEqual([
          400,
          {
            message: 'The header x-lmx-gateway-queue-events must be 1 or 0.',
            type: 'invalid_request_error',
            param: 'x-lmx-gateway-queue-events',
            code: 'invalid_request',
          },
        ])
      }
      scene.host().play(wholeRequest, answered)
      const own = { ...queueEvents, 'x-lmx-gateway-priority': 'bulk', 'x-lmx-gateway-of-a-later-version': '1' }
      expect((await scene.ask(chatBytes({}, own))).status).toBe(200)
      const { request } = await scene.host().exchange()
      expect(request?.headers.filter(([name]) => name.toLowerCase().startsWith('x-lmx-'))).toEqual([])
      return { requests: 4, attempts: { a: 1 } }
    }))
})

describe('a refusal by the line', () => {
  test.each<[ErrorCode, number, object, number]>([
    ['queue_full', 503, { lengthMax: 1 }, 1],
    ['concurrency_limit_exceeded', 429, { lengthMaxPerKey: 1 }, 1],
    ['queue_wait_too_long', 503, { waitMsMax: 1_000 }, 1],
    ['queue_timeout', 503, { waitMsMax: 59_000 }, 0],
  ])('%s tells the place and the wait that it would have been', (code, status, queue, ahead) => {
    const clock = new FakeClock()
    return scenario({ ...oneSlot, clock, config: { queue } }, async (scene) => {
      // Fewer answers are no ground to refuse anybody.
      for (let nth = 0; nth < 5; nth += 1) await learnHold(scene, clock, 20_000)
      const end = await heldSlot(scene)
      const before = await scene.connect()
      if (ahead > 0) await before.send(chatBytes())
      await gaugeReaches(scene.gateway, 'queue_depth', ahead)
      const client = await scene.connect()
      await client.send(chatBytes())
      if (code === 'queue_timeout') {
        await gaugeReaches(scene.gateway, 'queue_depth', 1)
        await clock.advance(59_000)
      }
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, errorOf(answer).code]).toEqual([status, code])
      expect(answer.header('x-lmx-gateway-queue-position')).toBe(String(ahead))
      expectWhole(answer.header('x-lmx-gateway-queue-wait-ms'))
      expectWhole(answer.header('x-lmx-gateway-queue-wait-p90-ms'))
      expect(Number(answer.header('x-lmx-gateway-queue-wait-p90-ms'))).toBeGreaterThan(
        Number(answer.header('x-lmx-gateway-queue-wait-ms')),
      )
      before.close()
      await gaugeReaches(scene.gateway, 'queue_depth', 0)
      await end()
      return { requests: 7 + ahead, attempts: { a: 6 } }
    })
  })

  test('tells the place alone where nothing is known of how long answers take', () => {
    const clock = new FakeClock()
    return scenario({ ...oneSlot, clock, config: { queue: { waitMsMax: 5_000 } } }, async (scene) => {
      const end = await heldSlot(scene)
      const client = await scene.connect()
      await client.send(chatBytes())
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await clock.advance(5_000)
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.header('x-lmx-gateway-queue-position')]).toEqual([503, '0'])
      expect(answer.headers.filter(([name]) => name.toLowerCase().includes('queue-wait'))).toEqual([])
      await end()
      return { requests: 2, attempts: { a: 1 } }
    })
  })

  test('that is none of the line tells nothing of it', () =>
    scenario({}, async (scene) => {
      const answer = await scene.ask(chatBytes({ model: 'none' }))
      expect(answer.status).toBe(404)
      expect(answer.headers.filter(([name]) => name.toLowerCase().includes('queue-'))).toEqual([])
      return { requests: 1, attempts: {} }
    }))
})

function expectWhole(figure: string | undefined): void {
  expect(figure).toMatch(/^[1-9]\d*$/)
}
