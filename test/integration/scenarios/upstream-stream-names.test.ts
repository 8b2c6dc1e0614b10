/** Streams that their hosts call something else, or nothing at all: relayed as the streams that were asked for. */
import { describe, expect, test } from 'vitest'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { chunkBytes, finalChunk } from '../../kit/http-bytes.ts'
import { story } from './first-host.ts'
import { chatBytes, contentFrame, errorOf, scenario } from './scene.ts'

const asked = chatBytes({ stream: true })
const first = contentFrame('once')

describe.each([
  ['text/plain', 'content-type: text/plain\r\n'],
  ['application/octet-stream', 'content-type: application/octet-stream\r\n'],
  ['nothing', ''],
])('a stream that is called %s', (_name, line) => {
  const begins = (...then: readonly ScriptStep[]): readonly ScriptStep[] => [
    wholeRequest,
    `HTTP/1.1 200 OK\r\n${line}transfer-encoding: chunked\r\n\r\n`,
    ...then,
  ]

  test('goes out frame by frame, by its right name, and is counted', () =>
    scenario({}, async (scene) => {
      scene.host().play(...begins(chunkBytes(first), pause, chunkBytes(story.slice(first.length)), finalChunk))
      const client = await scene.connect()
      await client.send(asked)
      const answer = await scene.answer(client)
      await answer.has(first)
      expect(answer.header('content-type')).toBe('text/event-stream; charset=utf-8')
      expect(answer.header('x-accel-buffering')).toBe('no')
      await (await scene.host().exchange()).step()
      await answer.over()
      expect(answer).toMatchObject({ complete: true, text: story })
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: '--', tokensOut: 2 })
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('ends with an error frame where it has no finish, however cleanly its host ended it', () =>
    scenario({}, async (scene) => {
      scene.host().play(...begins(chunkBytes(first), finalChunk))
      const answer = await scene.ask(asked)
      expect([answer.status, answer.cut, errorOf(answer).code]).toEqual([200, true, 'upstream_truncated'])
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UD')
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('must have its first content in time', () => {
    const clock = new FakeClock()
    const config = { relay: { firstContentMsMax: 4_000 } }
    return scenario({ clock, config }, async (scene) => {
      scene.host().play(...begins(pause))
      const answered = scene.ask(asked)
      const silent = await scene.host().exchange()
      await silent.paused()
      // A time per token of the prompt comes on top.
      await clock.advance(5_000)
      const answer = await answered
      expect([answer.status, errorOf(answer).code]).toEqual([504, 'upstream_timeout'])
      await silent.peerLeft()
      await silent.step()
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('must go on in time', () => {
    const clock = new FakeClock()
    const config = { relay: { contentGapMsMax: 4_000 } }
    return scenario({ clock, config }, async (scene) => {
      scene.host().play(...begins(chunkBytes(first), pause))
      const client = await scene.connect()
      await client.send(asked)
      const answer = await scene.answer(client)
      await answer.has(first)
      await clock.advance(4_000)
      await answer.over()
      expect([answer.cut, errorOf(answer).code]).toEqual([true, 'upstream_stalled'])
      await (await scene.host().exchange()).step()
      return { requests: 1, attempts: { a: 1 } }
    })
  })
})
