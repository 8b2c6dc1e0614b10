/** Answers of JSON that end in the middle as if they were whole, and refusals whose explanation never ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { halfClose, pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, responseBytes } from '../../kit/http-bytes.ts'
import { chatAnswer, chatBytes, errorOf, model, type SceneOptions, scenario } from './scene.ts'

const json = { 'content-type': 'application/json' }
const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const embeddings = jsonRequestBytes('/v1/embeddings', { model, input: 'x' })
const data = [0, 1].map((index) => ({
  object: 'embedding',
  index,
  note: `"}]}\\`,
  embedding: Array.from({ length: 300 }, (_, i) => i / 7),
}))
const whole = JSON.stringify({ object: 'list', data, model, usage: { prompt_tokens: 5, total_tokens: 5 } })
/** Held up to this, so that the answer above goes out as it comes. */
const small: SceneOptions = { config: { relay: { answerHoldBytesMax: 1_024 } } }

const framings: readonly [string, (body: string) => readonly ScriptStep[]][] = [
  ['the end of the connection', (body) => [wholeRequest, `${head}connection: close\r\n\r\n`, body, halfClose]],
  [
    'a final chunk',
    (body) => [wholeRequest, `${head}transfer-encoding: chunked\r\n\r\n`, chunkBytes(body), finalChunk],
  ],
  ['its announced length', (body) => [wholeRequest, responseBytes(200, json, body)]],
]
const cuts: readonly [string, string][] = [
  ['in a number', whole.slice(0, 3_000)],
  ['in a text that reads like its end', whole.slice(0, whole.lastIndexOf('"}]}') + 5)],
  ['behind a list', whole.slice(0, whole.lastIndexOf(',"model"'))],
  ['before its last bracket', whole.slice(0, -1)],
]

describe.each(framings)('over the bound of what is held, ended by %s', (_how, told) => {
  test.each(cuts)('half of it is cut off for the client, too: %s', (_where, half) =>
    scenario(small, async (scene) => {
      expect(half.length).toBeGreaterThan(1_024)
      scene.host().play(...told(half))
      const answer = await scene.ask(embeddings)
      expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
      expect(whole.startsWith(answer.text)).toBe(true)
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'UD', status: 200 })
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test('all of it is whole', () =>
    scenario(small, async (scene) => {
      scene.host().play(...told(whole))
      expect(await scene.ask(embeddings)).toMatchObject({ status: 200, complete: true, text: whole })
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', tokensIn: 5 })
      return { requests: 1, attempts: { a: 1 } }
    }))
})

describe.each(framings)('under the bound, ended by %s', (_how, told) => {
  test.each([
    ['in a text', chatAnswer('The answer is').slice(0, -160)],
    ['before its last bracket', chatAnswer('short').slice(0, -1)],
  ])('half of it is 502: %s', (_where, half) =>
    scenario({}, async (scene) => {
      scene.host().play(...told(half))
      const answer = await scene.ask(chatBytes())
      expect(answer.status).toBe(502)
      expect(errorOf(answer).code).toMatch(/^upstream_(?:bad_response|truncated)$/)
      return { requests: 1, attempts: { a: 1 } }
    }),
  )
})

test('a refusal whose explanation stalls is told without it after two seconds, and its slot is free', () => {
  const clock = new FakeClock()
  return scenario({ clock, slots: 1 }, async (scene) => {
    const refusal = 'HTTP/1.1 400 No\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"err'
    scene.host().play(wholeRequest, refusal, pause)
    const asked = scene.ask(chatBytes())
    const stalled = await scene.host().exchange()
    await stalled.paused()
    // The two seconds begin when the gateway has read the head, which shows nowhere.
    const answer = await whilePassing(clock, asked)
    expect([answer.status, errorOf(answer).code]).toEqual([400, 'invalid_request'])
    await gaugeReaches(scene.gateway, 'host_inflight', 0)
    await stalled.peerLeft()
    await stalled.step()
    return { requests: 1, attempts: { a: 1 } }
  })
})

/** Time passes, and the sockets get theirs, until it is there; not for longer than 20 times what it may take. */
async function whilePassing<T>(clock: FakeClock, awaited: Promise<T>): Promise<T> {
  const late: unique symbol = Symbol('late')
  for (let ms = 0; ms < 40_000; ms += 100) {
    await clock.advance(100)
    const seen = await Promise.race([awaited, sleep(5, late)])
    if (seen !== late) return seen
  }
  throw new Error('40 s of the clock passed in vain')
}
