/** Requests that a host takes slowly, or answers before it has taken them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Exchange, pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { chatAnswer, chatBytes, contentFrame, done, errorOf, finishFrame, type Scene, scenario } from './scene.ts'

/** As large as a request may be, and more than the kernel takes on loopback for a reader that does not read. */
const largeBytes = 10_485_000
const large = { messages: [{ role: 'user', content: 'x'.repeat(largeBytes) }] }
/** A copy of the body would be more than this. */
const grownBytesMax = 8_388_608

test('U51: a host that does not read the request is left after the limit to send, and nothing is copied meanwhile', () =>
  scenario({ config: { relay: { sendMsMax: 500 } } }, async (scene) => {
    scene.host().play(pause)
    const { exchange, client } = await unread(scene, chatBytes(large))
    const before = process.memoryUsage().arrayBuffers
    let grownBytes = 0
    while (scene.gateway.outcomes().length === 0) {
      grownBytes = Math.max(grownBytes, process.memoryUsage().arrayBuffers - before)
      expect(await scene.gateway.sum('queue_bytes')).toBeLessThan(largeBytes + 4_096)
      await sleep(10)
    }
    expect(grownBytes).toBeLessThan(grownBytesMax)
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer).toMatchObject({ status: 504, complete: true })
    expect(errorOf(answer)).toMatchObject({ code: 'upstream_timeout', type: 'timeout_error' })
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields).toMatchObject({ status: 504, attempts: 1, tokensOut: 0 })
    expect(line?.fields['end']).toMatch(/^u[CH]$/)
    await readOn(exchange)
    expect(exchange.request?.complete).toBe(false)
    await exchange.step()
    return { requests: 1, attempts: { a: 1 } }
  }))

test('U51: a host that reads slowly, but in time, is waited for', () =>
  scenario({ config: { relay: { sendMsMax: 20_000 } } }, async (scene) => {
    scene.host().play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('at last'))))
    const { exchange, client } = await unread(scene, chatBytes(large))
    const { socket } = exchange.connection
    // A piece at a time, with rests between.
    while (exchange.request?.complete !== true) {
      socket.resume()
      await sleep(1)
      socket.pause()
      await sleep(1)
    }
    socket.resume()
    const answer = await scene.answer(client)
    await answer.over()
    expect([answer.status, answer.text]).toEqual([200, chatAnswer('at last')])
    return { requests: 1, attempts: { a: 1 } }
  }))

const story = contentFrame('once') + finishFrame

test.each([
  ['a refusal', jsonResponseBytes(413, { error: { message: 'Too long for me.' } }), 413, 'Too long for me.'],
  ['an answer', jsonResponseBytes(200, JSON.parse(chatAnswer('early'))), 200, 'early'],
  ['a stream', Buffer.concat([sseHeadBytes(), chunkBytes(story + done), Buffer.from(finalChunk)]), 200, 'once'],
])(
  'U52: %s before the request was taken is relayed, the rest is not sent, and the connection not used again',
  (_what, early, status, text) =>
    scenario({}, async (scene) => {
      const host = scene.host()
      host.play(pause, early, pause)
      host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('next'))))
      const { exchange, client } = await unread(scene, chatBytes(large))
      await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer).toMatchObject({ status, complete: true })
      expect(answer.text).toContain(text)
      expect((await scene.ask(chatBytes(), client)).text).toBe(chatAnswer('next'))
      expect(host.exchanges[1]?.connection).not.toBe(exchange.connection)
      await readOn(exchange)
      expect(exchange.request?.complete).toBe(false)
      await exchange.step()
      return { requests: 2, attempts: { a: 2 } }
    }),
)

/** Sends a large request to the gateway, before a host that reads its head and then no more. */
async function unread(scene: Scene, request: Buffer) {
  const client = await scene.connect()
  const sending = client.send(request)
  const exchange = await scene.host().exchange()
  exchange.connection.socket.pause()
  await sending
  return { exchange, client }
}

/** What the kernel still has for the host is read, so that the end of the connection is seen. */
function readOn(exchange: Exchange): Promise<unknown> {
  exchange.connection.socket.resume()
  return exchange.peerLeft()
}
