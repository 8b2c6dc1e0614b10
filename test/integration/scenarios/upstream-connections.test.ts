/** Connections to hosts that are refused, or that close just as a request is written. */
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { halfClose, pause, reset, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, responseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, expectQuiet, finishFrame, scenario } from './scene.ts'

const twoHosts = { a: ['m'], b: ['m', 'only-b'] }

test('U01: a host that refuses the connection is passed over, and the other one answers', () =>
  scenario({ hosts: twoHosts }, async (scene) => {
    // One stream keeps b busy, so that a is the one with the fewest requests and is chosen first.
    scene
      .host('b')
      .play(sseHeadBytes(), chunkBytes(contentFrame('x')), pause, chunkBytes(finishFrame + done), finalChunk)
    scene.host('b').play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('from b'))))
    const busy = await scene.connect()
    await busy.send(chatBytes({ model: 'only-b', stream: true }))
    const stream = await scene.answer(busy)
    await scene.host('a').close()

    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(200)
    expect(answer.text).toContain('from b')
    expect(answer.header('x-lmx-gateway-host')).toBe('b')
    expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
    expect(await scene.gateway.metric('failovers_total', { model: 'm', phase: 'connect', result: 'ok' })).toBe(1)

    await (await scene.host('b').exchange()).step()
    await stream.over()
    return { requests: 2, attempts: { b: 2 } }
  }))

test('U01: when nobody else has the model, a refused connection is 503 and says when to try again', () =>
  scenario({}, async (scene) => {
    await scene.host().close()
    const refused = await within(1_000, 'the refusal', scene.ask(chatBytes()))
    expect(refused.status).toBe(503)
    expect(errorOf(refused)).toMatchObject({ code: 'no_upstream_available', type: 'overloaded_error' })
    expect(Number(refused.header('retry-after'))).toBeGreaterThan(0)
    expect(refused.header('x-should-retry')).toBe('true')
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ end: 'UC', attempts: 1, status: 503 })
    // From then on the host counts as down, and nobody has to meet the refusal again.
    const next = await within(1_000, 'the second refusal', scene.ask(chatBytes()))
    expect(next.status).toBe(503)
    expect((await scene.gateway.outcomesOnce(2))[1]?.fields).toMatchObject({ end: 'UQ', attempts: 0 })
    return { requests: 2, attempts: {} }
  }))

test.each([
  ['FIN', halfClose as ScriptStep],
  ['RST', reset as ScriptStep],
])('U06: a kept connection that ends with %s as the request is written is repeated once, unseen', (_how, close) =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, chatAnswer('first')))
    host.play(close)
    host.play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, chatAnswer('second')))
    const client = await scene.connect()
    expect((await scene.ask(chatBytes(), client)).text).toContain('first')
    const repeated = await scene.ask(chatBytes(), client)
    expect(repeated.status).toBe(200)
    expect(repeated.text).toContain('second')
    const [, second, third] = host.exchanges
    expect(second?.connection).toBe(host.exchanges[0]?.connection)
    expect(third?.connection).not.toBe(second?.connection)
    expect(await scene.gateway.metric('failovers_total', { model: 'm', phase: 'reused_socket', result: 'ok' })).toBe(1)
    return { requests: 2, attempts: { a: 3 } }
  }),
)

test('U06: a kept connection that ends after the first byte of an answer is not repeated', () =>
  scenario({}, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, responseBytes(200, { 'content-type': 'application/json' }, chatAnswer('first')))
    host.play(wholeRequest, 'HTTP/1.1 200 OK\r\ncontent-ty', halfClose)
    const client = await scene.connect()
    await scene.ask(chatBytes(), client)
    const broken = await scene.ask(chatBytes(), client)
    expect(broken.status).toBe(502)
    expect(errorOf(broken).code).toBe('upstream_disconnected')
    return { requests: 2, attempts: { a: 2 } }
  }))

test('U06: a connection that was never used before and ends without an answer is not repeated', () =>
  scenario({}, async (scene) => {
    const host = scene.host()
    // A stream holds the connection of the first probe, so the next request opens one of its own.
    host.play(sseHeadBytes(), chunkBytes(contentFrame('x')), pause, chunkBytes(finishFrame + done), finalChunk)
    host.play(wholeRequest, reset)
    const holder = await scene.connect()
    await holder.send(chatBytes({ stream: true }))
    const stream = await scene.answer(holder)
    const broken = await scene.ask(chatBytes())
    expect(broken.status).toBe(502)
    expect(errorOf(broken).code).toBe('upstream_disconnected')
    await (await host.exchange()).step()
    await stream.over()
    return { requests: 2, attempts: { a: 2 } }
  }))

/** In the full form a hundred of them meet a connection that is just being closed. */
const requests = process.env['TEST_LONG'] === 'true' ? 2_000 : 500

test(`U06: ${requests} requests in turn to a host that closes idle connections within 5 ms: each is answered, none runs twice`, async () => {
  const worker = new Worker(new URL('./hasty-host.ts', import.meta.url))
  try {
    const { port } = await message<{ port: number }>(worker, 'the host to listen')
    await using gateway = await startGateway({
      hosts: [{ name: 'hasty', url: `http://127.0.0.1:${port}`, kind: 'openai' }],
      probe: { everyMs: 600_000 },
    })
    const client = await RawClient.open(gateway.port)
    const wrong: string[] = []
    for (let index = 0; index < requests; index += 1) {
      await client.send(chatBytes({ user: `u${index}` }))
      const answer = await client.response()
      await answer.over()
      if (answer.status !== 200 || !answer.text.includes(`"u${index} "`)) wrong.push(`${index}: ${answer.text}`)
    }
    client.close()
    expect(wrong).toEqual([])
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    worker.postMessage('executed')
    const executed = await message<string[]>(worker, 'what the host executed')
    expect(executed).toEqual(Array.from({ length: requests }, (_, index) => `u${index}`))
    await expectQuiet(gateway, { requests })
  } finally {
    await worker.terminate()
  }
}, 120_000)

function message<T>(worker: Worker, what: string): Promise<T> {
  return within(
    5_000,
    what,
    new Promise<T>((resolve, reject) => {
      worker.once('message', resolve)
      worker.once('error', reject)
    }),
  )
}
