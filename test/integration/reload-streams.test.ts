/** Hosts are taken out, drained and changed while many streams run: none is cut, and who has left is probed no more. */

import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { type Reloadable, startReloadable } from '../kit/reloadable.ts'
import { becomesTrue, eventually } from '../kit/within.ts'
import { chatBytes, contentFrame, done, finishFrame, model } from './scenarios/scene.ts'

const streamCount = process.env['TEST_LONG'] === 'true' ? 1_000 : 200
const probeEveryMs = 100
const beginning = contentFrame('once') + contentFrame(' upon')
const rest = contentFrame(' a time') + finishFrame + done

type HostInput = NonNullable<ConfigInput['hosts']>[number]

async function startHost(): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  return host
}

/** A stream that has begun. */
async function stream({ gateway }: Reloadable): Promise<HttpMessage> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  const answer = await client.response(30_000)
  await answer.has(' upon', 30_000)
  return answer
}

function hostOf(name: string, { url }: ChaosHost, more: Partial<HostInput> = {}): HostInput {
  return { name, url, kind: 'openai', slots: streamCount, ...more }
}

test(`of ${streamCount} streams none is cut while a host is taken out, one is drained and one has other settings`, {
  timeout: 120_000,
}, async () => {
  const [a, b, c] = [await startHost(), await startHost(), await startHost()]
  const probe = { everyMs: probeEveryMs }
  const hosts = [hostOf('a', a), hostOf('b', b), hostOf('c', c)]
  const on = await startReloadable({
    hosts,
    probe,
    balancing: { policy: 'least-busy' },
    server: { reloadOnChange: false },
  })
  const { gateway } = on
  const answers = await Promise.all(Array.from({ length: streamCount }, () => stream(on)))
  for (const host of [a, b, c]) expect(host.exchanges.length).toBeGreaterThan(streamCount / 6)

  const changed = hostOf('a', a, {
    slots: 2 * streamCount,
    tier: 2,
    weight: 3,
    apiKey: 'another',
    clocks: { contentGapMsMax: 90_000 },
  })
  await on.write({ hosts: [changed, hostOf('c', c)], probe, balancing: { policy: 'round-robin' } })
  await gateway.admin('POST', '/admin/config/reload')
  await gateway.admin('POST', '/admin/hosts/c/drain')
  expect(on.told().at(-1)).toMatchObject({ fields: { hostsLeft: 'b', hostsChanged: 'a' } })

  // Those that come now have one host left, and are answered by what it has of them.
  const before = a.exchanges.length
  const newcomer = await stream(on)
  expect(a.exchanges.length).toBe(before + 1)
  // One probe may have been under way.
  const probedOnce = b.soundRequests.length + 1
  const seenAtA = a.soundRequests.length
  await eventually(20_000, 'ten probes of a host that stays', () => a.soundRequests.length > seenAtA + 10)
  expect(b.soundRequests.length).toBeLessThanOrEqual(probedOnce)
  expect(await gateway.metric('host_inflight', { host: 'b' })).toBe(b.exchanges.length)

  for (const host of [a, b, c]) for (const exchange of host.exchanges) await exchange.step(30_000)
  for (const answer of [...answers, newcomer]) {
    await answer.over(30_000)
    expect(answer).toMatchObject({ status: 200, complete: true, text: beginning + rest })
  }
  expect((await gateway.outcomesOnce(streamCount + 1)).map(({ fields }) => fields['end'])).toEqual(
    Array.from({ length: streamCount + 1 }, () => '--'),
  )
  await becomesTrue(20_000, 'nothing to be known of the host that left', async () => {
    return (await gateway.metric('host_up', { host: 'b' })) === undefined
  })
  await eventually(20_000, 'no connection to the host that left', () => b.connectionsOpen === 0)
  expect(await gateway.admin('GET', '/admin/hosts')).toMatchObject({
    hosts: [
      { name: 'a', draining: false, inFlight: 0 },
      { name: 'c', draining: false, paused: true, inFlight: 0 },
    ],
  })
})
