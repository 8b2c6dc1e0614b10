/** Clients that leave hosts which do not stop: those that go on computing, and those that must not be cut off. */
import { describe, expect, test } from 'vitest'
import { pause, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, startDouble } from '../../kit/fleet.ts'
import type { GatewayUnderTest } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonResponseBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { LmxDouble } from '../../kit/lmx-double/lmx-double.ts'
import { eventually } from '../../kit/within.ts'
import { tellsStory } from './first-host.ts'
import {
  chatAnswer,
  chatBytes,
  contentFrame,
  done,
  finishFrame,
  model,
  type Scene,
  type SceneOptions,
  scenario,
} from './scene.ts'

const usageFrame = `data: ${JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 40 } })}\n\n`

describe('U53: LMX goes on with an answer that is not streamed', () => {
  /** The host computes for as long as its own clock is not moved. */
  async function hostAtWork(): Promise<{ double: LmxDouble; hostClock: FakeClock; gateway: GatewayUnderTest }> {
    const hostClock = new FakeClock()
    const double = await startDouble({ clock: hostClock, cost: { ttftMs: 10_000 }, slots: 1 })
    const gateway = await gatewayBefore([{ name: 'a', url: double.url, kind: 'lmx', slots: 1 }])
    return { double, hostClock, gateway }
  }
  const looks = (double: LmxDouble): number => double.requests.filter(({ path }) => path.includes('opta-lmx')).length

  test('U53: its slot is counted until the host says that it is idle, and no longer', async () => {
    const { double, hostClock, gateway } = await hostAtWork()
    const client = clientOf(gateway, { maxRetries: 0 })
    const leaving = new AbortController()
    const left = client.chat.completions.create(ask('Left', 1), { signal: leaving.signal }).catch(() => 'left')
    await double.waitFor(({ running }) => running === 1, 'the first request')
    leaving.abort()
    expect(await left).toBe('left')
    await gaugeReaches(gateway, 'host_zombie_slots', 1, { host: 'a' })
    expect(gateway.outcomes()[0]?.fields).toMatchObject({ status: 499, end: 'CH' })
    expect(await gateway.sum('host_inflight')).toBe(1)

    const next = client.chat.completions.create(ask('Next', 1))
    await gaugeReaches(gateway, 'queue_depth', 1)
    const before = looks(double)
    await eventually(20_000, 'two looks at the host, which is at work', () => looks(double) >= before + 2)
    expect(await gateway.sum('queue_depth')).toBe(1)
    expect(double.inferenceRequests).toHaveLength(1)

    await hostClock.advance(10_000)
    expect(double.running).toBe(0)
    await double.waitFor(({ running }) => running === 1, 'the next request', 20_000)
    expect(await gateway.sum('host_zombie_slots')).toBe(0)
    await hostClock.advance(10_000)
    expect((await next).choices).toHaveLength(1)
    // The host never had more than it takes, and nobody waited at it.
    expect([double.runningMax, double.inferenceRequests.length]).toEqual([1, 2])
  }, 60_000)

  test('U53: of a host that is gone nothing is computed, either', async () => {
    const { double, gateway } = await hostAtWork()
    const client = clientOf(gateway, { maxRetries: 0 })
    const leaving = new AbortController()
    const left = client.chat.completions.create(ask('Left', 1), { signal: leaving.signal }).catch(() => 'left')
    await double.waitFor(({ running }) => running === 1, 'the request')
    leaving.abort()
    expect(await left).toBe('left')
    await gaugeReaches(gateway, 'host_zombie_slots', 1, { host: 'a' })
    double.crash()
    await eventually(20_000, 'the host to be down', () => gateway.log.some((line) => line.message === 'host is down'))
    await gaugeReaches(gateway, 'host_inflight', 0)
  }, 60_000)

  test('U53: a stream stops when it is cut off: its slot is free at once', async () => {
    const { double, hostClock, gateway } = await hostAtWork()
    const client = clientOf(gateway, { maxRetries: 0 })
    const leaving = new AbortController()
    const stream = client.chat.completions.create({ ...ask('Left', 1), stream: true }, { signal: leaving.signal })
    const left = stream.catch(() => 'left')
    await double.waitFor(({ running }) => running === 1, 'the first request')
    leaving.abort()
    expect(await left).toBe('left')
    await double.waitFor(({ running }) => running === 0, 'the end of its work')
    const next = client.chat.completions.create(ask('Next', 1))
    await double.waitFor(({ running }) => running === 1, 'the next request')
    await hostClock.advance(10_000)
    expect((await next).choices).toHaveLength(1)
    expect(double.runningMax).toBe(1)
  })
})

