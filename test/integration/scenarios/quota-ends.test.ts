/** Whatever way a request ends, its place is given back, and its key has paid for what a host did for it and for nothing else. */
import { expect, test } from 'vitest'
import { halfClose, pause, peerLeaves, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import type { CreatedKey } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { answerOf, keyedBytes, remainingOf, soundAnswer, type Used, usedOnce } from './access-scene.ts'
import { contentFrame, done, finishFrame, model, type Scene, scenario } from './scene.ts'

const limits = { concurrentRequests: 1, requestsPerDay: 100, tokensPerDay: 100_000 }
const usageFrame = (input: number, output: number): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model, choices: [], usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } })}\n\n`
const roleFrame = contentFrame('').replace('"content"', '"role":"assistant","content"')

interface Way {
  readonly what: string
  readonly script: readonly ScriptStep[]
  readonly stream?: boolean
  /** The client leaves as soon as the head of its answer is there. */
  readonly leaves?: boolean
  readonly used: Partial<Used>
  /** Requests that count against the key: those that a host executed or refused. */
  readonly counts: boolean
}

const nothing = { requests: 1, failed: 1, input: 0, output: 0 }

const ways: readonly Way[] = [
  { what: 'a whole answer', script: answerOf(60, 100), used: { failed: 0, input: 60, output: 100 }, counts: true },
  {
    what: 'a whole stream',
    stream: true,
    script: [
      wholeRequest,
      sseHeadBytes(),
      chunkBytes(contentFrame('a') + finishFrame + usageFrame(60, 5) + done),
      finalChunk,
    ],
    used: { failed: 0, input: 60, output: 5 },
    counts: true,
  },
  {
    what: '400 of the host',
    script: [wholeRequest, jsonResponseBytes(400, { error: { message: 'no' } })],
    used: nothing,
    counts: true,
  },
  {
    what: '500 of the host',
    script: [wholeRequest, jsonResponseBytes(500, { error: { message: 'no' } })],
    used: nothing,
    counts: false,
  },
  { what: 'a connection that the host resets', script: [wholeRequest, reset], used: nothing, counts: false },
  { what: 'a connection that the host closes', script: [wholeRequest, halfClose], used: nothing, counts: false },
  { what: 'no HTTP', script: [wholeRequest, 'nonsense\r\n\r\n', halfClose], used: nothing, counts: false },
  {
    what: 'an answer of the wrong length',
    script: [
      wholeRequest,
      responseBytes(200, { 'content-type': 'application/json', 'content-length': '500' }, '{'),
      halfClose,
    ],
    used: nothing,
    counts: false,
  },
  {
    what: 'a stream that breaks in its third frame',
    stream: true,
    script: [
      wholeRequest,
      sseHeadBytes(),
      chunkBytes(contentFrame('a')),
      chunkBytes(contentFrame('b')),
      chunkBytes(contentFrame('c')),
      reset,
    ],
    used: { failed: 1, output: 3 },
    counts: true,
  },
  {
    what: 'a client that leaves in the middle of a stream',
    stream: true,
    script: [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('a')), peerLeaves],
    leaves: true,
    used: { failed: 1, output: 1 },
    counts: true,
  },
]

test.each(ways)(
  'after $what the place is free, and what counts is what was executed',
  ({ script, stream = false, leaves = false, used, counts }) => {
    const clock = new FakeClock()
    return scenario({ clock, slots: 1, newConnections: true }, async (scene) => {
      const { gateway } = scene
      const key = await gateway.createKey({ name: 'k', limits })
      scene.host().play(...script)
      const client = await scene.connect()
      await client.send(keyedBytes(key, { stream, max_tokens: 100 }))
      const answer = await (leaves ? client.response() : scene.answer(client))
      if (leaves) client.close()
      else await answer.over()
      await gateway.outcomesOnce(1)
      const row = await usedOnce(gateway, 1, { clock })
      expect(row).toMatchObject({ requests: 1, ...used })
      expect(100 - (await remainingOf(gateway, key, 'requestsPerDay')), 'requests that count').toBe(counts ? 1 : 0)
      expect(100_000 - (await remainingOf(gateway, key, 'tokensPerDay')), 'tokens that count').toBe(
        row.input + row.output,
      )
      await expectPlaceFree(scene, key)
      return { requests: 2, attempts: { a: 2 } }
    })
  },
)

async function expectPlaceFree(scene: Scene, key: CreatedKey): Promise<void> {
  scene.host().play(...soundAnswer)
  expect((await scene.ask(keyedBytes(key))).status).toBe(200)
}

test('X37: what a host refuses counts against limits of requests, so that it is not sent on without end', () =>
  scenario({}, async (scene) => {
    const { gateway } = scene
    const key = await gateway.createKey({ name: 'k', limits: { requestsPerMinute: 10, tokensPerMinute: 6_000 } })
    const before = await remainingOf(gateway, key, 'tokensPerMinute')
    scene.host().playAlways(wholeRequest, jsonResponseBytes(400, { error: { message: 'no' } }))
    const statuses: number[] = []
    for (let i = 0; i < 20; i++) statuses.push((await scene.ask(keyedBytes(key))).status)
    const refused = statuses.filter((status) => status === 400).length
    // Of ten at once; one more comes every six seconds.
    expect(refused).toBeGreaterThanOrEqual(10)
    expect(refused).toBeLessThan(15)
    expect(statuses.filter((status) => status === 429)).toHaveLength(20 - refused)
    expect(await remainingOf(gateway, key, 'tokensPerMinute')).toBe(before)
    return { requests: 20, attempts: { a: refused } }
  }))

test('a host that fails costs nothing: of minute, day and month there is as much as before', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    const names = [
      'requestsPerMinute',
      'tokensPerMinute',
      'inputTokensPerMinute',
      'outputTokensPerMinute',
      'requestsPerDay',
      'tokensPerDay',
      'requestsPerMonth',
      'tokensPerMonth',
    ]
    const key = await scene.gateway.createKey({
      name: 'k',
      limits: Object.fromEntries(names.map((name) => [name, 6_000])),
    })
    const left = () => Promise.all(names.map((name) => remainingOf(scene.gateway, key, name)))
    const before = await left()
    scene.host().play(wholeRequest, pause, jsonResponseBytes(500, { error: { message: 'no' } }))
    const asked = scene.ask(keyedBytes(key, { max_tokens: 100 }))
    const exchange = await scene.host().exchange()
    for (const [index, rest] of (await left()).entries()) expect(rest, names[index]).toBeLessThan(before[index]!)
    await exchange.step()
    expect((await asked).status).toBe(502)
    expect(await left()).toEqual(before)
    expect(await usedOnce(scene.gateway, 1, { clock })).toMatchObject(nothing)
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('C02: a client that leaves before the first token pays for the prompt that the host read, in its row and in its limits', () =>
  scenario({}, async (scene) => {
    const { gateway } = scene
    const key = await gateway.createKey({ name: 'k', limits })
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), peerLeaves)
    const request = keyedBytes(key, { stream: true })
    const client = await scene.connect()
    await client.send(request)
    const exchange = await scene.host().exchange()
    await exchange.request?.over()
    client.close()
    await exchange.peerLeft()
    const row = await usedOnce(gateway, 1)
    const bodyBytes = request.length - (request.indexOf('\r\n\r\n') + 4)
    expect(row).toMatchObject({ failed: 1, input: Math.ceil(bodyBytes / 4), output: 0 })
    expect(100_000 - (await remainingOf(gateway, key, 'tokensPerDay'))).toBe(row.input)
    await expectPlaceFree(scene, key)
    return { requests: 2, attempts: { a: 2 } }
  }))

test('C01: a client that leaves the line pays nothing, and gives its place back', () =>
  scenario({ slots: 1 }, async (scene) => {
    const { gateway } = scene
    const holder = await gateway.createKey({ name: 'holder' })
    const key = await gateway.createKey({ name: 'k', limits })
    scene.host().play(wholeRequest, pause, ...soundAnswer.slice(1))
    const held = scene.ask(keyedBytes(holder))
    const exchange = await scene.host().exchange()
    const client = await scene.connect()
    await client.send(keyedBytes(key))
    await gaugeReaches(gateway, 'queue_depth', 1)
    client.close()
    await gateway.outcomesOnce(1)
    expect(await usedOnce(gateway, 1, { key: 'k' })).toMatchObject(nothing)
    expect(await remainingOf(gateway, key, 'requestsPerDay')).toBe(100)
    await exchange.step()
    await held
    await expectPlaceFree(scene, key)
    return { requests: 3, attempts: { a: 2 } }
  }))

test('U13: a stream that stops behind its first frame has cost a prompt, which its row and its key have', () =>
  scenario({ config: { relay: { firstContentMsMax: 400 } } }, async (scene) => {
    const { gateway } = scene
    const key = await gateway.createKey({ name: 'k', limits })
    scene.host().play(wholeRequest, sseHeadBytes(), chunkBytes(roleFrame), peerLeaves)
    const answer = await scene.ask(keyedBytes(key, { stream: true }))
    expect(answer.status).toBe(504)
    const row = await usedOnce(gateway, 1)
    expect(row).toMatchObject({ failed: 1, output: 0 })
    expect(row.input).toBeGreaterThan(20)
    expect(100_000 - (await remainingOf(gateway, key, 'tokensPerDay'))).toBe(row.input)
    await expectPlaceFree(scene, key)
    return { requests: 2, attempts: { a: 2 } }
  }))
