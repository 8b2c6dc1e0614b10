/** Errors that LMX writes into the text of its streams, replayed byte for byte, and texts that only look like them. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { halfClose, pause, peerLeaves, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, startDouble } from '../../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { spacedJson } from '../../kit/lmx-double/python-json.ts'
import { captureBody, eachByte } from '../../kit/sse-streams.ts'
import { firstOfEquals } from './first-host.ts'
import { chatBytes, errorOf, type Scene, type SceneOptions, scenario } from './scene.ts'

const model = 'org/stub-a'
const lmxHost: SceneOptions = {
  hosts: { a: [model] },
  host: { kind: 'lmx' },
  get: {
    '/healthz': { status: 'ok', version: '0.1.0' },
    '/.well-known/opta-lmx': { service: 'opta-lmx', in_flight_requests: 0 },
  },
}
const lmxHosts: SceneOptions = { ...lmxHost, hosts: { a: [model], b: [model] } }

/** The captured answer, as LMX sent it. */
const capture = (name: string): readonly ScriptStep[] => [
  wholeRequest,
  readFileSync(new URL(`../../fixtures/lmx/${name}.http`, import.meta.url)),
]
/** The same as far as its final chunk, for an answer that is given up: nothing but the gateway ends its connection. */
const failingCapture = (name: string): readonly ScriptStep[] => {
  const [, bytes] = capture(name)
  const end = '0\r\n\r\n'
  if (!Buffer.isBuffer(bytes) || !bytes.toString('latin1').endsWith(end)) throw new Error(`${name} is not chunked`)
  return [wholeRequest, bytes.subarray(0, -end.length), peerLeaves]
}
const frames = (...sent: readonly string[]): readonly ScriptStep[] => [
  wholeRequest,
  sseHeadBytes(),
  ...sent.map((frame) => chunkBytes(frame)),
  finalChunk,
]
const failing = (...sent: readonly string[]): readonly ScriptStep[] => [...frames(...sent).slice(0, -1), peerLeaves]
const asked = chatBytes({ model, stream: true })
const sound = captureBody('chat.stream').toString()

/** A frame as LMX writes it. */
function lmxFrame(content: string | null, finishReason: string | null = null, index = 0): string {
  const delta = { role: null, content, tool_calls: null }
  const choices = [{ index, delta, finish_reason: finishReason }]
  const chunk = { id: 'chatcmpl-x', object: 'chat.completion.chunk', created: 1, model, choices, usage: null }
  return `data: ${spacedJson(chunk)}\n\n`
}
const role = lmxFrame('').replace('"role": null', '"role": "assistant"')
const stop = lmxFrame(null, 'stop')
const done = 'data: [DONE]\n\n'
const busy = '\n\n[Error: Server is busy — all inference slots occupied. Try again shortly.]'
const failed = '\n\n[Error: Stream inference failed: mlx-lm stream error: stub exploded]'
const timedOut = '\n\n[Error: Stream inference timed out after 300s]'
const unloaded = `\n\n[Error: "Model '${model}' is not loaded"]`

async function expectServedByB(scene: Scene, reason: string): Promise<void> {
  const answer = await scene.ask(asked)
  expect([answer.status, answer.complete, answer.text]).toEqual([200, true, sound])
  expect(answer.header('x-lmx-gateway-host')).toBe('b')
  expect(answer.header('x-lmx-gateway-reason')).toBe(reason)
  expect(await scene.gateway.sum('host_circuit_open')).toBe(0)
}

