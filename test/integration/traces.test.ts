/** What a receiver of traces gets of requests, and what hosts are told of them: real sockets all the way. */

import type OpenAI from 'openai'
import { expect, onTestFinished, test } from 'vitest'
import type { ConfigInput } from '../kit/config-of.ts'
import { everyPiece } from '../kit/every-piece.ts'
import { ask, clientOf, model, startDouble } from '../kit/fleet.ts'
import { type GatewayUnderTest, startGateway } from '../kit/gateway-under-test.ts'
import type { FaultPlan } from '../kit/lmx-double/faults.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../kit/otlp-receiver.ts'
import { eventually, within } from '../kit/within.ts'
import { firstOfEquals } from './scenarios/first-host.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentSpanId = '00f067aa0ba902b7'
const traceparent = `00-${traceId}-${parentSpanId}-01`

interface Scene {
  readonly receiver: OtlpReceiver
  readonly gateway: GatewayUnderTest
  readonly doubles: readonly LmxDouble[]
  readonly client: OpenAI
}

/** A gateway before as many doubles as there are faults, by the names a, b, …; of equals the first is taken. */
async function scene(otlp: ConfigInput['otlp'] = {}, faults: readonly FaultPlan[] = [{}]): Promise<Scene> {
  firstOfEquals()
  const receiver = await startOtlpReceiver()
  const doubles = await Promise.all(faults.map((plan) => startDouble({ faults: plan })))
  const hosts = doubles.map(({ url }, at) => ({ name: 'ab'.charAt(at), url }))
  const gateway = await startGateway({ hosts, otlp: { endpoint: receiver.url, ...otlp } })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { receiver, gateway, doubles, client: clientOf(gateway, { maxRetries: 0 }) }
}

/** All that was sent, by name: what is left is sent at the end. */
async function spansOf({ gateway, receiver }: Scene) {
  await gateway.gateway.stop()
  // A process that is just starting may take so long over its first checks that they show.
  const spans = receiver.spans().filter((span) => span.name !== 'limit wait')
  return { spans, named: (name: string): readonly ReceivedSpan[] => spans.filter((span) => span.name === name) }
}

const toldTo = (double: LmxDouble) => double.inferenceRequests.map(({ headers }) => headers)

test('a stream is one trace: the client’s, with the line, the attempt, its first token and the rest under it', async () => {
  const one = await scene()
  const headers = { traceparent, tracestate: 'congo=t61rcWkgMzE' }
  await everyPiece(
    await one.client.chat.completions.create({ ...ask('the canary sings', 5), stream: true }, { headers }),
  )
  const { spans, named } = await spansOf(one)
  const [root] = named(`chat ${model}`)
  const [queue] = named('queue')
  const [attempt] = named('attempt')
  const [first] = named('first token')
  const [stream] = named('stream')
  expect(spans).toHaveLength(5)
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]))
  expect(new Set(spans.map((span) => span.spanId)).size).toBe(5)
  expect(root).toMatchObject({ parentSpanId, kind: 2, status: 0 })
  expect(queue).toMatchObject({ parentSpanId: root!.spanId, kind: 1 })
  expect(attempt).toMatchObject({ parentSpanId: root!.spanId, kind: 3, status: 0 })
  expect(first).toMatchObject({ parentSpanId: attempt!.spanId })
  expect(stream).toMatchObject({ parentSpanId: attempt!.spanId })
  // The host continues the attempt, and gets the state as it came.
  expect(toldTo(one.doubles[0]!)).toMatchObject([
    { traceparent: `00-${traceId}-${attempt!.spanId}-01`, tracestate: 'congo=t61rcWkgMzE' },
  ])
  const times = [root, queue, attempt, first].map((span) => span!.startMs)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(queue!.endMs).toBeCloseTo(attempt!.startMs, 1)
  expect(first!.endMs).toBeCloseTo(stream!.startMs, 1)
  expect(stream!.endMs).toBeCloseTo(root!.endMs, 1)
  const { durationMs } = (await one.gateway.outcomesOnce(1))[0]!.fields
  expect(root!.endMs - root!.startMs).toBeCloseTo(Number(durationMs), 0)
  expect(Math.abs(Date.now() - root!.endMs)).toBeLessThan(60_000)
})