const mlx: SceneOptions = { host: { kind: 'mlx-lm' }, get: { '/health': { status: 'ok' } }, slots: 1 }
const mlxCutOff: SceneOptions = { ...mlx, host: { kind: 'mlx-lm', onDisconnect: 'cancel' } }

test('U53: where a host says nothing its slot stays taken for zombieMsMax', () => {
  const clock = new FakeClock()
  return scenario({ ...mlxCutOff, clock, config: { relay: { zombieMsMax: 7_000 } } }, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
    host.play(...tellsStory)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    await (await scene.answer(client)).has('once')
    client.close()
    await (await host.exchange()).peerLeft()
    await gaugeReaches(scene.gateway, 'host_zombie_slots', 1)
    const next = scene.ask(chatBytes({ stream: true }))
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await clock.advance(6_999)
    expect(await scene.gateway.sum('queue_depth')).toBe(1)
    expect(host.exchanges).toHaveLength(1)
    await clock.advance(1)
    expect(await next).toMatchObject({ status: 200, complete: true })
    await (await host.exchange()).step()
    return { requests: 2, attempts: { a: 2 } }
  })
})

test('U53: an answer that the gateway gives up for its time is such a one, too; one that the host ended is not', () => {
  const clock = new FakeClock()
  const config = { relay: { contentGapMsMax: 1_000, zombieMsMax: 7_000 } }
  return scenario({ ...mlx, clock, config }, async (scene) => {
    const host = scene.host()
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), finalChunk)
    host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
    host.play(...tellsStory)
    expect(await scene.ask(chatBytes({ stream: true }))).toMatchObject({ cut: true })
    expect(await scene.gateway.sum('host_zombie_slots')).toBe(0)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    const stalled = await scene.answer(client)
    await stalled.has('once')
    // The deadline, and the turn in which what waits in the sockets is read.
    await clock.advance(1_000)
    await clock.advance(0)
    await stalled.over()
    await gaugeReaches(scene.gateway, 'host_zombie_slots', 1)
    const next = scene.ask(chatBytes({ stream: true }))
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await clock.advance(7_000)
    expect(await next).toMatchObject({ status: 200, complete: true })
    await (await host.exchange(1)).step()
    return { requests: 3, attempts: { a: 3 } }
  })
})

/** The gateway has seen what happened to its sockets: several turns of the event loop that it shares with the test. */
async function noticed({ gateway }: Scene): Promise<void> {
  for (let i = 0; i < 3; i++) await gaugeReaches(gateway, 'host_inflight', 1)
}