describe('U33: busy, before any content', () => {
  test('U33: another host takes it, and the busy one gets nothing until its pause is over', () => {
    firstOfEquals()
    const clock = new FakeClock()
    return scenario({ ...lmxHosts, clock }, async (scene) => {
      scene.host('a').play(...failingCapture('chat.stream.busy'))
      scene.host('a').playAlways(...capture('chat.stream'))
      scene.host('b').playAlways(...capture('chat.stream'))
      await expectServedByB(scene, 'retry_refused')
      await clock.advance(999)
      await expectServedByB(scene, 'only_free_host')
      await clock.advance(1)
      expect((await scene.ask(asked)).header('x-lmx-gateway-host')).toBe('a')
      return { requests: 3, attempts: { a: 2, b: 2 } }
    })
  })

  test('U33: alone it waits in the line, and nothing of the refusal shows', () => {
    const clock = new FakeClock()
    return scenario({ ...lmxHost, clock }, async (scene) => {
      scene.host().play(...failingCapture('chat.stream.busy'))
      scene.host().play(...capture('chat.stream'))
      const answered = scene.ask(asked)
      await gaugeReaches(scene.gateway, 'host_errors_total', 1, { reason: 'upstream_busy' })
      await clock.advance(1_000)
      const answer = await answered
      expect([answer.status, answer.complete, answer.text]).toEqual([200, true, sound])
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ attempts: 2, end: '--' })
      return { requests: 1, attempts: { a: 2 } }
    })
  })

  test('U33: beyond its patience: 503 upstream_busy', () => {
    const clock = new FakeClock()
    return scenario({ ...lmxHost, clock, config: { queue: { waitMsMax: 600 } } }, async (scene) => {
      scene.host().play(...failingCapture('chat.stream.busy'))
      const answered = scene.ask(asked)
      await gaugeReaches(scene.gateway, 'host_errors_total', 1)
      await clock.advance(600)
      const answer = await answered
      expect([answer.status, errorOf(answer).code]).toEqual([503, 'upstream_busy'])
      // What is left of the host's pause, and up to a fifth of it more.
      expect(Number(answer.header('retry-after-ms'))).toBeGreaterThanOrEqual(400)
      expect(Number(answer.header('retry-after-ms'))).toBeLessThanOrEqual(480)
      expect(answer.text).not.toContain('[Error')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UQ')
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})

describe('U33: a failure before any content', () => {
  const failure = failing(role, lmxFrame(failed), stop, done)

  test('U33: one other host answers', () => {
    firstOfEquals()
    return scenario(lmxHosts, async (scene) => {
      scene.host('a').play(...failure)
      scene.host('b').play(...capture('chat.stream'))
      await expectServedByB(scene, 'retry_pre_token')
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test.each<[string, readonly ScriptStep[]]>([
    ['FIN', [wholeRequest, sseHeadBytes(), chunkBytes(role + lmxFrame(failed)), halfClose]],
    ['the final chunk', frames(role, lmxFrame(failed))],
    ['[DONE] and no finish', failing(role, lmxFrame(failed), done)],
    ['an error frame', failing(role, lmxFrame(failed), 'data: {"error":{"message":"CUDA"}}\n\n')],
  ])('U33: one that breaks off behind the error is no better, one other host answers: by %s', (_how, script) => {
    firstOfEquals()
    return scenario(lmxHosts, async (scene) => {
      scene.host('a').play(...script)
      scene.host('b').play(...capture('chat.stream'))
      await expectServedByB(scene, 'retry_pre_token')
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })

  test.each<[string, string, number, string, string]>([
    ['an engine that failed', failed, 502, 'upstream_bad_response', 'UF'],
    ['its time limit', timedOut, 504, 'upstream_timeout', 'uF'],
    ['a model that was unloaded', unloaded, 404, 'model_not_found', 'GF'],
  ])('U33: alone, %s has its true status', (_what, text, status, code, end) =>
    scenario(lmxHost, async (scene) => {
      scene.host().play(...failing(role, lmxFrame(text), stop, done))
      const answer = await scene.ask(asked)
      expect([answer.status, errorOf(answer).code]).toEqual([status, code])
      expect(answer.text).not.toContain('[Error')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end, attempts: 1, tokensOut: 0 })
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test('U33: a time-out is not repeated elsewhere', () => {
    firstOfEquals()
    return scenario(lmxHosts, async (scene) => {
      scene.host('a').play(...failing(role, lmxFrame(timedOut), stop, done))
      expect((await scene.ask(asked)).status).toBe(504)
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})

describe('U33: a failure after content', () => {
  test.each<[string, (body: Buffer) => readonly Buffer[]]>([
    ['in one read', (body) => [body]],
    ['byte by byte', eachByte],
  ])('U33: the captured one ends with an error frame in its place: %s', (_how, cut) =>
    scenario(lmxHost, async (scene) => {
      const body = captureBody('chat.stream.engine-failure')
      scene.host().play(wholeRequest, sseHeadBytes(), ...cut(body).map((bytes) => chunkBytes(bytes)), peerLeaves)
      const client = await scene.connect()
      const answer = await scene.ask(asked, client)
      expect(answer).toMatchObject({ status: 200, complete: false, cut: true })
      const relayed = body.toString().slice(0, body.indexOf('data:', body.indexOf('"w2 "')))
      const error = {
        message: 'Stream inference failed: mlx-lm stream error: stub exploded',
        type: 'upstream_error',
        param: null,
        code: 'upstream_bad_response',
      }
      expect(answer.text).toBe(`${relayed}data: ${JSON.stringify({ error })}\n\n`)
      expect(answer.text).not.toContain('[Error')
      expect(await client.closed()).toBe('fin')
      // The prompt was counted by LMX before it failed, what came of the answer by us.
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ end: 'UD', attempts: 1, tokensOut: 3 })
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test.each<[string, string, string]>([
    ['busy', busy, 'upstream_busy'],
    ['a time limit', timedOut, 'upstream_timeout'],
    ['a model that was unloaded', unloaded, 'model_not_found'],
  ])('U33: %s has its own code in the frame, and is not repeated', (_what, text, code) => {
    firstOfEquals()
    return scenario(lmxHosts, async (scene) => {
      const sent = [role, lmxFrame('w0 '), lmxFrame(text), stop, done]
      scene.host('a').play(...failing(...sent))
      const answer = await scene.ask(asked)
      expect(answer.text.startsWith(`${role}${lmxFrame('w0 ')}data: {"error"`)).toBe(true)
      expect(errorOf(answer).code).toBe(code)
      expect(answer.text).not.toContain('[Error')
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('U33: of two choices, the first one that fails ends the answer', () =>
    scenario(lmxHost, async (scene) => {
      const second = (content: string) => lmxFrame(content, null, 1)
      const sent = [
        role,
        lmxFrame('w0 '),
        lmxFrame(null, 'length'),
        second('w0 '),
        second(failed),
        lmxFrame(null, 'stop', 1),
        done,
      ]
      scene.host().play(...failing(...sent))
      const answer = await scene.ask(chatBytes({ model, stream: true, n: 2 }))
      expect(answer.text.startsWith(sent.slice(0, 4).join('') + 'data: {"error"')).toBe(true)
      expect(answer).toMatchObject({ cut: true })
      expect(answer.text).not.toContain('[Error')
      return { requests: 1, attempts: { a: 1 } }
    }))

  test.each([
    ['an empty last piece', ''],
    ['a suffix in the last piece', ' as asked'],
  ])('U33: completions, with %s', (_what, suffix) =>
    scenario(lmxHost, async (scene) => {
      const piece = (text: string, reason: string | null = null): string => {
        const choices = [{ text, index: 0, logprobs: null, finish_reason: reason }]
        return `data: ${spacedJson({ id: 'cmpl-x', object: 'text_completion', created: 1, model, choices })}\n\n`
      }
      const sent = [piece(''), piece('w0 '), piece(failed), piece(suffix, 'stop'), done]
      scene.host().play(...failing(...sent))
      const request = jsonRequestBytes('/v1/completions', { model, prompt: 'x', suffix, stream: true })
      const answer = await scene.ask(request)
      expect(answer.text.startsWith(`${piece('')}${piece('w0 ')}data: {"error"`)).toBe(true)
      expect(answer.text).not.toContain('[Error')
      return { requests: 1, attempts: { a: 1 } }
    }),
  )
})

describe('U33: text that only looks like an error', () => {
  const texts: readonly [string, readonly string[]][] = [
    ['the very words, and more behind them', [lmxFrame(busy), lmxFrame(' was what it said.'), stop]],
    ['the very words, twice', [lmxFrame(busy), lmxFrame(failed), lmxFrame('.'), stop]],
    ['other words as the last piece', [lmxFrame('w0 '), lmxFrame('\n\n[Error: x]'), stop]],
    ['the words inside of a piece', [lmxFrame(`It said: ${busy}`), stop]],
    ['no empty line before it', [lmxFrame('w0 '), lmxFrame(busy.trim()), stop]],
    ['something behind the bracket', [lmxFrame('w0 '), lmxFrame(`${busy}\n`), stop]],
    [
      'two choices in one frame',
      [
        lmxFrame('w0 ').replace(
          '}], "usage"',
          '}, {"index": 1, "delta": {"content": "w"}, "finish_reason": null}], "usage"',
        ),
        stop,
      ],
    ],
  ]

  test.each(texts)('U33: passes untouched: %s', (_what, pieces) =>
    scenario(lmxHost, async (scene) => {
      const sent = role + pieces.join('') + done
      scene.host().play(...frames(role, ...pieces, done))
      scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(sent), finalChunk)
      for (let i = 0; i < 2; i++)
        expect(await scene.ask(asked)).toMatchObject({ status: 200, complete: true, text: sent })
      return { requests: 2, attempts: { a: 2 } }
    }),
  )

  describe.each([
    ['streamed', true],
    ['put together', false],
  ])('U33: two choices that take turns, %s', (_how, stream) => {
    const words = ['zero', `${busy} is what it printed.`]
    const pieces = [lmxFrame('zero'), lmxFrame(busy, null, 1), stop, lmxFrame(' is what it printed.', null, 1)]
    const sent = [role, ...pieces, lmxFrame(null, 'stop', 1), done]
    const options: SceneOptions = { ...lmxHost, host: { kind: 'lmx', streamUpstream: !stream } }

    test('U33: the end of the other choice makes no error of it', () =>
      scenario(options, async (scene) => {
        scene.host().play(...frames(...sent))
        const answer = await scene.ask(chatBytes({ model, stream, n: 2 }))
        expect(answer).toMatchObject({ status: 200, complete: true })
        if (stream) expect(answer.text).toBe(sent.join(''))
        else {
          const { choices } = JSON.parse(answer.text) as { choices: readonly { message: { content: string } }[] }
          expect(choices.map(({ message }) => message.content)).toEqual(words)
        }
        return { requests: 1, attempts: { a: 1 } }
      }))
  })

  test('U33: it is held for the one frame behind it, and no longer', () =>
    scenario(lmxHost, async (scene) => {
      const steps = [role + lmxFrame('w0 ') + lmxFrame(busy), lmxFrame('.')].map((frame) => chunkBytes(frame))
      scene
        .host()
        .play(wholeRequest, sseHeadBytes(), steps[0]!, pause, steps[1]!, pause, chunkBytes(stop + done), finalChunk)
      const client = await scene.connect()
      await client.send(asked)
      const answer = await scene.answer(client)
      await answer.has(lmxFrame('w0 '))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      expect(answer.text).toBe(role + lmxFrame('w0 '))
      await exchange.step()
      await answer.has(lmxFrame(busy) + lmxFrame('.'))
      await exchange.step()
      await answer.over()
      expect(answer.complete).toBe(true)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('U33: other kinds of hosts do not write errors so: there it is text', () =>
    scenario({ hosts: { a: [model] } }, async (scene) => {
      const sent = [role, lmxFrame('w0 '), lmxFrame(failed), stop, done]
      scene.host().play(...frames(...sent))
      expect(await scene.ask(asked)).toMatchObject({ complete: true, text: sent.join('') })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test.each(['middle', 'last'] as const)(
    'U33: a sound answer of the double with such text in it (%s) reaches the client',
    async (lookalike) => {
      const double = await startDouble({ faults: { lookalike }, answerTokens: 4 })
      const gateway = await gatewayBefore([{ name: 'a', url: double.url, kind: 'lmx' }])
      const stream = await clientOf(gateway, { maxRetries: 0 }).chat.completions.create({
        ...ask('Hello'),
        stream: true,
      })
      let text = ''
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
      expect(text).toContain('[Error: ')
      expect((await gateway.outcomesOnce(1))[0]?.fields['end']).toBe('--')
    },
  )
})

describe('U33: answers that are not streamed have a status', () => {
  test('U33: busy is a 429, which waits as any other', () => {
    const clock = new FakeClock()
    return scenario({ ...lmxHost, clock }, async (scene) => {
      scene.host().play(...capture('chat.nonstream.busy'))
      scene.host().play(...capture('chat.nonstream'))
      const answered = scene.ask(chatBytes({ model }))
      await gaugeReaches(scene.gateway, 'host_errors_total', 1, { reason: 'upstream_busy' })
      await clock.advance(60_000)
      expect((await answered).status).toBe(200)
      return { requests: 1, attempts: { a: 2 } }
    })
  })

  test('U33: a failure is a 500, which is not repeated', () => {
    firstOfEquals()
    return scenario(lmxHosts, async (scene) => {
      scene.host('a').play(...capture('chat.nonstream.engine-failure'))
      const answer = await scene.ask(chatBytes({ model }))
      expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_bad_response'])
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})
