/** Hosts that lack a part of what hosts can have: said at once, no reason to pause or eject them, and another host may have it. */
import { expect, test } from 'vitest'
import { FakeClock } from '../../kit/fake-clock.ts'
import { ask, clientOf, model as doubleModel, gaugeReaches, oneHost } from '../../kit/fleet.ts'
import { jsonRequestBytes } from '../../kit/http-bytes.ts'
import { within } from '../../kit/within.ts'
import { expectNotEjected, firstOfEquals, says } from './first-host.ts'
import { chatAnswer, chatBytes, errorOf, model, type SceneOptions, scenario } from './scene.ts'

const embeddings = jsonRequestBytes('/v1/embeddings', { model, input: 'x' })
const vectors = { object: 'list', data: [{ index: 0, embedding: [1] }], model }
const answers = says(200, JSON.parse(chatAnswer('served')))
const twoHosts = { a: [model], b: [model] }
/** No time passes, so that nothing is served that had to wait for the end of a pause. */
const still = (options: SceneOptions = {}): SceneOptions => ({ ...options, clock: new FakeClock() })

const noEmbeddings = {
  error: { message: 'Embedding engine not available.', type: 'server_error', code: 'embedding_unavailable' },
}
const lmx: SceneOptions = {
  host: { kind: 'lmx' },
  get: {
    '/healthz': { status: 'ok', version: '0.1.0' },
    '/.well-known/opta-lmx': { service: 'opta-lmx', in_flight_requests: 0 },
  },
}

test('LMX without an engine for embeddings says so at once, and its chats do not wait', async () => {
  const { gateway } = await oneHost({ embeddingModel: null })
  const client = clientOf(gateway, { maxRetries: 0 })
  const refused = Array.from({ length: 3 }, async () => {
    await expect(client.embeddings.create({ model: doubleModel, input: 'x' })).rejects.toMatchObject({
      status: 503,
      code: 'no_upstream_available',
    })
  })
  const chats = Array.from({ length: 4 }, () => client.chat.completions.create(ask('Beside them', 1)))
  await within(10_000, 'answers for all', Promise.all([...refused, ...chats]))
  expect(await gateway.sum('host_circuit_open')).toBe(0)
})

test('such a host is asked once for each request, with no pause of it, and is never ejected', () =>
  scenario(still(lmx), async (scene) => {
    for (let i = 0; i < 6; i++) {
      scene.host().play(...says(503, noEmbeddings))
      const refusal = await scene.ask(embeddings)
      expect([refusal.status, errorOf(refusal).code]).toEqual([503, 'no_upstream_available'])
      expect(errorOf(refusal).message).toBe(noEmbeddings.error.message)
      scene.host().play(...answers)
      expect((await scene.ask(chatBytes())).status).toBe(200)
    }
    await expectNotEjected(scene)
    return { requests: 12, attempts: { a: 12 } }
  }))

test('a host that has embeddings takes them', () => {
  firstOfEquals()
  return scenario(still({ ...lmx, hosts: twoHosts }), async (scene) => {
    scene.host('a').play(...says(503, noEmbeddings))
    scene.host('b').play(...says(200, vectors))
    const answer = await scene.ask(embeddings)
    expect([answer.status, JSON.parse(answer.text)]).toEqual([200, vectors])
    expect(answer.header('x-lmx-gateway-reason')).toBe('retry_refused')
    return { requests: 1, attempts: { a: 1, b: 1 } }
  })
})

test('a 503 that says when to come back is one of a busy host, whatever it names', () => {
  const clock = new FakeClock()
  return scenario({ ...lmx, clock }, async (scene) => {
    scene.host().play(...says(503, noEmbeddings, { 'retry-after': '5' }))
    scene.host().play(...says(200, vectors))
    const asked = scene.ask(embeddings)
    await gaugeReaches(scene.gateway, 'host_errors_total', 1)
    await clock.advance(5_000)
    expect((await asked).status).toBe(200)
    return { requests: 1, attempts: { a: 2 } }
  })
})

const notSupported = { error: { message: 'This server does not support embeddings.', type: 'not_supported_error' } }

test.each([501, 405])('%d: 404 not_found, and six of them are no reason to eject the host', (status) =>
  scenario(still(), async (scene) => {
    for (let i = 0; i < 6; i++) {
      scene.host().play(...says(status, notSupported))
      const refusal = await scene.ask(embeddings)
      expect([refusal.status, errorOf(refusal).code]).toEqual([404, 'not_found'])
    }
    await expectNotEjected(scene)
    scene.host().play(...answers)
    expect((await scene.ask(chatBytes())).status).toBe(200)
    return { requests: 7, attempts: { a: 7 } }
  }),
)

test.each([501, 405])('%d: another host may offer it', (status) => {
  firstOfEquals()
  return scenario(still({ hosts: twoHosts }), async (scene) => {
    scene.host('a').play(...says(status, notSupported))
    scene.host('b').play(...says(200, vectors))
    const answer = await scene.ask(embeddings)
    expect([answer.status, answer.header('x-lmx-gateway-reason')]).toEqual([200, 'retry_refused'])
    return { requests: 1, attempts: { a: 1, b: 1 } }
  })
})
