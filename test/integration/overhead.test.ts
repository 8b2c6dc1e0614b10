/** What the gateway's own work costs, step by step, as its metrics tell it. */
import { expect, test } from 'vitest'
import { overheadStages } from '../../src/relay/events.ts'
import { halfClose, pause, wholeRequest } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gaugeReaches, oneHost } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import { firstOfEquals, story } from './scenarios/first-host.ts'
import { chatBytes, model, scenario } from './scenarios/scene.ts'

const once = { maxRetries: 0 }
const everyStageOnce = Object.fromEntries(overheadStages.map((stage) => [stage, 1]))

/** Of the stages that were told at all: how often, or how many seconds. */
async function stages(gateway: GatewayUnderTest, what: 'count' | 'sum'): Promise<Record<string, number>> {
  const lines = (await gateway.metrics()).matchAll(
    new RegExp(`^lmx_gateway_gateway_overhead_seconds_${what}\\{stage="(\\w+)"\\} (\\S+)$`, 'gm'),
  )
  const told = new Map([...lines].map(([, stage = '', value]) => [stage, Number(value)]))
  return Object.fromEntries([...told].filter(([, value]) => value !== 0))
}

test('each step is told once for each request, and all of them together are less than the request took', async () => {
  const { client, gateway } = await oneHost({ cost: { ttftMs: 50 } })
  await client.chat.completions.create(ask('Hello', 3), once)
  const [line] = await gateway.outcomesOnce(1)
  expect(await stages(gateway, 'count')).toEqual(everyStageOnce)
  const seconds = await stages(gateway, 'sum')
  for (const stage of overheadStages) expect(seconds[stage], stage).toBeGreaterThan(0)
  const workMs = 1_000 * Object.values(seconds).reduce((sum, one) => sum + one, 0)
  expect(workMs).toBeLessThan(Number(line?.fields['durationMs']) - 50)
})

test('who is refused at the door costs the door and the telling of it', async () => {
  const { gateway } = await oneHost()
  await gateway.createKey()
  const refused = clientOf(gateway, { apiKey: 'none-of-ours' }).chat.completions.create(ask('Hello'), once)
  await expect(refused).rejects.toThrow('401')
  await gateway.outcomesOnce(1)
  expect(await stages(gateway, 'count')).toEqual({ auth: 1, settle: 1 })
})

test('a request that is sent twice is told once, and what it waited for in between is no work', () => {
  firstOfEquals()
  const clock = new FakeClock()
  return scenario({ clock, hosts: { a: [model], b: [model] }, newConnections: true }, async (scene) => {
    scene.host('a').play(wholeRequest, halfClose)
    scene.host('b').play(wholeRequest, pause, sseHeadBytes(), chunkBytes(story), finalChunk)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const exchange = await scene.host('b').exchange()
    await exchange.paused()
    await clock.advance(2_000)
    await exchange.step()
    const answer = await scene.answer(client)
    await answer.over()
    expect(answer.header('x-lmx-gateway-attempts')).toBe('2')
    await scene.gateway.outcomesOnce(1)
    expect(await stages(scene.gateway, 'count')).toEqual(everyStageOnce)
    expect(await stages(scene.gateway, 'sum')).toEqual({})
    return { requests: 1, attempts: { a: 1, b: 1 } }
  })
})

test('waiting is no work: for a body, for a slot, for a host', () => {
  // It stands still while the gateway works, so that all it could tell of is what it waited for.
  const clock = new FakeClock()
  return scenario({ clock, slots: 1 }, async (scene) => {
    const { gateway } = scene
    const host = scene.host()
    host.playAlways(wholeRequest, pause, sseHeadBytes(), pause, chunkBytes(story), finalChunk)
    const asked = chatBytes({ stream: true })
    const bodyBytes = asked.length - (asked.indexOf('\r\n\r\n') + 4)
    const holder = await scene.connect()
    await holder.send(asked.subarray(0, -5))
    await gaugeReaches(gateway, 'queue_bytes', bodyBytes - 5)
    await clock.advance(1_000)
    await holder.send(asked.subarray(-5))
    await (await host.exchange()).paused()
    const waiter = await scene.connect()
    await waiter.send(asked)
    await gaugeReaches(gateway, 'queue_depth', 1)
    for (const [index, client] of [holder, waiter].entries()) {
      const exchange = await host.exchange(index)
      for (let step = 0; step < 2; step++) {
        await exchange.paused()
        await clock.advance(2_000)
        await exchange.step()
      }
      await (await scene.answer(client)).over()
    }
    for (const { fields } of await gateway.outcomesOnce(2)) expect(fields['durationMs']).toBeGreaterThan(3_999)
    const everyStageTwice = Object.fromEntries(overheadStages.map((stage) => [stage, 2]))
    expect(await stages(gateway, 'count')).toEqual(everyStageTwice)
    expect(await stages(gateway, 'sum')).toEqual({})
    return { requests: 2, attempts: { a: 2 } }
  })
})
