/** Hosts that say "not now" or "not here": busy, loading, out of memory, without the model. The gateway's clock is the test's. */
import { describe, expect, test } from 'vitest'
import { pause, wholeRequest } from '../../kit/chaos-host.ts'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, startDouble } from '../../kit/fleet.ts'
import { jsonResponseBytes } from '../../kit/http-bytes.ts'
import type { HttpMessage } from '../../kit/http-message.ts'
import { eventually } from '../../kit/within.ts'
import { expectNotEjected, firstOfEquals, says } from './first-host.ts'
import { chatAnswer, chatBytes, errorOf, model, type Scene, scenario } from './scene.ts'

const twoHosts = { a: [model], b: [model] }
const full = { error: { message: 'All slots are taken.', type: 'server_error', code: 'busy' } }
const answers = says(200, JSON.parse(chatAnswer('served')))

/** The scripted request of this number must not have come yet, however long the gateway is given to send it. */
async function expectNoExchange(scene: Scene, name: string, index: number): Promise<void> {
  await gaugeReaches(scene.gateway, 'host_inflight', 0)
  expect(scene.host(name).exchanges).toHaveLength(index)
}

describe.each<[number, unknown]>([
  [429, full],
  [507, { error: { message: 'Insufficient memory for this request.', code: 'insufficient_memory' } }],
])('%d with retry-after', (status, body) => {
  test('U37, U40: another host takes it at once, and the busy one gets nothing before its time', () => {
    firstOfEquals()
    const clock = new FakeClock()
    return scenario({ hosts: twoHosts, clock }, async (scene) => {
      scene.host('a').play(...says(status, body, { 'retry-after': '5' }))
      scene.host('a').play(...answers)
      scene.host('b').playAlways(...answers)
      const first = await scene.ask(chatBytes())
      expect(first.status).toBe(200)
      expect(first.header('x-lmx-gateway-reason')).toBe('retry_refused')
      await clock.advance(4_999)
      expect((await scene.ask(chatBytes())).header('x-lmx-gateway-host')).toBe('b')
      await clock.advance(1)
      expect((await scene.ask(chatBytes())).header('x-lmx-gateway-host')).toBe('a')
      await expectNotEjected(scene)
      return { requests: 3, attempts: { a: 2, b: 2 } }
    })
  })

  test('U37, U40: alone it waits in the line for as long as the host said', () => {
    const clock = new FakeClock()
    return scenario({ clock }, async (scene) => {
      scene.host().play(...says(status, body, { 'retry-after': '5' }))
      scene.host().play(...answers)
      const asked = scene.ask(chatBytes())
      await gaugeReaches(scene.gateway, 'host_errors_total', 1)
      await clock.advance(4_999)
      await expectNoExchange(scene, 'a', 1)
      await clock.advance(1)
      expect(await asked).toMatchObject({ status: 200, text: chatAnswer('served') })
      const [line] = await scene.gateway.outcomesOnce(1)
      expect(line?.fields).toMatchObject({ end: '--', attempts: 2, queueMs: 5_000 })
      await expectNotEjected(scene)
      return { requests: 1, attempts: { a: 2 } }
    })
  })

  test('U37, U40: beyond its patience it is told the smallest wait', () => {
    firstOfEquals()
    const clock = new FakeClock()
    const config = { queue: { waitMsMax: 10_000 } }
    return scenario({ hosts: twoHosts, clock, config }, async (scene) => {
      scene.host('a').play(...says(status, body, { 'retry-after': '40' }))
      scene.host('b').play(...says(status, body, { 'retry-after': '30' }))
      const asked = scene.ask(chatBytes())
      await gaugeReaches(scene.gateway, 'host_errors_total', 2)
      await clock.advance(10_000)
      const answer = await asked
      expect(answer.status).toBe(503)
      expect(errorOf(answer)).toMatchObject({ code: 'upstream_busy', type: 'overloaded_error' })
      expectHint(answer, 20_000)
      expect(answer.header('x-should-retry')).toBe('true')
      expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UQ')
      await expectNotEjected(scene)
      return { requests: 1, attempts: { a: 1, b: 1 } }
    })
  })
})

test('U37: a host that says so again and again, without a time, is asked at doubled distances until patience ends', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    scene.host().playAlways(...says(429, full))
    const asked = scene.ask(chatBytes())
    for (const [index, ms] of [1_000, 2_000, 4_000, 8_000, 16_000].entries()) {
      await gaugeReaches(scene.gateway, 'host_errors_total', index + 1)
      await clock.advance(ms - 1)
      await expectNoExchange(scene, 'a', index + 1)
      await clock.advance(1)
    }
    await gaugeReaches(scene.gateway, 'host_errors_total', 6)
    // A minute in all, of which the sixth refusal has left 29 s.
    await clock.advance(29_000)
    const answer = await asked
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'upstream_busy'])
    await expectNotEjected(scene)
    return { requests: 1, attempts: { a: 6 } }
  })
})