describe('U54: a host that breaks when it is cut off is read to the end', () => {
  interface Leaving {
    readonly sent: string
    readonly end: string
    readonly script: readonly ScriptStep[]
  }
  const rest = chunkBytes(contentFrame(' upon') + finishFrame + usageFrame + done)
  const leavings: readonly [string, Leaving][] = [
    ['in the middle of a stream', { sent: contentFrame('once'), end: 'CD', script: [rest, finalChunk] }],
    ['before the first content', { sent: '', end: 'CF', script: [chunkBytes(contentFrame('once')), rest, finalChunk] }],
  ]

  test.each(leavings)('U54: the client leaves %s', (_when, { sent, end, script }) =>
    scenario(mlx, async (scene) => {
      const host = scene.host()
      const opening = sent === '' ? [] : [chunkBytes(sent)]
      host.play(wholeRequest, sseHeadBytes(), ...opening, pause, ...script)
      host.play(...tellsStory)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const exchange = await host.exchange()
      await exchange.paused()
      if (sent === '') {
        // The head of the host has arrived, as far as anybody can know; the client has nothing yet.
        await noticed(scene)
      } else await (await scene.answer(client)).has(sent)
      client.close()
      const next = scene.ask(chatBytes({ stream: true }))
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      // The one slot is held, the connection stands, and the request has not ended.
      expect(await scene.gateway.sum('host_inflight')).toBe(1)
      expect(await scene.gateway.sum('host_zombie_slots')).toBe(0)
      expect(host.exchanges).toHaveLength(1)
      expect(exchange.connection.peerEndedBy).toBeUndefined()
      expect(scene.gateway.outcomes()).toEqual([])
      await exchange.step()
      expect(await next).toMatchObject({ status: 200, complete: true })
      expect(exchange.done).toBe(true)
      expect(exchange.connection.peerEndedBy).toBeUndefined()
      const [line] = await scene.gateway.outcomesOnce(2)
      expect(line?.fields).toMatchObject({ status: 499, tokensIn: 7, tokensOut: 40, usage: 'reported' })
      expect(line?.fields['end']).toBe(end)
      return { requests: 2, attempts: { a: 2 } }
    }),
  )

  test('U54: the client leaves an answer that is not streamed', () =>
    scenario(mlx, async (scene) => {
      const host = scene.host()
      host.play(wholeRequest, pause, jsonResponseBytes(200, JSON.parse(chatAnswer('whole'))))
      const client = await scene.connect()
      await client.send(chatBytes())
      const exchange = await host.exchange()
      await exchange.paused()
      client.close()
      const next = scene.ask(chatBytes())
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      host.play(wholeRequest, jsonResponseBytes(200, JSON.parse(chatAnswer('next'))))
      await exchange.step()
      expect((await next).text).toBe(chatAnswer('next'))
      const [line] = await scene.gateway.outcomesOnce(2)
      expect(line?.fields).toMatchObject({ status: 499, end: 'CH', tokensIn: 3, tokensOut: 2, usage: 'reported' })
      return { requests: 2, attempts: { a: 2 } }
    }))

  test('U54: a host that fails after its client left changes nothing any more, and nothing is repeated', () =>
    scenario({ ...mlx, hosts: { a: [model], b: ['other'] } }, async (scene) => {
      const host = scene.host()
      host.play(wholeRequest, sseHeadBytes(), pause, chunkBytes('data: {"error":{"message":"CUDA"}}\n\n'), finalChunk)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      const exchange = await host.exchange()
      await exchange.paused()
      client.close()
      await noticed(scene)
      await exchange.step()
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ status: 499, end: 'CF' })
      // It said that it is done, so its slot is free.
      expect(await scene.gateway.sum('host_zombie_slots')).toBe(0)
      return { requests: 1, attempts: { a: 1 } }
    }))

  test('U54: for abandonedMsMax at the longest; then it is cut off, and its slot is one of a host that goes on', () => {
    const clock = new FakeClock()
    const config = { relay: { abandonedMsMax: 5_000, zombieMsMax: 7_000 } }
    return scenario({ ...mlx, clock, config }, async (scene) => {
      const host = scene.host()
      host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      await (await scene.answer(client)).has('once')
      client.close()
      const exchange = await host.exchange()
      // The gateway has heard of it once a request behind it waits.
      const waiting = await scene.connect()
      await waiting.send(chatBytes())
      await gaugeReaches(scene.gateway, 'queue_depth', 1)
      await noticed(scene)
      await clock.advance(4_999)
      expect(exchange.connection.peerEndedBy).toBeUndefined()
      expect(scene.gateway.outcomes()).toEqual([])
      await clock.advance(1)
      await exchange.peerLeft()
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ status: 499, end: 'CD', tokensOut: 1, usage: 'counted' })
      await gaugeReaches(scene.gateway, 'host_zombie_slots', 1)
      waiting.close()
      await scene.gateway.outcomesOnce(2)
      await clock.advance(7_000)
      await exchange.step()
      return { requests: 2, attempts: { a: 1 } }
    })
  })

  test('U54: any host can be told to be such a one', () =>
    scenario({ host: { onDisconnect: 'drain' } }, async (scene) => {
      const host = scene.host()
      host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause, rest, finalChunk)
      const client = await scene.connect()
      await client.send(chatBytes({ stream: true }))
      await (await scene.answer(client)).has('once')
      client.resetAndDestroy()
      await noticed(scene)
      const exchange = await host.exchange()
      await exchange.step()
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ status: 499, end: 'CD', tokensOut: 40, usage: 'reported' })
      expect(exchange.connection.peerEndedBy).toBeUndefined()
      return { requests: 1, attempts: { a: 1 } }
    }))
})
