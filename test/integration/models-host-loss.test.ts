/** Hosts that are lost between two probes: a request moves on where nothing had been sent, and the host comes back by itself. */

import { expect, onTestFinished, test } from 'vitest'
import { DeafHost } from '../kit/deaf-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, oneHost, startDouble } from '../kit/fleet.ts'
import { within } from '../kit/within.ts'

/** No probe comes in between unless a request asks for one. */
const rarely = { everyMs: 60_000 }
const once = { maxRetries: 0 }

/** A host that is kept busy with a model of its own, so that the next request for the common one goes elsewhere. */
async function busyHost() {
  const clock = new FakeClock()
  const double = await startDouble({ models: [model, 'only/here'], clock, cost: { ttftMs: 100 } })
  return { clock, double }
}

test.each([[false], [true]])(
  'a host whose port was closed: the other one answers, and the lost one is back after a probe (streamed: %s)',
  async (stream) => {
    const { clock, double: busy } = await busyHost()
    const lost = await startDouble()
    const hosts = [
      { name: 'busy', url: busy.url },
      { name: 'lost', url: lost.url },
    ]
    const gateway = await gatewayBefore(hosts, { probe: rarely })
    const client = clientOf(gateway)
    const first = client.chat.completions.create({ ...ask('Keep it busy', 1), model: 'only/here' })
    await busy.waitFor(({ running }) => running === 1, 'the first request')

    await lost.sigterm()
    expect(await gateway.metric('host_up', { host: 'lost' })).toBe(1)
    const second = client.chat.completions.create({ ...ask('Move on', 2), stream }, once).asResponse()
    await busy.waitFor(({ running }) => running === 2, 'the request on the other host')
    await clock.advance(100)
    const response = await within(5_000, 'the answer', second)
    expect(response.status).toBe(200)
    expect(response.headers.get('x-lmx-gateway-host')).toBe('busy')
    expect(response.headers.get('x-lmx-gateway-attempts')).toBe('2')
    expect(response.headers.get('x-lmx-gateway-reason')).toBe('retry_connect')
    expect(await response.text()).toContain('w1 ')
    await within(5_000, 'the first answer', first)
    const outcomes = await gateway.outcomesOnce(2)
    expect(new Set(outcomes.map(({ fields }) => fields['attempts']))).toEqual(new Set([1, 2]))
    expect(await gateway.metric('failovers_total', { model, phase: 'connect', result: 'ok' })).toBe(1)

    // At once, and not only when probes have failed often enough.
    expect(await gateway.metric('host_up', { host: 'lost' })).toBe(0)
    await lost.openListener()
    await gaugeReaches(gateway, 'host_up', 1, { host: 'lost' })
    const third = client.chat.completions.create({ ...ask('Keep it busy again', 1), model: 'only/here' })
    await busy.waitFor(({ running }) => running === 1, 'the third request')
    const fourth = await client.chat.completions.create(ask('Back?', 1), once).withResponse()
    expect(fourth.response.headers.get('x-lmx-gateway-host')).toBe('lost')
    await clock.advance(100)
    await within(5_000, 'the third answer', third)
  },
)

test('a host that accepts no connection: the other one answers once the time for connecting is over', async () => {
  const deaf = await DeafHost.start()
  onTestFinished(() => deaf.close())
  const { clock, double: busy } = await busyHost()
  const hosts = [
    { name: 'busy', url: busy.url },
    { name: 'deaf', url: deaf.url, kind: 'openai' as const },
  ]
  const gateway = await gatewayBefore(hosts, { probe: rarely, relay: { connectMsMax: 200 } })
  const client = clientOf(gateway)
  const first = client.chat.completions.create({ ...ask('Keep it busy', 1), model: 'only/here' })
  await busy.waitFor(({ running }) => running === 1, 'the first request')
  await deaf.closeEars()
  const second = client.chat.completions.create(ask('Move on', 2), once).withResponse()
  await busy.waitFor(({ running }) => running === 2, 'the request on the other host')
  await clock.advance(100)
  const { response } = await within(5_000, 'the answer', second)
  expect(response.headers.get('x-lmx-gateway-host')).toBe('busy')
  expect(response.headers.get('x-lmx-gateway-attempts')).toBe('2')
  await within(5_000, 'the first answer', first)

  deaf.openEars()
  await gaugeReaches(gateway, 'host_up', 1, { host: 'deaf' })
  expect(deaf.requests.filter((request) => request.startsWith('POST'))).toEqual([])
})

test('no host is left: 503 after as many attempts as there were hosts, two at the most', async () => {
  const doubles = [await startDouble(), await startDouble(), await startDouble()]
  const gateway = await gatewayBefore(
    doubles.map(({ url }) => ({ url })),
    { probe: rarely },
  )
  for (const double of doubles) await double.sigterm()
  const client = clientOf(gateway)
  const failure = client.chat.completions.create(ask('Anybody?'), once)
  await expect(failure).rejects.toMatchObject({ status: 503, code: 'no_upstream_available' })
  const [outcome] = await gateway.outcomesOnce(1)
  expect(outcome!.fields).toMatchObject({ status: 503, end: 'UC', attempts: 2 })
  expect(await gateway.metric('failovers_total', { model, phase: 'connect', result: 'failed' })).toBe(1)
})

test('those who wait when their host is lost are served when it is back', async () => {
  const clock = new FakeClock()
  const { client, double, gateway } = await oneHost(
    { clock, cost: { ttftMs: 100 } },
    { host: { slots: 1 }, probe: { everyMs: 100, fall: 1 } },
  )
  const first = client.chat.completions.create({ ...ask('Cut off'), stream: true }, once)
  const failure = expect(first).rejects.toMatchObject({ status: 502, code: 'upstream_disconnected' })
  await double.waitFor(({ running }) => running === 1, 'the first request')
  const waiting = client.chat.completions.create(ask('Patient', 1), once)
  await gaugeReaches(gateway, 'queue_depth', 1)

  double.closeListener()
  await gaugeReaches(gateway, 'host_up', 0)
  double.crash()
  await failure
  await expect(client.chat.completions.create(ask('Newcomer'), once)).rejects.toMatchObject({ status: 503 })
  expect(await gateway.sum('queue_depth')).toBe(1)

  await double.openListener()
  await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the one who waited')
  await clock.advance(100)
  expect((await within(5_000, 'its answer', waiting)).choices[0]!.message.content).toBe('w0 ')
})
