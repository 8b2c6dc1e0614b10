/** A gateway short of memory: what it refuses at each stage, what goes on, and that it recovers. */
import { expect, onTestFinished, test } from 'vitest'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  errorOf,
  finishFrame,
  model,
} from '../integration/scenarios/scene.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, jsonResponseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { eventually } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const heapMebibytes = 256

async function connect(gateway: GatewayProcess): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  return client
}

async function ask(gateway: GatewayProcess, fields: Readonly<Record<string, unknown>> = {}): Promise<HttpMessage> {
  const client = await connect(gateway)
  await client.send(chatBytes(fields))
  const answer = await client.response()
  await answer.over()
  return answer
}

/** Fills the heap to this share of what may live in it, and waits until the gateway has noticed. */
async function heapAt(gateway: GatewayProcess, percent: number, stage: string): Promise<void> {
  const told = () => gateway.log.filter((line) => line['stage'] === stage).length
  const toldBefore = told()
  const wanted = (heapMebibytes * percent) / 100
  // What was garbage at the first look is not there at the next: it comes near to what is wanted in a few steps.
  for (let held = 0, step = 0; step < 6; step += 1) {
    const { usedMebibytes } = await gateway.trouble({ ask: 'hold', mebibytes: held })
    const missing = Math.round(wanted - usedMebibytes)
    if (missing === 0) break
    held = Math.max(0, held + missing)
  }
  await eventually(20_000, `stage ${stage}`, () => told() > toldBefore)
}

test('G20: tight at 85 % of the heap, shedding at 90 %, and back again; what runs and waits is not touched', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const beginning = contentFrame('once')
  const rest = finishFrame + done
  host.play(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole'))))
  await using gateway = await GatewayProcess.start(
    { hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 1 }] },
    { nodeArgs: [`--max-old-space-size=${heapMebibytes}`, '--expose-gc'] },
  )
  const client = await connect(gateway)
  await client.send(chatBytes({ stream: true }))
  const stream = await client.response()
  await stream.has('once')
  const waiter = await connect(gateway)
  await waiter.send(chatBytes())
  await gateway.sumReaches('queue_depth', 1)

  await heapAt(gateway, 87, 'tight')
  expect((await gateway.readiness()).status).toBe(200)
  const unqueued = await ask(gateway)
  expect(unqueued).toMatchObject({ status: 503, complete: true })
  expect(errorOf(unqueued)).toMatchObject({ code: 'overloaded', type: 'overloaded_error' })
  expect(unqueued.header('connection')).toBe('close')
  expect(unqueued.header('x-should-retry')).toBe('true')

  await heapAt(gateway, 93, 'shed')
  expect(await gateway.readiness()).toMatchObject({ status: 503, reason: 'the gateway is overloaded' })
  const unread = await connect(gateway)
  // Only the beginning of its body is sent.
  await unread.send(jsonRequestBytes('/v1/chat/completions', {}, { 'content-length': '1000000' }))
  const refusal = await unread.response()
  expect(refusal.status).toBe(503)
  expect(errorOf(refusal).code).toBe('overloaded')
  expect(refusal.header('connection')).toBe('close')

  await (await host.exchange()).step()
  await stream.over()
  expect(stream).toMatchObject({ complete: true, text: beginning + rest })
  const waited = await waiter.response()
  await waited.over()
  expect(waited).toMatchObject({ status: 200, text: chatAnswer('whole') })

  await heapAt(gateway, 20, 'none')
  expect((await gateway.readiness()).status).toBe(200)
  expect(await ask(gateway)).toMatchObject({ status: 200 })
  await gateway.expectAtRest(5)
  const ends = gateway.outcomes.map(({ end }) => String(end)).toSorted((a, b) => a.localeCompare(b))
  expect(ends).toEqual(['--', '--', '--', 'RA', 'RA'])
  await gateway.stop()
})

test('G20: so is a thread that is late all the time, though not one that was late once', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('whole'))))
  await using gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: host.url, kind: 'openai' }],
    overload: { shedLagForMs: 500 },
  })
  await gateway.trouble({ ask: 'block', ms: 1_000 })
  expect(await ask(gateway)).toMatchObject({ status: 200 })
  const stages = () => gateway.log.flatMap(({ stage }) => (stage === undefined ? [] : [stage]))
  expect(stages()).toEqual([])
  for (let time = 0; time < 60 && stages().length === 0; time += 1) await gateway.trouble({ ask: 'block', ms: 400 })
  expect(stages()).toEqual(['shed'])
  const refused = await ask(gateway)
  expect(errorOf(refused).code).toBe('overloaded')
  await eventually(20_000, 'the thread to be in time again', () => stages().length === 2)
  expect(await ask(gateway)).toMatchObject({ status: 200 })
  await gateway.expectAtRest(3)
})

const askers = isLong ? 400 : 32
const rounds = isLong ? 25 : 2

test('G20: a small heap under far more than it can serve: each request is answered or refused, and nothing dies', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('x'.repeat(200_000)).repeat(4)), done)
  await using gateway = await GatewayProcess.start(
    {
      hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 4 }],
      queue: { bytesMax: 8_000_000, waitMsMax: 2_000 },
      relay: { frameBytesMax: 100_000 },
    },
    { nodeArgs: ['--max-old-space-size=32'] },
  )
  const content = 'y'.repeat(200_000)
  const statuses = new Set<number>()
  const flood = async () => {
    for (let round = 0; round < rounds; round += 1) {
      const client = await RawClient.open(gateway.port)
      await client.send(chatBytes({ stream: true, messages: [{ role: 'user', content }] }))
      const answer = await client.response(30_000)
      await answer.over(30_000)
      statuses.add(answer.status)
      client.close()
    }
  }
  await Promise.all(Array.from({ length: askers }, flood))
  // The frames are over the limit, so what is not refused fails at the host.
  for (const status of statuses) expect([429, 502, 503]).toContain(status)
  await gateway.expectAtRest(askers * rounds)
  await gateway.stop()
}, 240_000)
