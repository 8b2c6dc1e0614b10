/** A client that stops reading: its host is stopped too, memory stays bounded, and not a byte is lost when it reads on. */

import { setTimeout as pause } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, type Exchange } from '../kit/chaos-host.ts'
import { ask, gatewayBefore, gaugeReaches, model } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import { eventually } from '../kit/within.ts'

const mebibyte = 1_048_576
/** Four socket buffers lie between host and client, and a system lets each grow to some MiB: far less than this in all. */
const answerBytes = 64 * mebibyte
setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** What is not in the system's buffers is in ours. */
const bufferBytesMax = 8 * mebibyte

const content = `data: {"choices":[{"index":0,"delta":{"content":"${'x'.repeat(16_000)}"},"finish_reason":null}]}\n\n`
const finish = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
const done = 'data: [DONE]\n\n'
const frames = Math.ceil(answerBytes / content.length)

async function longStream() {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const frame = chunkBytes(content)
  const steps = Array.from({ length: frames }, () => frame)
  host.play(sseHeadBytes(), ...steps, chunkBytes(finish), chunkBytes(done), finalChunk)
  const gateway = await gatewayBefore([{ name: 'chaos', url: host.url, kind: 'openai' }])
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(jsonRequestBytes('/v1/chat/completions', { ...ask('A long one'), stream: true }))
  const response = await client.response()
  await response.has('xxx')
  client.socket.pause()
  const exchange = await host.exchange()
  return { host, gateway, client, response, exchange }
}

/** Resolves with the bytes the host could send, once half a second passes in which it can send none. */
async function stalled({ connection }: Exchange): Promise<number> {
  const endsAt = performance.now() + 15_000
  let seen = -1
  while (connection.socket.bytesWritten !== seen) {
    if (performance.now() > endsAt) throw new Error('waited 15000 ms in vain for the host to be stopped')
    seen = connection.socket.bytesWritten
    await pause(500)
  }
  return seen
}

test('the sender stalls, and when the client reads again every byte comes', async () => {
  const before = process.memoryUsage().arrayBuffers
  const { gateway, client, response, exchange } = await longStream()
  const sent = await stalled(exchange)
  expect(sent).toBeGreaterThan(content.length)
  expect(sent).toBeLessThan((answerBytes * 3) / 4)
  // What is used no more goes within a few collections, since the system frees it beside them.
  await eventually(5_000, 'buffers that are held to be few', () => {
    collectGarbage()
    return process.memoryUsage().arrayBuffers - before < bufferBytesMax
  })
  expect(exchange.done).toBe(false)
  expect(await gateway.sum('open_streams')).toBe(1)

  client.socket.resume()
  await response.over(20_000)
  expect(response.complete).toBe(true)
  const body = response.body
  expect(body.length).toBe(frames * content.length + finish.length + done.length)
  expect(body.equals(Buffer.from(content.repeat(frames) + finish + done))).toBe(true)
  expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 200, end: '--', tokensOut: frames })
  // It was seen to stand still for half a second.
  expect(await gateway.metric('stream_backpressure_seconds_total')).toBeGreaterThan(0.5)
})

test('one that never reads again and leaves frees its host', async () => {
  const { gateway, client, exchange } = await longStream()
  await stalled(exchange)
  client.resetAndDestroy()
  await exchange.peerLeft()
  expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CD' })
  await gaugeReaches(gateway, 'host_inflight', 0)
  expect(await gateway.metric('stream_backpressure_seconds_total')).toBeGreaterThan(0.5)
})

test('a slow reader does not slow the others', async () => {
  const { host, gateway, exchange } = await longStream()
  await stalled(exchange)
  host.play(sseHeadBytes(), chunkBytes(content), chunkBytes(finish), chunkBytes(done), finalChunk)
  const other = await RawClient.open(gateway.port)
  onTestFinished(() => other.close())
  await other.send(jsonRequestBytes('/v1/chat/completions', { ...ask('A short one'), stream: true }))
  const response = await other.response()
  await response.over()
  expect(response.text).toBe(content + finish + done)
})
