/** The end of a gateway: newcomers are refused, those who are inside are served or told the truth, and it is over in time. */

import { expect, onTestFinished, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gaugeReaches, model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import { jsonRequestBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import type { LmxDoubleOptions } from '../kit/lmx-double/lmx-double.ts'
import { RawClient } from '../kit/raw-client.ts'
import { eventually, within } from '../kit/within.ts'

const once = { maxRetries: 0 }

/** A gateway with one slot before a double, and no check of its metrics at the end: it is stopped by then. */
async function drainable(double: LmxDoubleOptions, server: Parameters<typeof startGateway>[0]['server'] = {}) {
  const host = await startDouble(double)
  const gateway = await startGateway({ hosts: [{ name: 'studio', url: host.url, slots: 1 }], server })
  onTestFinished(() => gateway.gateway.stop({ now: true }))
  return { double: host, gateway, client: clientOf(gateway) }
}

/** Clock and prices of answers that take 100 ms of a time that the test moves. */
function held() {
  const clock = new FakeClock()
  return { clock, options: { clock, cost: { ttftMs: 100 } } }
}

async function readiness(gateway: GatewayUnderTest): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${gateway.url}/readyz`)
  return { status: response.status, body: await response.json() }
}

/** A stream that stands still after two tokens. */
async function stalledStream(gateway: GatewayUnderTest): Promise<{ raw: RawClient; response: HttpMessage }> {
  const raw = await RawClient.open(gateway.port)
  onTestFinished(() => raw.close())
  await raw.send(jsonRequestBytes('/v1/chat/completions', { ...ask('A story', 10), stream: true }))
  const response = await raw.response()
  await response.has('w1 ')
  return { raw, response }
}

function expectBrokenHonestly(response: HttpMessage): void {
  expect(response.complete).toBe(false)
  const last = response.text.trimEnd().split('\n\n').at(-1)!
  expect(JSON.parse(last.slice('data: '.length))).toMatchObject({
    error: { code: 'gateway_shutting_down', type: 'overloaded_error' },
  })
  expect(response.text).not.toContain('[DONE]')
}

test('those inside are served to the end, those outside are refused', async () => {
  const { clock, options } = held()
  const { double, gateway, client } = await drainable(options)
  const stream = client.chat.completions.create({ ...ask('running', 4), stream: true }, once).asResponse()
  await double.waitFor(({ running }) => running === 1, 'the running stream')
  const waiting = [1, 2].map((index) => client.chat.completions.create(ask(`waiting ${index}`, 2), once))
  await gaugeReaches(gateway, 'queue_depth', 2)
  expect(await readiness(gateway)).toEqual({ status: 200, body: { status: 'ready' } })

  const stop = gateway.gateway.stop()
  expect(await readiness(gateway)).toEqual({
    status: 503,
    body: { status: 'unavailable', reason: 'the gateway is stopping' },
  })
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  const newcomer = client.chat.completions.create(ask('newcomer'), once)
  await expect(newcomer).rejects.toMatchObject({ status: 503, code: 'gateway_shutting_down' })

  await clock.advance(100)
  const text = await within(
    5_000,
    'the running stream',
    stream.then((response) => response.text()),
  )
  expect(text).toMatch(/w3 .*data: \[DONE\]\n\n$/s)
  for (const [index, answer] of waiting.entries()) {
    expect((await readiness(gateway)).status).toBe(503)
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === index + 2, `waiting ${index + 1}`)
    await clock.advance(100)
    const { choices } = await within(5_000, `the answer of waiting ${index + 1}`, Promise.resolve(answer))
    expect(choices[0]!.message.content).toBe('w0 w1 ')
  }
  await within(5_000, 'the end of the gateway', stop)
  const ends = gateway.outcomes().map(({ fields }) => `${String(fields['status'])} ${String(fields['end'])}`)
  expect(ends).toEqual(['503 AR', '200 --', '200 --', '200 --'])
  await double.waitFor(({ connections }) => connections === 0, 'the end of all connections')
  await expect(fetch(`${gateway.url}/healthz`)).rejects.toThrow()
  await expect(fetch(`${gateway.adminUrl}/metrics`)).rejects.toThrow()
})

test('a gateway with nothing to do stops at once, and a second stop waits for the first', async () => {
  const { gateway } = await drainable({})
  await within(5_000, 'both stops', Promise.all([gateway.gateway.stop(), gateway.gateway.stop()]))
  await expect(fetch(`${gateway.url}/readyz`)).rejects.toThrow()
})

test('connections that are kept for a next request do not hold it up', async () => {
  const { gateway, client } = await drainable({})
  await client.chat.completions.create(ask('Hello', 1))
  const idle = await RawClient.open(gateway.port)
  onTestFinished(() => idle.close())
  await idle.send(jsonRequestBytes('/v1/chat/completions', ask('Hello', 1)))
  await (await idle.response()).over()
  await within(5_000, 'the end of the gateway', gateway.gateway.stop())
  expect(await idle.closed()).toBe('fin')
})

test('when the time for draining is over, streams end with an error frame and those who wait with 503', async () => {
  const { double, gateway, client } = await drainable({}, { drainMsMax: 200 })
  double.faults.set({ stallAfterTokens: 2 })
  const { raw, response } = await stalledStream(gateway)
  const waiting = client.chat.completions.create(ask('waiting'), once)
  const refused = expect(waiting).rejects.toMatchObject({ status: 503, code: 'gateway_shutting_down' })
  await gaugeReaches(gateway, 'queue_depth', 1)

  const stop = gateway.gateway.stop()
  await response.over()
  expectBrokenHonestly(response)
  expect(await raw.closed()).toBe('fin')
  await within(5_000, 'the refusal', refused)
  await within(5_000, 'the end of the gateway', stop)
  const ends = gateway.outcomes().map(({ fields }) => `${String(fields['status'])} ${String(fields['end'])}`)
  expect(ends.toSorted((a, b) => a.localeCompare(b))).toEqual(['200 AD', '503 AQ'])
  await double.waitFor(({ running, connections }) => running === 0 && connections === 0, 'the host to be left alone')
  expect(double.inferenceRequests).toHaveLength(1)
})

test('now: streams end with an error frame at once', async () => {
  const { double, gateway } = await drainable({})
  double.faults.set({ stallAfterTokens: 2 })
  const { response } = await stalledStream(gateway)
  await within(5_000, 'the end of the gateway', gateway.gateway.stop({ now: true }))
  await response.over()
  expectBrokenHonestly(response)
  expect(gateway.outcomes().map(({ fields }) => fields['end'])).toEqual(['AD'])
})

test('now, in the middle of a drain: a second signal', async () => {
  const { clock, options } = held()
  const { double, gateway, client } = await drainable(options)
  const running = client.chat.completions.create(ask('running'), once)
  const failure = expect(running).rejects.toMatchObject({ status: 503, code: 'gateway_shutting_down' })
  await double.waitFor((host) => host.running === 1, 'the running request')
  const stop = gateway.gateway.stop()
  expect((await readiness(gateway)).status).toBe(503)
  await within(5_000, 'the end of the gateway', gateway.gateway.stop({ now: true }))
  await within(5_000, 'the first stop', stop)
  await within(5_000, 'the failure', failure)
  await clock.advance(100)
})

test('while load balancers are given time to look away, newcomers are still served', async () => {
  const { gateway, client } = await drainable({}, { shutdownDelayMs: 60_000 })
  const stop = gateway.gateway.stop()
  expect((await readiness(gateway)).status).toBe(503)
  expect((await client.chat.completions.create(ask('Just in time', 1), once)).model).toBe(model)
  await within(5_000, 'the end of the gateway', gateway.gateway.stop({ now: true }))
  await within(5_000, 'the first stop', stop)
})

test('a request that is still arriving is refused when the drain ends, not left hanging', async () => {
  const { double, gateway } = await drainable({}, { drainMsMax: 200 })
  const raw = await RawClient.open(gateway.port)
  onTestFinished(() => raw.close())
  const whole = jsonRequestBytes('/v1/chat/completions', ask('x'.repeat(5_000)))
  await raw.send(whole.subarray(0, 2_000))
  await gaugeReaches(gateway, 'queue_bytes', 2_000 - whole.indexOf('\r\n\r\n') - 4)
  const stop = gateway.gateway.stop()
  const response = await raw.response()
  expect(response.status).toBe(503)
  await within(5_000, 'the end of the gateway', stop)
  await eventually(1_000, 'its outcome', () => gateway.outcomes().length === 1)
  expect(gateway.outcomes()[0]!.fields).toMatchObject({ status: 503, end: 'AR' })
  expect(double.inferenceRequests).toEqual([])
})