test('its attributes are those of the conventions for generative AI and our own, and no word of the prompt or the answer', async () => {
  const one = await scene({ serviceName: 'our-gateway', headers: { 'x-receiver-key': 'to-be-let-in' } })
  await everyPiece(await one.client.chat.completions.create({ ...ask('the canary sings', 5), stream: true }))
  const { named } = await spansOf(one)
  const [root] = named(`chat ${model}`)
  const [attempt] = named('attempt')
  const {
    'gen_ai.response.time_to_first_chunk': firstChunk,
    'lmx_gateway.queue_ms': queueMs,
    'lmx_gateway.reason': reason,
    ...others
  } = root!.attributes
  expect([typeof firstChunk, typeof queueMs, typeof reason]).toEqual(['number', 'number', 'string'])
  expect(others).toEqual({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'lmx-gateway',
    'gen_ai.request.model': model,
    'gen_ai.request.stream': true,
    'gen_ai.response.model': model,
    'gen_ai.usage.input_tokens': one.doubles[0]!.promptTokens,
    'gen_ai.usage.output_tokens': 5,
    'gen_ai.usage.cache_read.input_tokens': 0,
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'lmx_gateway.request_id': one.gateway.usage[0]!.id,
    'lmx_gateway.endpoint': 'chat_completions',
    'lmx_gateway.key': 'anonymous',
    'lmx_gateway.class': 'default',
    'lmx_gateway.end': '--',
    'lmx_gateway.host': 'a',
    'lmx_gateway.attempts': 1,
    'lmx_gateway.usage_source': 'reported',
  })
  expect(attempt!.attributes).toMatchObject({
    'gen_ai.provider.name': 'lmx',
    'gen_ai.request.model': model,
    'lmx_gateway.host': 'a',
  })
  expect(one.receiver.resource()).toMatchObject({ 'service.name': 'our-gateway', 'service.version': '0.0.0-test' })
  const [request] = one.receiver.requests
  expect(request).toMatchObject({ path: '/v1/traces', headers: { 'x-receiver-key': 'to-be-let-in' } })
  for (const word of ['canary', 'w0 w1', 'to-be-let-in', String(one.doubles[0]!.port)]) {
    expect(request!.text).not.toContain(word)
  }
})

test('without a context of the client a trace begins here, and its host is told', async () => {
  const one = await scene()
  await one.client.chat.completions.create(ask('hello', 1))
  const { named } = await spansOf(one)
  const [root] = named(`chat ${model}`)
  const [attempt] = named('attempt')
  expect(root!.parentSpanId).toBe('')
  expect(toldTo(one.doubles[0]!)[0]!['traceparent']).toBe(`00-${root!.traceId}-${attempt!.spanId}-01`)
})

test('a client that does not record its trace is not recorded here, and its context goes on all the same', async () => {
  const one = await scene()
  const headers = { traceparent: traceparent.replace(/01$/, '00'), tracestate: 'a=1' }
  await one.client.chat.completions.create(ask('hello', 1), { headers })
  const { spans } = await spansOf(one)
  expect(spans).toEqual([])
  expect(one.receiver.requests).toEqual([])
  const told = toldTo(one.doubles[0]!)[0]!
  expect(told['traceparent']).toMatch(new RegExp(`^00-${traceId}-(?!${parentSpanId})[0-9a-f]{16}-00$`))
  expect(told['tracestate']).toBe('a=1')
})

test('a broken traceparent is as none, and its tracestate goes with it', async () => {
  const one = await scene()
  const headers = { traceparent: `00-${traceId}-${'0'.repeat(16)}-01`, tracestate: 'a=1' }
  await one.client.chat.completions.create(ask('hello', 1), { headers })
  const { named } = await spansOf(one)
  expect(named(`chat ${model}`)).toMatchObject([{ parentSpanId: '' }])
  expect(named(`chat ${model}`)[0]!.traceId).not.toBe(traceId)
  expect(toldTo(one.doubles[0]!)[0]).not.toHaveProperty('tracestate')
})

