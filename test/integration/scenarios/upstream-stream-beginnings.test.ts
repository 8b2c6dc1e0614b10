/** How streams begin: with a byte order mark before or behind heartbeats, and with choices of which nothing follows. */
import { createParser } from 'eventsource-parser'
import { describe, expect, test } from 'vitest'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../../kit/http-bytes.ts'
import { story, tellsStory } from './first-host.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame, model, scenario } from './scene.ts'

const mark = '\uFEFF'
const relay = { headerHoldMs: 1_000, heartbeatMs: 500 }

/** The text that a client reads, as the parser of many of them does. */
function textOf(stream: string): string {
  let text = ''
  const parser = createParser({
    onEvent({ data }) {
      if (data === '[DONE]') return
      const { choices } = JSON.parse(data) as { choices: readonly { delta?: { content?: string | null } }[] }
      text += choices[0]?.delta?.content ?? ''
    },
  })
  parser.feed(stream)
  return text
}

describe.each<[string, readonly string[]]>([
  ['in one read with its frame', [mark + story]],
  ['in a read of its own', [mark, story]],
  ['before a comment', [`${mark}: hello\n\n`, story]],
])('a byte order mark %s', (_how, reads) => {
  const script: readonly ScriptStep[] = [
    wholeRequest,
    sseHeadBytes(),
    pause,
    ...reads.map((read) => chunkBytes(read)),
    finalChunk,
  ]

  test.each(['comment', 'chunk'])('is left out behind heartbeats (%s): a client reads every frame', (form) => {
    const clock = new FakeClock()
    return scenario({ clock, config: { relay } }, async (scene) => {
      scene.host().play(...script)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }, { 'x-lmx-gateway-heartbeat': form }))
      await (await scene.host().exchange()).paused()
      await clock.advance(relay.headerHoldMs)
      const answer = await scene.answer(client)
      await answer.has('\n')
      await (await scene.host().exchange()).step()
      await answer.over()
      expect(textOf(answer.text)).toBe('once upon')
      expect(answer.text).not.toContain(mark)
      expect(answer.text.endsWith(reads.join('').slice(mark.length))).toBe(true)
      expect(answer.complete).toBe(true)
      return { requests: 1, attempts: { a: 1 } }
    })
  })

  test('passes without heartbeats, as every byte does', () =>
    scenario({}, async (scene) => {
      scene.host().play(...script)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      await (await scene.host().exchange()).step()
      const answer = await scene.answer(client)
      await answer.over()
      expect(answer.body).toEqual(Buffer.from(reads.join('')))
      expect(textOf(answer.text)).toBe('once upon')
      return { requests: 1, attempts: { a: 1 } }
    }))
})

const second = (frame: string): string => frame.replace('"index":0', '"index":1')
const role = contentFrame('').replace('"content"', '"role":"assistant","content"')

describe('two choices are asked for', () => {
  const asked = chatBytes({ stream: true, n: 2 })
  const plays = (frames: string): readonly ScriptStep[] => [
    wholeRequest,
    sseHeadBytes(),
    chunkBytes(frames),
    finalChunk,
  ]

  test.each([
    ['behind the other one', role + second(role) + contentFrame('zero') + finishFrame],
    ['before the other one', second(role) + role + contentFrame('zero') + finishFrame],
  ])('one that began with its role frame, %s, and never finished: no [DONE] makes it whole', (_order, frames) =>
    scenario({}, async (scene) => {
      scene.host().play(...plays(frames + done))
      const answer = await scene.ask(asked)
      expect([answer.status, answer.cut, errorOf(answer).code]).toEqual([200, true, 'upstream_truncated'])
      expect(answer.text).not.toContain('[DONE]')
      return { requests: 1, attempts: { a: 1 } }
    }),
  )

  test('put together, it is 502', () =>
    scenario({ host: { streamUpstream: true } }, async (scene) => {
      scene.host().play(...plays(role + second(role) + contentFrame('zero') + finishFrame + done))
      const answer = await scene.ask(chatBytes({ n: 2 }))
      expect([answer.status, errorOf(answer).code]).toEqual([502, 'upstream_truncated'])
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('a host that gives only one finished its answer', () =>
    scenario({ hosts: { a: [model] } }, async (scene) => {
      scene.host().play(...tellsStory)
      expect(await scene.ask(asked)).toMatchObject({ complete: true, text: story })
      return { requests: 1, attempts: { a: 1 } }
    }))
})