test('U37: who was refused keeps its place in front of newcomers', () => {
  const clock = new FakeClock()
  return scenario({ clock, slots: 1 }, async (scene) => {
    scene.host().play(wholeRequest, pause, jsonResponseBytes(429, full, { 'retry-after': '2' }))
    scene.host().playAlways(...answers)
    const first = scene.ask(chatBytes({ user: 'first' }))
    const exchange = await scene.host().exchange()
    const others: Promise<unknown>[] = []
    for (const user of ['second', 'third']) {
      others.push(scene.ask(chatBytes({ user })))
      await gaugeReaches(scene.gateway, 'queue_depth', others.length)
    }
    await exchange.step()
    await gaugeReaches(scene.gateway, 'queue_depth', 3)
    await clock.advance(2_000)
    expect((await first).status).toBe(200)
    await Promise.all(others)
    const users = scene.host().exchanges.map(({ request }) => /"user":"(\w+)"/.exec(request?.text ?? '')?.[1])
    expect(users).toEqual(['first', 'first', 'second', 'third'])
    return { requests: 3, attempts: { a: 4 } }
  })
})

test('U37: a return to the line does not renew its patience', () => {
  const clock = new FakeClock()
  const config = { queue: { waitMsMax: 10_000 } }
  return scenario({ clock, slots: 1, config }, async (scene) => {
    scene.host().play(wholeRequest, pause, jsonResponseBytes(200, JSON.parse(chatAnswer('long'))))
    scene.host().play(...says(429, full, { 'retry-after': '60' }))
    const holder = scene.ask(chatBytes())
    const exchange = await scene.host().exchange()
    const waiter = scene.ask(chatBytes())
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await clock.advance(7_000)
    await exchange.step()
    expect((await holder).status).toBe(200)
    await gaugeReaches(scene.gateway, 'host_errors_total', 1)
    await gaugeReaches(scene.gateway, 'queue_depth', 1)
    await clock.advance(2_999)
    expect(await scene.gateway.sum('queue_depth')).toBe(1)
    await clock.advance(1)
    expect(errorOf(await waiter).code).toBe('upstream_busy')
    expect((await scene.gateway.outcomesOnce(2))[1]?.fields).toMatchObject({ end: 'UQ', status: 503 })
    return { requests: 2, attempts: { a: 2 } }
  })
})

const loading = { error: { message: 'Loading model', type: 'unavailable_error', code: 503 } }

test('U38: a host that is loading the model is asked again until it is ready', () => {
  const clock = new FakeClock()
  return scenario({ clock }, async (scene) => {
    scene.host().play(...says(503, loading))
    scene.host().play(...says(503, loading))
    scene.host().play(...answers)
    const asked = scene.ask(chatBytes())
    for (const [index, ms] of [1_000, 2_000].entries()) {
      await gaugeReaches(scene.gateway, 'host_errors_total', index + 1, { reason: 'model_loading' })
      await clock.advance(ms)
    }
    expect(await asked).toMatchObject({ status: 200, text: chatAnswer('served') })
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ attempts: 3, queueMs: 3_000 })
    await expectNotEjected(scene)
    return { requests: 1, attempts: { a: 3 } }
  })
})

test('U37: patience runs while a host thinks about it, too: whoever hears "busy" after its end is not asked again', () => {
  const clock = new FakeClock()
  return scenario({ clock, config: { queue: { waitMsMax: 8_000 } } }, async (scene) => {
    scene.host().play(wholeRequest, pause, jsonResponseBytes(429, full, { 'retry-after': '1' }))
    const asked = scene.ask(chatBytes())
    const exchange = await scene.host().exchange()
    await clock.advance(8_000)
    await exchange.step()
    const answer = await asked
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'upstream_busy'])
    return { requests: 1, attempts: { a: 1 } }
  })
})

test('U38: one that does not get ready in time: 503 model_loading', () => {
  const clock = new FakeClock()
  return scenario({ clock, config: { queue: { waitMsMax: 2_500 } } }, async (scene) => {
    scene.host().playAlways(...says(503, loading))
    const asked = scene.ask(chatBytes())
    await gaugeReaches(scene.gateway, 'host_errors_total', 1)
    await clock.advance(1_000)
    await gaugeReaches(scene.gateway, 'host_errors_total', 2)
    await clock.advance(1_500)
    const answer = await asked
    expect([answer.status, errorOf(answer).code]).toEqual([503, 'model_loading'])
    // Two seconds from the second refusal, less what was waited since.
    expectHint(answer, 500)
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields['end']).toBe('UQ')
    return { requests: 1, attempts: { a: 2 } }
  })
})