test('a request that goes to another host shows both attempts, the failed one as failed', async () => {
  const one = await scene({}, [{ rateLimited: true }, {}])
  await one.client.chat.completions.create(ask('hello', 1), { headers: { traceparent } })
  const { named } = await spansOf(one)
  const [root] = named(`chat ${model}`)
  const attempts = named('attempt')
  expect(root).toMatchObject({ status: 0, attributes: { 'lmx_gateway.attempts': 2, 'lmx_gateway.host': 'b' } })
  expect(attempts).toMatchObject([
    { status: 2, parentSpanId: root!.spanId, attributes: { 'lmx_gateway.host': 'a', 'lmx_gateway.attempt': 1 } },
    { status: 0, parentSpanId: root!.spanId, attributes: { 'lmx_gateway.host': 'b', 'lmx_gateway.attempt': 2 } },
  ])
  expect(attempts[0]!.attributes['error.type']).toMatch(/^upstream_/)
  expect(attempts[1]!.attributes).not.toHaveProperty('error.type')
  expect(one.doubles.map((double) => toldTo(double)[0]!['traceparent'])).toEqual(
    attempts.map(({ spanId }) => `00-${traceId}-${spanId}-01`),
  )
})

test('a request that fails is one that failed, in its attempt as well', async () => {
  const one = await scene({}, [{ errorAfterTokens: 2 }])
  const stream = await one.client.chat.completions.create({ ...ask('hello', 5), stream: true })
  await expect(everyPiece(stream)).rejects.toThrow()
  const { named } = await spansOf(one)
  const { error, end } = (await one.gateway.outcomesOnce(1))[0]!.fields
  expect(named(`chat ${model}`)).toMatchObject([
    { status: 2, attributes: { 'error.type': error, 'lmx_gateway.end': end, 'http.response.status_code': 200 } },
  ])
  expect(named('attempt')).toMatchObject([{ status: 2, attributes: { 'error.type': error } }])
  expect(named('stream')).toHaveLength(1)
})

test('a request that is refused is told of by its refusal alone, under no name that a client invented', async () => {
  const one = await scene()
  const asked = one.client.chat.completions.create({ ...ask('hello'), model: 'invented-name' })
  await expect(asked).rejects.toMatchObject({ status: 404 })
  const { spans } = await spansOf(one)
  expect(spans).toMatchObject([
    { name: 'chat', status: 0, attributes: { 'error.type': 'model_not_found', 'http.response.status_code': 404 } },
  ])
  expect(one.receiver.requests[0]!.text).not.toContain('invented-name')
})

test('who is refused at the door fills no receiver, whatever it says of its trace', async () => {
  const one = await scene()
  const { key } = await one.gateway.createKey()
  const refused = clientOf(one.gateway, { maxRetries: 0, apiKey: 'lmx_live_wrong' })
  for (let times = 0; times < 3; times++) {
    await expect(refused.chat.completions.create(ask('hello', 5), { headers: { traceparent } })).rejects.toThrow('401')
  }
  const known = clientOf(one.gateway, { maxRetries: 0, apiKey: key })
  await known.chat.completions.create(ask('hello', 5), { headers: { traceparent } })
  const { named } = await spansOf(one)
  expect(named(`chat ${model}`)).toHaveLength(1)
  expect(named('chat')).toEqual([])
})

test('a client that leaves is no failure', async () => {
  const one = await scene({}, [{ stallAfterTokens: 2 }])
  const controller = new AbortController()
  const stream = await one.client.chat.completions.create(
    { ...ask('hello', 5), stream: true },
    { signal: controller.signal },
  )
  await stream[Symbol.asyncIterator]().next()
  controller.abort()
  await one.gateway.outcomesOnce(1)
  const { named } = await spansOf(one)
  const [root] = named(`chat ${model}`)
  expect(root).toMatchObject({ status: 0, attributes: { 'lmx_gateway.end': 'CD' } })
  expect(root!.attributes).not.toHaveProperty('http.response.status_code')
  expect(named('attempt')).toMatchObject([{ status: 0 }])
})

