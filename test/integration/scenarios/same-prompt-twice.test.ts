/** A client that asks again while its first request still runs: two requests, each with an end of its own. */
import { describe, expect, test } from 'vitest'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { chunkBytes, finalChunk, type Headers, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { RawClient } from '../../kit/raw-client.ts'
import { chatBytes, contentFrame, done, finishFrame, type Scene, scenario } from './scene.ts'

const begun: readonly ScriptStep[] = [wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('one'))]
const rest = [chunkBytes(contentFrame('two') + finishFrame + done), finalChunk]

async function asks(scene: Scene, headers: Headers = {}): Promise<RawClient> {
  const client = await scene.connect()
  await client.send(chatBytes({ stream: true }, headers))
  return client
}

async function expectWhole(scene: Scene, client: RawClient): Promise<void> {
  const answer = await scene.answer(client)
  await answer.over()
  expect(answer).toMatchObject({ status: 200, complete: true })
  expect(answer.text).toContain(contentFrame('one') + contentFrame('two'))
}

describe.each<[string, Headers]>([
  ['the same prompt', {}],
  ['the same prompt under one idempotency key', { 'idempotency-key': 'the-same' }],
])('%s is posted twice', (_what, headers) => {
  test.each(['first', 'second'])('C40: both run, and where the client of the %s leaves, only that one ends', (who) =>
    scenario({ slots: 2 }, async (scene) => {
      scene.host().playAlways(...begun, pause, ...rest)
      const clients = [await asks(scene, headers)]
      await (await scene.host().exchange(0)).paused()
      clients.push(await asks(scene, headers))
      await (await scene.host().exchange(1)).paused()
      const [leaver, stayer] = who === 'first' ? [0, 1] : [1, 0]
      const [left, stayed] = [await scene.host().exchange(leaver), await scene.host().exchange(stayer)]
      clients[leaver]?.close()
      await left.peerLeft()
      await left.step()
      expect(stayed.connection.peerEndedBy).toBeUndefined()
      await stayed.step()
      await expectWhole(scene, clients[stayer]!)
      const ends = (await scene.gateway.outcomesOnce(2)).map(({ fields }) => fields['status'])
      expect(new Set(ends)).toEqual(new Set([200, 499]))
      return { requests: 2, attempts: { a: 2 } }
    }),
  )
})

test('C40: the second waits where there is one slot, and has it as soon as the client of the first leaves', () =>
  scenario({ slots: 1 }, async (scene) => {
    scene.host().playAlways(...begun, pause, ...rest)
    const first = await asks(scene)
    const running = await scene.host().exchange(0)
    await running.paused()
    const second = await asks(scene)
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    expect(scene.host().exchanges).toHaveLength(1)
    first.close()
    await running.peerLeft()
    await running.step()
    await (await scene.host().exchange(1)).step()
    await expectWhole(scene, second)
    return { requests: 2, attempts: { a: 2 } }
  }))
