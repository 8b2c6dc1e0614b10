/** Connections that hosts break, at each place of an answer: another host where nothing went out, an honest end where something did. */
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RelayedRequest } from '../../../src/relay/relayed-request.ts'
import { halfClose, pause, peerLeaves, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, requestBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { eventually } from '../../kit/within.ts'
import { firstOfEquals, says, story, tellsStory } from './first-host.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, model, type Scene, scenario } from './scene.ts'

const long = process.env['TEST_LONG'] === 'true'
const json = { 'content-type': 'application/json' }
const twoHosts = { a: [model], b: [model] }
const threeHosts = { ...twoHosts, c: [model] }
const roleFrame = contentFrame('').replace('"content"', '"role":"assistant","content"')
const answers: readonly ScriptStep[] = [wholeRequest, responseBytes(200, json, chatAnswer('from the other'))]

/** The moves that were told, as "phase result count". */
async function failovers({ gateway }: Scene): Promise<string[]> {
  const lines = (await gateway.metrics()).matchAll(/^lmx_gateway_failovers_total\{(.*)\} ([1-9]\d*)$/gm)
  return [...lines].map(([, labels = '', count]) => {
    const label = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(labels)?.[1]
    return `${label('phase')} ${label('result')} ${count}`
  })
}

async function expectMoved(scene: Scene): Promise<void> {
  const [line] = await scene.gateway.outcomesOnce(1)
  expect(line?.fields).toMatchObject({ status: 200, end: '--', host: 'b', attempts: 2 })
  expect(await failovers(scene)).toEqual(['pre_token ok 1'])
  expect(await scene.gateway.sum('host_errors_total', { host: 'a' })).toBe(1)
  expect(await scene.gateway.sum('host_errors_total', { host: 'b' })).toBe(0)
}

describe.each<[string, string, ScriptStep]>([
  ['U04', 'RST', reset],
  ['U05', 'FIN', halfClose],
])('%s: %s after the request was read, with no byte of an answer, on a fresh connection', (row, _how, end) => {
  test(`${row}: one other host answers, streamed`, () => {
    firstOfEquals()
    return scenario({ hosts: twoHosts, newConnections: true }, async (scene) => {
      scene.host('a').play(wholeRequest, end)
      scene.host('b').play(...tellsStory)
      const answer = await scene.ask(chatBytes({ stream: true }))
      expect(answer).toMatchObject({ status: 200, complete: true, text: story })
      expect(answer.header('x-lmx-gateway-host')).toBe('b')
      expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
      expect(answer.header('x-lmx-gateway-reason')).toBe('retry_pre_token')
      await expectMoved(scene)
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test(`${row}: one other host answers, whole, and gets the same bytes but for the name of the model`, () => {
    firstOfEquals()
    const aliases = { fast: { a: 'model-at-a', b: 'model-at-b' } }
    const hosts = { a: ['model-at-a'], b: ['model-at-b'] }
    return scenario({ hosts, newConnections: true, config: { models: { aliases } } }, async (scene) => {
      scene.host('a').play(wholeRequest, end)
      scene.host('b').play(...answers)
      const body =
        '{ "temperature":1e0,\r\n"messages":[{"role":"user","content":"\\u0066ast \u{1f980}"}],"model" : "fast", "x":"fast"}'
      const answer = await scene.ask(requestBytes('POST', '/v1/chat/completions', json, body))
      expect([answer.status, answer.text]).toEqual([200, chatAnswer('from the other')])
      for (const name of ['a', 'b']) {
        const { request } = await scene.host(name).exchange()
        expect(request?.text).toBe(body.replace('"model" : "fast"', `"model" : "model-at-${name}"`))
      }
      await expectMoved(scene)
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test.each([false, true])(`${row}: alone 502 (streamed: %s)`, (stream) =>
    scenario({ newConnections: true }, async (scene) => {
      scene.host().play(wholeRequest, end)
      const answer = await scene.ask(chatBytes({ stream }))
      expect(answer.status).toBe(502)
      expect(errorOf(answer)).toMatchObject({ code: 'upstream_disconnected', type: 'upstream_error' })
      expect(answer.header('x-should-retry')).toBe('true')
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ end: 'UH', attempts: 1, tokensOut: 0 })
      expect(await failovers(scene)).toEqual([])
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test(`${row}: there is one retry at the most, however many hosts there are`, () => {
    firstOfEquals()
    return scenario({ hosts: threeHosts, newConnections: true }, async (scene) => {
      for (const name of ['a', 'b', 'c']) scene.host(name).playAlways(wholeRequest, end)
      const answer = await scene.ask(chatBytes())
      expect(errorOf(answer).code).toBe('upstream_disconnected')
      expect(await failovers(scene)).toEqual(['pre_token failed 1'])
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test.each<[string, Buffer]>([
    ['/v1/responses', requestBytes('POST', '/v1/responses', json, JSON.stringify({ model, input: 'x' }))],
    ['/v1/audio/transcriptions', upload('/v1/audio/transcriptions')],
    ['/v1/audio/translations', upload('/v1/audio/translations')],
  ])(`${row}: what was sent to %s is never sent again`, (_path, request) => {
    firstOfEquals()
    return scenario({ hosts: twoHosts, newConnections: true }, async (scene) => {
      scene.host('a').play(wholeRequest, end)
      const answer = await scene.ask(request)
      expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_disconnected'])
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})

test('U04, U05: what a busy host did not take may go elsewhere, wherever it is sent', () => {
  firstOfEquals()
  return scenario({ hosts: twoHosts, newConnections: true }, async (scene) => {
    scene.host('a').play(...says(429, { error: { message: 'Full.' } }, { 'retry-after': '5' }))
    scene.host('b').play(...says(200, { id: 'resp_1', object: 'response' }))
    const request = requestBytes('POST', '/v1/responses', json, JSON.stringify({ model, input: 'x' }))
    expect((await scene.ask(request)).status).toBe(200)
    return { requests: 1, attempts: { a: 1, b: 1 } }
  })
})

function upload(path: string): Buffer {
  const part = (name: string, value: string) =>
    `--cut\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const body = `${part('model', model)}${part('file', 'RIFF')}--cut--\r\n`
  return requestBytes('POST', path, { 'content-type': 'multipart/form-data; boundary=cut' }, body)
}

/** A reset may overtake what was sent before it, so it waits until the gateway has read the headers. */
let headsSeen: () => Promise<void>
beforeEach(() => {
  const entered = vi.spyOn(RelayedRequest.prototype, 'enter')
  headsSeen = () => eventually(5_000, 'headers to be read', () => entered.mock.calls.some(([phase]) => phase === 'F'))
})
afterEach(() => {
  vi.restoreAllMocks()
})

const breaks: readonly [string, readonly ScriptStep[]][] = [
  ['RST', [pause, reset]],
  ['FIN', [halfClose]],
]

describe.each(breaks)('U07: headers and a role frame, then %s', (_how, steps) => {
  const broken: readonly ScriptStep[] = [wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), ...steps]

  async function stepped(scene: Scene, name: string): Promise<void> {
    if (!broken.includes(pause)) return
    const exchange = await scene.host(name).exchange()
    await exchange.paused()
    await headsSeen()
    await exchange.step()
  }

  test('U07: another host answers, and nothing of the first shows', () => {
    firstOfEquals()
    return scenario({ hosts: twoHosts }, async (scene) => {
      scene.host('a').play(...broken)
      scene.host('b').play(...tellsStory)
      const asked = scene.ask(chatBytes({ stream: true }))
      await stepped(scene, 'a')
      expect(await asked).toMatchObject({ status: 200, complete: true, text: story })
      await expectMoved(scene)
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test('U07: alone 502, and never a short 200', () =>
    scenario({}, async (scene) => {
      scene.host().play(...broken)
      const client = await scene.connect()
      const asked = scene.ask(chatBytes({ stream: true }), client)
      await stepped(scene, 'a')
      const answer = await asked
      expect(answer).toMatchObject({ status: 502, complete: true })
      expect(errorOf(answer).code).toBe('upstream_disconnected')
      expect(client.received.toString()).not.toContain('200 OK')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UF')
      return { requests: 1, attempts: { a: 1 } }
    }))
})

/** So many frames with content. */
const frames = (count: number): string =>
  Array.from({ length: count }, (_, index) => contentFrame(`w${index} `)).join('')
const counts = long ? Array.from({ length: 50 }, (_, index) => index + 1) : [1, 2, 3, 17, 50]
const cuts: { count: number; how: string; end: ScriptStep }[] = counts.flatMap((count) => [
  { count, how: 'RST', end: reset },
  { count, how: 'FIN', end: halfClose },
])

test.each(cuts)('U08: $how after $count frames: an error frame, no [DONE], no final chunk', ({ count, end }) => {
  firstOfEquals()
  return scenario({ hosts: twoHosts }, async (scene) => {
    scene.host('a').play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame + frames(count)), pause, end)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const answer = await scene.answer(client)
    await answer.has(frames(count))
    const exchange = await scene.host('a').exchange()
    await exchange.step()
    await answer.over()
    const { error } = { error: errorOf(answer) }
    expect(error).toMatchObject({ code: 'upstream_disconnected', type: 'upstream_error', param: null })
    // What came is all that the host sent, and the frame of ours.
    expect(answer.text).toBe(`${roleFrame}${frames(count)}data: ${JSON.stringify({ error })}\n\n`)
    // The frame had come before the connection closed, in good order and without the mark of a whole body.
    expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
    expect(await client.closed()).toBe('fin')
    expect(client.received.toString()).not.toContain('\r\n0\r\n')
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ end: 'UD', attempts: 1, tokensOut: count, usage: 'counted' })
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('U08: the OpenAI client gets what came, then the error', () =>
  scenario({}, async (scene) => {
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(frames(2)), halfClose)
    const client = new OpenAI({ baseURL: scene.gateway.baseUrl, apiKey: 'none', maxRetries: 0 })
    const stream = await client.chat.completions.create({ model, messages: [], stream: true })
    let text = ''
    const read = async (): Promise<void> => {
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
    }
    await expect(read()).rejects.toThrow(/closed the connection before its answer was complete/)
    expect(text).toBe('w0 w1 ')
    return { requests: 1, attempts: { a: 1 } }
  }))

const cleanEnds: readonly [string, string, ScriptStep][] = [
  ['the final chunk', '', finalChunk],
  ['[DONE] that was not earned', done, finalChunk],
  ['[DONE] that was not earned, and the rest is left to the gateway', done, peerLeaves],
]

describe.each(cleanEnds)('U09: an end in good order without a finish reason: %s', (_how, last, end) => {
  const ended = (sent: string): readonly ScriptStep[] => {
    const chunks = sent + last === '' ? [] : [chunkBytes(sent + last)]
    return [wholeRequest, sseHeadBytes(), ...chunks, end]
  }

  test.each([1, 2, 20])('U09: after %d frames: an error frame, never success', (count) =>
    scenario({}, async (scene) => {
      scene.host().play(...ended(frames(count)))
      const client = await scene.connect()
      const answer = await scene.ask(chatBytes({ stream: true }), client)
      expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
      expect(errorOf(answer)).toMatchObject({ code: 'upstream_truncated', type: 'upstream_error' })
      expect(answer.text.startsWith(`${frames(count)}data: {"error"`)).toBe(true)
      expect(answer.text).not.toContain('[DONE]')
      expect(await client.closed()).toBe('fin')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'UD', tokensOut: count })
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test.each(['', roleFrame])('U09: before any content another host answers (sent: %j)', (sent) => {
    firstOfEquals()
    return scenario({ hosts: twoHosts }, async (scene) => {
      scene.host('a').play(...ended(sent))
      scene.host('b').play(...tellsStory)
      expect(await scene.ask(chatBytes({ stream: true }))).toMatchObject({ status: 200, complete: true, text: story })
      await expectMoved(scene)
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test('U09: before any content, alone 502', () =>
    scenario({}, async (scene) => {
      scene.host().play(...ended(roleFrame))
      const answer = await scene.ask(chatBytes({ stream: true }))
      expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_truncated'])
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UF')
      return { requests: 1, attempts: { a: 1 } }
    }))
})
