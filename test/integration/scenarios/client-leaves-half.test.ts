/** Clients that end their sending side and read on: taken for clients that leave, or answered, as the operator says. */
import { describe, expect, test } from 'vitest'
import { pause, wholeRequest } from '../../kit/chaos-host.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, requestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { within } from '../../kit/within.ts'
import { chatAnswer, chatBytes, contentFrame, done, finishFrame, type Scene, scenario } from './scene.ts'

const frames = [contentFrame('one '), contentFrame('two '), finishFrame + done] as const
const sent = frames.join('')
const answered = { config: { server: { halfClose: 'answered' as const } } }

/** A stream that stands still before each of its frames. */
function playHaltingStream(scene: Scene): void {
  const steps = frames.flatMap((frame) => [pause, chunkBytes(frame)] as const)
  scene.host().play(wholeRequest, sseHeadBytes(), ...steps, finalChunk)
}

/** Resolves once that many wait in line. */
async function inLine(scene: Scene, count: number): Promise<void> {
  let depth = -1
  const look = async () => {
    while (depth !== count) depth = await scene.gateway.sum('queue_depth')
  }
  await within(5_000, `${count} in line`, look())
}

describe('by default it is taken for leaving', () => {
  test.each([true, false])('C06: at once and in every state (stream: %s)', (stream) =>
    scenario({}, async (scene) => {
      scene.host().play(wholeRequest, pause)
      const client = await scene.connect()
      await client.send(chatBytes({ stream }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      client.halfClose()
      await exchange.peerLeft()
      expect(await client.closed()).toBe('fin')
      expect(client.received).toHaveLength(0)
      expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CH' })
      await exchange.step()
      return { requests: 1, attempts: { a: 1 } }
    }),
  )
})

describe('where the operator says so, it is answered', () => {
  test('C06: a stream, whole, and then the connection ends', () =>
    scenario(answered, async (scene) => {
      playHaltingStream(scene)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      client.halfClose()
      // In one process all that was written before is read before this resolves, the end of the client's side too.
      await scene.gateway.metrics()
      for (let count = frames.length; count > 0; count -= 1) await exchange.step()
      const answer = await scene.answer(client)
      await answer.over()
      expect([answer.status, answer.complete, answer.text]).toEqual([200, true, sent])
      expect(await client.closed()).toBe('fin')
      expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 200, end: '--' })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('C06: an answer that is not streamed, after a wait in line; and one of the gateway itself', () =>
    scenario(answered, async (scene) => {
      const answer = jsonResponseBytes(200, JSON.parse(chatAnswer('x')))
      const slots = 4
      for (let index = 0; index < slots; index += 1) scene.host().play(wholeRequest, pause, answer)
      scene.host().playAlways(wholeRequest, answer)
      const before = Array.from({ length: slots }, () => scene.ask(chatBytes()))
      for (let index = 0; index < slots; index += 1) await (await scene.host().exchange(index)).paused()
      const client = await scene.connect()
      await client.send(chatBytes())
      await inLine(scene, 1)
      client.halfClose()
      await scene.gateway.metrics()
      for (const exchange of scene.host().exchanges.slice()) await exchange.step()
      await Promise.all(before)
      const whole = await scene.answer(client)
      await whole.over()
      expect([whole.status, whole.complete]).toEqual([200, true])
      expect(await client.closed()).toBe('fin')

      const other = await scene.connect()
      await other.send(requestBytes('GET', '/v1/models'))
      other.halfClose()
      expect((await scene.answer(other)).status).toBe(200)
      expect(await other.closed()).toBe('fin')
      return { requests: slots + 1, attempts: { a: slots + 1 } }
    }))

  test('C06: one that has really gone is noticed by what is written to it', () =>
    scenario(answered, async (scene) => {
      playHaltingStream(scene)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const exchange = await scene.host().exchange()
      await exchange.paused()
      client.close()
      await scene.gateway.metrics()
      expect(scene.gateway.outcomes()).toEqual([])
      // The first frame is answered by a reset, which the second then meets.
      await exchange.step()
      await exchange.paused()
      await scene.gateway.metrics()
      await exchange.step()
      await exchange.peerLeft()
      expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CD' })
      await exchange.step()
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('C06: a reset is noticed at once, before the host has said anything and in the middle of a stream', () =>
    scenario(answered, async (scene) => {
      for (const [index, end] of ['CF', 'CD'].entries()) {
        playHaltingStream(scene)
        const client = await scene.connect()
        await client.send(chatBytes({ stream: true }))
        const exchange = await scene.host().exchange(index)
        await exchange.paused()
        if (end === 'CD') {
          await exchange.step()
          await (await client.response()).has('one')
        }
        await scene.gateway.metrics()
        client.resetAndDestroy()
        await exchange.peerLeft()
        expect((await scene.gateway.outcomesOnce(index + 1))[index]!.fields).toMatchObject({ status: 499, end })
        for (let left = end === 'CD' ? 2 : 3; left > 0; left -= 1) await exchange.step()
      }
      return { requests: 2, attempts: { a: 2 } }
    }))

  test('C06: a body that ends too early is still a broken request', () =>
    scenario(answered, async (scene) => {
      const whole = chatBytes()
      const client = await scene.connect()
      await client.send(whole.subarray(0, -5))
      client.halfClose()
      await client.closed()
      expect((await scene.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CR', attempts: 0 })
      return { requests: 1, attempts: {} }
    }))
})
