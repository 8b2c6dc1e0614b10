/** A slot is held exactly as long as its host works, and nobody waits beside a free one. */

import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, halfClose, pause, wholeRequest } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { chunkBytes, finalChunk, responseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { eventually } from '../kit/within.ts'
import { type HeldGateway, heldGateway } from './held-gateway.ts'
import { chatAnswer, chatBytes, contentFrame, done, finishFrame } from './scenarios/scene.ts'

const frames = contentFrame('w') + finishFrame + done
const answer = responseBytes(200, { 'content-type': 'application/json' }, chatAnswer('w'))

async function chaosHost(models: readonly string[]): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models })
  onTestFinished(() => host.close())
  return host
}

/** One host of one slot. */
async function oneSlot() {
  const host = await chaosHost(['m'])
  const config: ConfigInput = { hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: 1 }] }
  return { host, gateway: await heldGateway({ ...config, probe: { everyMs: 600_000 } }) }
}

async function sent(gateway: HeldGateway, fields: object = {}) {
  const client = await gateway.connect()
  await client.send(chatBytes({ ...fields }))
  return client
}

test('a host that keeps its answer open behind [DONE] keeps its slot until the gateway closes it, 50 ms later', async () => {
  const { host, gateway } = await oneSlot()
  host.play(wholeRequest, sseHeadBytes(), chunkBytes(frames), pause)
  host.play(wholeRequest, answer)
  const first = await sent(gateway, { stream: true })
  const whole = await first.response()
  await whole.over()
  expect(whole.text).toBe(frames)
  const waiter = await sent(gateway)
  await gateway.gaugeReaches('queue_depth', 1)
  await gateway.clock.advance(49)
  expect(await gateway.gauge('host_inflight')).toBe(1)
  expect(await gateway.gauge('queue_depth')).toBe(1)
  expect(host.exchanges).toHaveLength(1)
  await gateway.clock.advance(1)
  await host.exchanges[0]!.peerLeft()
  const served = await waiter.response()
  await served.over()
  expect(served.status).toBe(200)
  await (await host.exchange(0)).step()
})

test('a large last frame that the client has yet to take does not keep the slot', async () => {
  const { host, gateway } = await oneSlot()
  const big = contentFrame('w'.repeat(300_000)) + finishFrame + done
  host.play(wholeRequest, sseHeadBytes(), chunkBytes(big), finalChunk)
  const first = await sent(gateway, { stream: true })
  await (await first.response()).over()
  await gateway.clock.advance(50)
  await gateway.gaugeReaches('host_inflight', 0)
  expect(await gateway.gauge('host_inflight')).toBe(0)
})

test('a host that ends its answer by itself frees its slot at once', async () => {
  const { host, gateway } = await oneSlot()
  host.play(wholeRequest, sseHeadBytes(), chunkBytes(frames), finalChunk)
  host.play(wholeRequest, answer)
  const first = await sent(gateway, { stream: true })
  const waiter = await sent(gateway)
  await (await first.response()).over()
  expect((await waiter.response()).status).toBe(200)
})

test('a client that leaves frees the slot of its answer at once', async () => {
  const { host, gateway } = await oneSlot()
  host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('w')), pause)
  host.play(wholeRequest, answer)
  const first = await sent(gateway, { stream: true })
  await (await first.response()).has('w')
  const waiter = await sent(gateway)
  await gateway.gaugeReaches('queue_depth', 1)
  first.resetAndDestroy()
  expect((await waiter.response()).status).toBe(200)
  await (await host.exchange(0)).step()
})

test('the repetition on a fresh connection keeps the slot: the host never has two at once', async () => {
  const { host, gateway } = await oneSlot()
  host.play(wholeRequest, answer)
  host.play(wholeRequest, pause, halfClose)
  host.play(wholeRequest, pause, answer)
  host.play(wholeRequest, answer)
  const client = await sent(gateway)
  await (await client.response()).over()
  await client.send(chatBytes())
  const given = await host.exchange(1)
  expect(given.connection).toBe(host.exchanges[0]!.connection)
  await given.paused()
  const waiter = await sent(gateway, { user: 'waiter' })
  await gateway.gaugeReaches('queue_depth', 1)
  await given.step()
  const repeated = await host.exchange(2)
  await repeated.paused()
  expect(repeated.request?.text).not.toContain('waiter')
  expect(await gateway.gauge('host_inflight')).toBe(1)
  expect(await gateway.gauge('queue_depth')).toBe(1)
  expect(host.exchanges).toHaveLength(3)
  await repeated.step()
  const answered = await client.response()
  expect([answered.status, answered.header('x-lmx-gateway-reason')]).toEqual([200, 'retry_reused_socket'])
  expect((await waiter.response()).status).toBe(200)
  expect((await host.exchange(3)).request?.text).toContain('waiter')
})

test('those who wait for a host that is lost move to the free slots of the next name at once', async () => {
  const [a, b] = [await chaosHost(['x']), await chaosHost(['y'])]
  const gateway = await heldGateway({
    hosts: [
      { name: 'a', url: a.url, kind: 'openai', slots: 1 },
      { name: 'b', url: b.url, kind: 'openai', slots: 2 },
    ],
    models: { aliases: { best: ['x', 'y'] } },
    probe: { everyMs: 600_000 },
  })
  a.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('w')), pause)
  b.playAlways(wholeRequest, pause, answer)
  const client = await sent(gateway, { model: 'best', stream: true })
  const running = await client.response()
  await running.has('w')
  const waiters = []
  for (let place = 1; place <= 3; place++) {
    waiters.push(await sent(gateway, { model: 'best' }))
    await gateway.gaugeReaches('queue_depth', place)
  }
  await a.close()
  await running.over()
  expect(running.text).toContain('upstream_disconnected')
  // The time of the gateway stands still: no probe and no clock helps.
  await eventually(5_000, 'two of those who waited to be at the other host', () => b.exchanges.length === 2)
  await gateway.gaugeReaches('queue_depth', 1)
  expect(await gateway.gauge('host_inflight', 'host="b"')).toBe(2)
  expect(b.exchanges).toHaveLength(2)
  for (let served = 0; served < 3; served++) await (await b.exchange(served)).step()
  for (const waiter of waiters) {
    const response = await waiter.response()
    expect([response.status, response.header('x-lmx-gateway-host')]).toEqual([200, 'b'])
  }
})