test('U38: LMX sheds for want of memory: the other host has all, before a probe knows of it and after', async () => {
  firstOfEquals()
  const shedding = await startDouble()
  const sound = await startDouble()
  const hosts = [
    { name: 'a', url: shedding.url },
    { name: 'b', url: sound.url },
  ]
  const gateway = await gatewayBefore(hosts, { probe: { everyMs: 300 } })
  const client = clientOf(gateway, { maxRetries: 0 })
  shedding.faults.set({ shedding: true })
  for (let i = 0; i < 5; i++) {
    const { data, response } = await client.chat.completions.create(ask('Anybody?', 1)).withResponse()
    expect([data.choices.length, response.headers.get('x-lmx-gateway-host')]).toEqual([1, 'b'])
  }
  // Not more than once: it asked for 30 s of peace.
  expect(shedding.inferenceRequests.length).toBeLessThanOrEqual(1)
  const probes = (): number => shedding.requests.filter(({ path }) => path === '/v1/models').length
  const probesBefore = probes()
  await eventually(10_000, 'two more probes', () => probes() >= probesBefore + 2)
  expect((await client.chat.completions.create(ask('Still there?', 1))).choices).toHaveLength(1)
  expect(shedding.inferenceRequests.length).toBeLessThanOrEqual(1)
  expect(await gateway.sum('host_circuit_open')).toBe(0)
})

test('U38: alone, with shedding that a probe has seen: 503 no_upstream_available, and served again when it is over', async () => {
  const double = await startDouble({ faults: { shedding: true } })
  const gateway = await gatewayBefore([{ name: 'a', url: double.url, models: [ask('').model] }], {
    probe: { everyMs: 300 },
  })
  const client = clientOf(gateway, { maxRetries: 0 })
  await expect(client.chat.completions.create(ask('Anybody?', 1))).rejects.toMatchObject({
    status: 503,
    code: 'no_upstream_available',
  })
  expect(double.inferenceRequests).toHaveLength(0)
  double.faults.clear()
  const probes = double.requests.length
  await eventually(
    10_000,
    'two more probes',
    () => double.requests.slice(probes).filter(({ path }) => path === '/v1/models').length >= 2,
  )
  expect((await client.chat.completions.create(ask('And now?', 1))).choices).toHaveLength(1)
})

const missing = { error: { message: `The model '${model}' does not exist`, code: 'model_not_found' } }

test('U39: a model that the list still shows and the host does not have: another host, and the list is read again', () => {
  firstOfEquals()
  return scenario({ hosts: twoHosts }, async (scene) => {
    scene.host('a').play(...says(404, missing))
    scene.host('a').play(...answers)
    scene.host('b').play(...answers)
    const before = scene.host('a').soundRequests.length
    const answer = await scene.ask(chatBytes())
    expect(answer.status).toBe(200)
    expect(answer.header('x-lmx-gateway-host')).toBe('b')
    expect(answer.header('x-lmx-gateway-reason')).toBe('retry_refused')
    // Its list shows the model again, so it is believed again.
    await eventually(5_000, 'a look at the list', () => scene.host('a').soundRequests.length > before)
    await gaugeReaches(scene.gateway, 'host_models', 1, { host: 'a' })
    expect((await scene.ask(chatBytes())).header('x-lmx-gateway-host')).toBe('a')
    await expectNotEjected(scene)
    return { requests: 2, attempts: { a: 2, b: 1 } }
  })
})

test.each([false, true])('U39: alone 404, with the words of the host (streamed: %s)', (stream) =>
  scenario({}, async (scene) => {
    scene.host().play(...says(404, missing))
    const answer = await scene.ask(chatBytes({ stream }))
    expect(answer.status).toBe(404)
    expect(errorOf(answer)).toMatchObject({ code: 'model_not_found', message: missing.error.message })
    expect(answer.header('x-should-retry')).toBe('false')
    expect((await scene.gateway.outcomesOnce(1))[0]?.fields).toMatchObject({ end: 'GH', attempts: 1 })
    await expectNotEjected(scene)
    return { requests: 1, attempts: { a: 1 } }
  }),
)

/** What is left of the host's pause, and up to a fifth more, so that not all come back together. */
function expectHint(answer: HttpMessage, leftMs: number): void {
  const hintMs = Number(answer.header('retry-after-ms'))
  expect(hintMs).toBeGreaterThanOrEqual(leftMs)
  expect(hintMs).toBeLessThanOrEqual(Math.ceil(leftMs * 1.2))
  expect(answer.header('retry-after')).toBe(String(Math.ceil(hintMs / 1_000)))
}
