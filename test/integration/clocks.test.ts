/** Clocks that differ for a host or a model, seen at work to the millisecond. */

import { expect, test } from 'vitest'
import { pause, wholeRequest } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { chunkBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { chatBytes, contentFrame, errorOf, scenario } from './scenarios/scene.ts'

const relay = { firstContentMsMax: 9_000, contentGapMsMax: 8_000, prefillTokensPerSecond: 1_000_000 }
const host = { firstContentMsMax: 3_000, contentGapMsMax: 2_000 }
const models: ConfigInput['models'] = {
  aliases: { alias: 'of-its-own' },
  clocks: { 'of-its-own': { contentGapMsMax: 5_000 } },
}

const rows: readonly { what: string; model: string; content: boolean; host: object; afterMs: number; code: string }[] =
  [
    {
      what: 'first content, for all',
      model: 'plain',
      content: false,
      host: {},
      afterMs: 9_000,
      code: 'upstream_timeout',
    },
    {
      what: 'first content, of the host',
      model: 'plain',
      content: false,
      host,
      afterMs: 3_000,
      code: 'upstream_timeout',
    },
    { what: 'the gap, of the host', model: 'plain', content: true, host, afterMs: 2_000, code: 'upstream_stalled' },
    {
      what: 'the gap, of the model',
      model: 'of-its-own',
      content: true,
      host,
      afterMs: 5_000,
      code: 'upstream_stalled',
    },
    { what: 'by the name at the host', model: 'alias', content: true, host, afterMs: 5_000, code: 'upstream_stalled' },
    {
      what: 'the rest, of the host',
      model: 'of-its-own',
      content: false,
      host,
      afterMs: 3_000,
      code: 'upstream_timeout',
    },
  ]

test.each(rows)('$what', ({ model, content, host: clocks, afterMs, code }) => {
  const clock = new FakeClock()
  const hosts = { a: ['plain', 'of-its-own'] }
  return scenario({ clock, hosts, host: { clocks }, config: { relay, models } }, async (scene) => {
    const sent = content ? [chunkBytes(contentFrame('once'))] : []
    scene.host().play(wholeRequest, sseHeadBytes(), ...sent, pause)
    const client = await scene.connect()
    await client.send(chatBytes({ model, stream: true }))
    const exchange = await scene.host().exchange()
    await exchange.paused()
    if (content) await (await scene.answer(client)).has('once')
    // A prompt of a few tokens adds less than a millisecond.
    await clock.advance(afterMs - 1)
    expect(exchange.connection.peerEndedBy).toBeUndefined()
    expect(scene.gateway.outcomes()).toEqual([])
    await clock.advance(2)
    await exchange.peerLeft()
    const [line] = await scene.gateway.outcomesOnce(1)
    expect(line?.fields['error']).toBe(code)
    if (!content) {
      const answer = await scene.answer(client)
      await answer.over()
      expect(errorOf(answer).code).toBe(code)
    }
    await exchange.step()
    return { requests: 1, attempts: { a: 1 } }
  })
})