test('with a sample ratio of 0 only what clients record is recorded', async () => {
  const one = await scene({ sampleRatio: 0 })
  await one.client.chat.completions.create(ask('hello', 1))
  await one.client.chat.completions.create(ask('hello', 1), { headers: { traceparent } })
  const { spans } = await spansOf(one)
  expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]))
  expect(toldTo(one.doubles[0]!).map((told) => String(told['traceparent']).slice(-2))).toEqual(['00', '01'])
})

test.each([{ endpoint: undefined }, { traces: false }])(
  'without traces a context is passed on as it came, and its requests are found by the id of its trace: %o',
  async (otlp) => {
    const one = await scene(otlp)
    const later = `cc-${traceId}-${parentSpanId}-03-more`
    const create = (headers: Record<string, string>) => one.client.chat.completions.create(ask('hello', 1), { headers })
    await create({ traceparent: later, tracestate: 'a=1' })
    await create({ traceparent: later.toUpperCase(), tracestate: 'a=1' })
    await one.client.chat.completions.create(ask('hello', 1))
    await spansOf(one)
    const [passed, ...none] = toldTo(one.doubles[0]!)
    expect(passed).toMatchObject({ traceparent: later, tracestate: 'a=1' })
    for (const told of none) {
      expect(told).not.toHaveProperty('traceparent')
      expect(told).not.toHaveProperty('tracestate')
    }
    expect(one.receiver.requests).toEqual([])
    expect(one.gateway.outcomes().map(({ fields }) => fields['traceId'])).toEqual([traceId, null, null])
  },
)

const warnings = ({ gateway }: Scene) => gateway.log.filter(({ message }) => message.includes('OTLP'))
const droppedSpans = ({ gateway }: Scene) => gateway.metric('otlp_dropped_total', { signal: 'traces' })

test('what a receiver refuses is counted and told once, until it takes what is sent again', async () => {
  const one = await scene({ headers: { authorization: 'Bearer receiver-secret' } })
  one.receiver.answer = 401
  for (const requests of [1, 2]) {
    await one.client.chat.completions.create(ask('hello', 1))
    await one.receiver.once(requests)
  }
  await eventually(5_000, 'the refusal to be seen', () => warnings(one).length > 0)
  const perRequest = one.receiver.spans().length / 2
  expect(await droppedSpans(one)).toBe(2 * perRequest)
  one.receiver.answer = 200
  await one.client.chat.completions.create(ask('hello', 1))
  await one.receiver.once(3)
  await eventually(5_000, 'the receiver to be taken back', () => warnings(one).length > 1)
  expect(await droppedSpans(one)).toBe(2 * perRequest)
  expect(warnings(one)).toMatchObject([
    { level: 'warn', fields: { signal: 'traces', reason: 'HTTP 401' } },
    { level: 'info', fields: { signal: 'traces' } },
  ])
  expect(JSON.stringify(one.gateway.log)).not.toContain('receiver-secret')
})

test('a receiver that is gone costs no request anything, and no stop more than its time', async () => {
  const one = await scene({ timeoutMs: 500 })
  await one.receiver.close()
  for (let request = 0; request < 3; request++) await one.client.chat.completions.create(ask('hello', 1))
  await eventually(5_000, 'the failure to be told', () => warnings(one).length > 0)
  expect(await droppedSpans(one)).toBeGreaterThan(0)
  expect(warnings(one)).toMatchObject([{ level: 'warn', fields: { reason: 'ECONNREFUSED' } }])
  await one.gateway.gateway.stop()
  expect(one.gateway.outcomes().map(({ fields }) => fields['status'])).toEqual([200, 200, 200])
})

test('a receiver that does not answer does not keep the gateway from stopping', async () => {
  const one = await scene({ timeoutMs: 600_000 })
  one.receiver.answer = null
  await one.client.chat.completions.create(ask('hello', 1))
  await within(30_000, 'the stop', one.gateway.gateway.stop())
  expect(one.receiver.requests).toHaveLength(1)
})
