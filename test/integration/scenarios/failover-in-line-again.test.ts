/** Requests that stand in the line a second time, since their host said that it is busy: nobody works on them. */
import { expect, test } from 'vitest'
import { ChaosHost, type ScriptStep, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { gaugeReaches } from '../../kit/fleet.ts'
import { startGateway } from '../../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, sseHeadBytes } from '../../kit/http-bytes.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { within } from '../../kit/within.ts'
import { says } from './first-host.ts'
import { chatBytes, model, type Scene, type SceneOptions, scenario } from './scene.ts'

const busy = says(429, { error: { message: 'busy' } }, { 'retry-after': '30' })
const draining: SceneOptions = { host: { kind: 'mlx-lm' }, get: { '/health': { status: 'ok' } } }

async function inLineAgain({ gateway }: Pick<Scene, 'gateway'>): Promise<void> {
  await gaugeReaches(gateway, 'host_errors_total', 1)
  await gaugeReaches(gateway, 'queue_depth', 1)
  await gaugeReaches(gateway, 'host_inflight', 0)
}

test('a client that leaves is gone at once, at a host whose answers are read to their end, too', () =>
  scenario(draining, async (scene) => {
    scene.host().play(...busy)
    const client = await scene.connect()
    await client.send(chatBytes())
    await inLineAgain(scene)
    client.close()
    const [line] = await scene.gateway.outcomesOnce(1, 5_000)
    expect(line?.fields).toMatchObject({ status: 499, end: 'CQ', attempts: 1 })
    for (const gauge of ['queue_depth', 'queue_bytes']) await gaugeReaches(scene.gateway, gauge, 0)
    return { requests: 1, attempts: { a: 1 } }
  }))

test('a gateway that stops does not wait for one whose client has left', async () => {
  await using stack = new AsyncDisposableStack()
  const host = await ChaosHost.start({ models: [model], get: { '/health': { status: 'ok' } } })
  stack.defer(() => host.close())
  const gateway = await startGateway({
    hosts: [{ name: 'a', url: host.url, kind: 'mlx-lm' }],
    probe: { everyMs: 600_000 },
    server: { drainMsMax: 60_000 },
  })
  stack.use(gateway)
  host.play(...busy)
  const client = await RawClient.open(gateway.port)
  await client.send(chatBytes())
  await inLineAgain({ gateway })
  client.close()
  await within(10_000, 'the end of the gateway', gateway.gateway.stop())
  expect(gateway.outcomes().map(({ fields }) => [fields['status'], fields['end']])).toEqual([[499, 'CQ']])
})

test('no time of prefill passes for it', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    scene.host().play(...busy)
    const client = await scene.connect()
    await client.send(chatBytes({ stream: true }))
    await inLineAgain(scene)
    const before = await scene.gateway.sum('prefill_seconds_total')
    await clock.advance(20_000)
    expect(await scene.gateway.sum('prefill_seconds_total')).toBe(before)
    client.close()
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('what the host had counted before it refused is no use of one who leaves the line', () => {
  const event = (type: string, fields: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`
  const begins = event('message_start', { message: { id: 'x', usage: { input_tokens: 5_000, output_tokens: 1 } } })
  const refuses = event('error', { error: { type: 'overloaded_error', message: 'Overloaded', code: 503 } })
  const script: readonly ScriptStep[] = [wholeRequest, sseHeadBytes(), chunkBytes(begins + refuses), finalChunk]
  return scenario({ clock: new FakeClock() }, async (scene) => {
    scene.host().play(...script)
    const client = await scene.connect()
    await client.send(jsonRequestBytes('/v1/messages', { model, stream: true, max_tokens: 5, messages: [] }))
    await inLineAgain(scene)
    client.close()
    await scene.gateway.outcomesOnce(1)
    expect(scene.gateway.usage[0]).toMatchObject({ status: 499, tokens: { input: 0, output: 0 } })
    return { requests: 1, attempts: { a: 1 } }
  })
})
