/** G09: a host, a name and a key are taken away while requests run, wait and come. */

import { expect, onTestFinished, test } from 'vitest'
import { ChaosHost, pause, wholeRequest } from '../../kit/chaos-host.ts'
import type { ConfigInput } from '../../kit/config-of.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { RawClient } from '../../kit/raw-client.ts'
import { type Reloadable, startReloadable } from '../../kit/reloadable.ts'
import { becomesTrue, eventually } from '../../kit/within.ts'
import { chatBytes, contentFrame, done, errorOf, finishFrame } from './scene.ts'

const beginning = contentFrame('once') + contentFrame(' upon')
const rest = contentFrame(' a time') + finishFrame + done
/** What is to happen within a second is seen as an order of events inside twenty. */
const soonMs = 20_000
const probe = { everyMs: 100 }

async function hostWith(...models: string[]): Promise<ChaosHost> {
  const host = await ChaosHost.start({ models })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  return host
}

async function ask({ gateway }: Reloadable, model: string, key?: string): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ model, stream: true }, key === undefined ? {} : { authorization: `Bearer ${key}` }))
  return client
}

async function stream(on: Reloadable, model: string, key?: string): Promise<HttpMessage> {
  const answer = await (await ask(on, model, key)).response(soonMs)
  await answer.has(' upon', soonMs)
  return answer
}

async function refusal(on: Reloadable, model: string, key?: string): Promise<{ status: number; code: string }> {
  const answer = await (await ask(on, model, key)).response(soonMs)
  await answer.over(soonMs)
  return { status: answer.status, code: errorOf(answer).code }
}

async function finishes(host: ChaosHost, answers: readonly HttpMessage[]): Promise<void> {
  for (const exchange of host.exchanges) if (!exchange.done) await exchange.step(soonMs)
  for (const answer of answers) {
    await answer.over(soonMs)
    expect(answer).toMatchObject({ status: 200, complete: true, text: beginning + rest })
  }
}

const waits = (on: Reloadable, count: number) => async (): Promise<boolean> =>
  (await on.gateway.sum('queue_depth')) === count

test('G09: what runs at a host that is taken out finishes, who waits for it alone hears so at once, and newcomers follow the new rules', {
  timeout: 60_000,
}, async () => {
  const [a, b] = [await hostWith('m'), await hostWith('n')]
  const hostA = { name: 'a', url: a.url, kind: 'openai' as const, slots: 8 }
  const hostB = { name: 'b', url: b.url, kind: 'openai' as const, slots: 1 }
  const config: ConfigInput = { hosts: [hostA, hostB], probe, models: { aliases: { fast: 'm', far: 'n' } } }
  const on = await startReloadable(config)
  const atA = await stream(on, 'fast')
  const atB = await stream(on, 'n')
  const waiting = [await ask(on, 'n'), await ask(on, 'far')]
  await becomesTrue(soonMs, 'two to wait for the host', waits(on, 2))

  await on.write({ hosts: [hostA], probe, models: { aliases: { far: 'm' } } })
  // The name leads elsewhere now, and is served there.
  const [gone, moved] = await Promise.all(waiting.map((client) => client.response(soonMs)))
  await gone?.over(soonMs)
  expect({ status: gone?.status, code: gone === undefined ? '' : errorOf(gone).code }).toEqual({
    status: 404,
    code: 'model_not_found',
  })
  await moved?.has(' upon', soonMs)
  expect(await refusal(on, 'n')).toEqual({ status: 404, code: 'model_not_found' })
  expect(await refusal(on, 'fast')).toEqual({ status: 404, code: 'model_not_found' })
  expect(b.exchanges).toHaveLength(1)

  const probesOfB = b.soundRequests.length
  const probesOfA = a.soundRequests.length
  await eventually(soonMs, 'ten probes of the host that stays', () => a.soundRequests.length > probesOfA + 10)
  expect(b.soundRequests.length).toBeLessThanOrEqual(probesOfB + 1)
  await finishes(b, [atB])
  await finishes(a, [atA, ...(moved === undefined ? [] : [moved])])
  await eventually(soonMs, 'no connection to the host that left', () => b.connectionsOpen === 0)
})

test('G09: a model that another host has goes on there; a host that comes in its place is asked before anybody is sent away', {
  timeout: 60_000,
}, async () => {
  const [a, b, c] = [await hostWith('m', 'n'), await hostWith('n'), await hostWith('o')]
  const hostOf = (name: string, { url }: ChaosHost) => ({ name, url, kind: 'openai' as const, slots: 1 })
  const on = await startReloadable({ hosts: [hostOf('b', b)], probe })
  const running = await stream(on, 'n')
  const waiting = await ask(on, 'n')
  await becomesTrue(soonMs, 'one to wait', waits(on, 1))
  await on.write({ hosts: [hostOf('a', a)], probe })
  const answer = await waiting.response(soonMs)
  await answer.has(' upon', soonMs)
  expect(a.exchanges).toHaveLength(1)
  await finishes(b, [running])

  const last = await ask(on, 'n')
  await becomesTrue(soonMs, 'one to wait again', waits(on, 1))
  await on.write({ hosts: [hostOf('c', c)], probe })
  const refused = await last.response(soonMs)
  await refused.over(soonMs)
  expect(errorOf(refused).code).toBe('model_not_found')
  expect(c.exchanges).toHaveLength(0)
  await finishes(a, [answer])
})

test('G09: with a key that is revoked and a limit that is lowered: what runs finishes, and newcomers are refused', {
  timeout: 60_000,
}, async () => {
  const a = await hostWith('m')
  const hosts = [{ name: 'a', url: a.url, kind: 'openai' as const, slots: 8 }]
  const on = await startReloadable({ hosts, probe, teams: { ml: {} } })
  const [one, two] = [await on.gateway.createKey(), await on.gateway.createKey({ team: 'ml' })]
  const answers = [await stream(on, 'm', one.key), await stream(on, 'm', two.key)]
  await on.gateway.admin('POST', `/admin/keys/${one.id}/revoke`, {})
  await on.write({ hosts, probe, teams: { ml: { concurrentRequests: 1 } }, limits: { waitMsMax: 0 } })
  await on.toldSince(0)
  expect(await refusal(on, 'm', one.key)).toEqual({ status: 401, code: 'invalid_api_key' })
  expect(await refusal(on, 'm', two.key)).toEqual({ status: 429, code: 'concurrency_limit_exceeded' })
  await finishes(a, answers)
})
