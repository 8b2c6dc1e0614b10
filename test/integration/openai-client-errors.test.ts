/** What the official client makes of failures: errors of its right classes, and tries of its own when and as it is told. */

import { APIError, BadRequestError, InternalServerError, NotFoundError, PermissionDeniedError } from 'openai'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ChaosHost } from '../kit/chaos-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, oneHost, startDouble } from '../kit/fleet.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import { faultMarker } from '../kit/lmx-double/faults.ts'
import { within } from '../kit/within.ts'

/** For tests of one answer: the client's own tries would only repeat it. */
const once = { maxRetries: 0 }

async function errorOf(promise: PromiseLike<unknown>): Promise<APIError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error('it did not fail')
}

describe('errors of the right class', () => {
  test('an unknown model: NotFoundError, which names what is there', async () => {
    const { client, double } = await oneHost({ models: ['org/small', 'org/large'] })
    const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), model: 'gpt-4o' }))
    expect(error).toBeInstanceOf(NotFoundError)
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model', type: 'invalid_request_error' })
    expect(error.message).toContain('org/large, org/small')
    expect(error.requestID).toMatch(/^req-/)
    expect(double.inferenceRequests).toEqual([])
  })

  test.each([
    ['the gateway', { n: 17 }, 'n'],
    ['the host', { temperature: 9 }, 'temperature'],
  ])('a field that %s refuses: BadRequestError', async (_who, field, param) => {
    const { client } = await oneHost()
    const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), ...field }))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ status: 400, code: 'invalid_request', param })
  })

  test('a name that leaves the local network: PermissionDeniedError', async () => {
    const { client } = await oneHost()
    const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), model: 'copilot/gpt-4o' }))
    expect(error).toBeInstanceOf(PermissionDeniedError)
    expect(error).toMatchObject({ status: 403, code: 'model_not_allowed' })
  })

  test('a path that is not there, and a method that is not', async () => {
    const { client } = await oneHost()
    const unknown = await errorOf(client.get('/assistants'))
    expect(unknown).toBeInstanceOf(NotFoundError)
    expect(unknown.code).toBe('not_found')
    const wrong = await errorOf(client.get('/chat/completions'))
    expect(wrong).toMatchObject({ status: 405, code: 'method_not_allowed' })
    expect(wrong.headers!.get('allow')).toBe('POST')
  })

  test.each([
    ['a failure of the engine', { internalError: true }, 502, 'upstream_bad_response'],
    ['an exception outside every handler', { crash: true }, 502, 'upstream_bad_response'],
  ])('%s: InternalServerError with its status', async (_what, fault, status, code) => {
    const { client, double, gateway } = await oneHost()
    for (const stream of [false, true]) {
      double.faults.next(fault)
      const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), stream }, once))
      expect(error).toBeInstanceOf(InternalServerError)
      expect(error).toMatchObject({ status, code })
    }
    expect(await gateway.metric('host_errors_total', { host: 'studio', reason: code })).toBe(2)
  })

  test('a host that stays busy: InternalServerError 503 once patience is over, for those too who never reached it', async () => {
    const { client, double, gateway } = await oneHost({}, { queue: { waitMsMax: 300 } })
    double.faults.set({ rateLimited: true })
    for (const stream of [false, true]) {
      const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), stream }, once))
      expect(error).toBeInstanceOf(InternalServerError)
      expect(error).toMatchObject({ status: 503, code: 'upstream_busy' })
    }
    expect(await gateway.metric('host_errors_total', { host: 'studio', reason: 'upstream_busy' })).toBe(1)
  })

  test('a kept connection that the host closes is not the end; one that it closes every time is', async () => {
    const { client, double } = await oneHost()
    await client.chat.completions.create(ask('Hello', 1))
    double.faults.next({ emptyReply: true })
    const { response } = await client.chat.completions.create(ask('Hello', 1), once).withResponse()
    expect(response.headers.get('x-lmx-gateway-attempts')).toBe('2')
    expect(response.headers.get('x-lmx-gateway-reason')).toBe('retry_reused_socket')
    double.faults.set({ emptyReply: true })
    const error = await errorOf(client.chat.completions.create(ask('Hello'), once))
    expect(error).toBeInstanceOf(InternalServerError)
    expect(error).toMatchObject({ status: 502, code: 'upstream_disconnected' })
  })

  test('a host that is nowhere: InternalServerError 503 with a hint when to come back', async () => {
    const double = await startDouble()
    await double.stop()
    const client = clientOf(await gatewayBefore([{ url: double.url }]))
    const error = await errorOf(client.chat.completions.create(ask('Hello'), once))
    expect(error).toBeInstanceOf(InternalServerError)
    expect(error).toMatchObject({ status: 503, code: 'no_upstream_available', type: 'overloaded_error' })
    expect(Number(error.headers!.get('retry-after-ms'))).toBeGreaterThan(0)
    expect(error.headers!.get('retry-after')).toMatch(/^\d+$/)
  })

  test('a stream that breaks: what came before is delivered, then an APIError of the true code', async () => {
    const { client, gateway } = await oneHost()
    const prompt = `${faultMarker({ cutAfterTokens: 3 })} Break`
    const stream = await client.chat.completions.create({ ...ask(prompt), stream: true })
    let text = ''
    const read = async () => {
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
    }
    const error = await errorOf(read())
    expect(text).toBe('w0 w1 w2 ')
    expect(error.code).toBe('upstream_disconnected')
    const [outcome] = await gateway.outcomesOnce(1)
    expect(outcome!.fields).toMatchObject({ status: 200, end: 'UD', tokensOut: 3, usage: 'counted' })
  })
})

test('two choices of which the host finishes one: an error, not an answer', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const frame = (index: number, content: string, reason: string | null) =>
    chunkBytes(`data: ${JSON.stringify({ choices: [{ index, delta: { content }, finish_reason: reason }] })}\n\n`)
  const frames = [frame(0, 'whole', null), frame(0, '', 'stop'), frame(1, 'half', null)]
  host.play(sseHeadBytes(), ...frames, finalChunk)
  const gateway = await gatewayBefore([{ url: host.url, kind: 'openai' }])
  const stream = await clientOf(gateway).chat.completions.create({ ...ask('Twice'), n: 2, stream: true })
  const contents = ['', '']
  const read = async () => {
    for await (const { choices } of stream) {
      for (const { index, delta } of choices) contents[index] += delta.content ?? ''
    }
  }
  expect(await errorOf(read())).toMatchObject({ code: 'upstream_truncated' })
  expect(contents).toEqual(['whole', 'half'])
})

describe("the client's own tries", () => {
  test('a failure that may pass is tried again, and once is enough', async () => {
    const { client, double, gateway } = await oneHost()
    double.faults.next({ internalError: true })
    const answer = await client.chat.completions.create(ask('Hello', 2))
    expect(answer.choices[0]!.message.content).toBe('w0 w1 ')
    expect(double.inferenceRequests).toHaveLength(2)
    expect(gateway.outcomes().map(({ fields }) => fields['status'])).toEqual([502, 200])
  })

  test('x-should-retry: false is obeyed, so that the host is asked once', async () => {
    const { client, double, gateway } = await oneHost({}, { relay: { firstContentMsMax: 150 } })
    double.faults.set({ stallBeforeContent: true })
    const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), stream: true }))
    expect(error).toBeInstanceOf(InternalServerError)
    expect(error).toMatchObject({ status: 504, code: 'upstream_timeout' })
    expect(error.headers!.get('x-should-retry')).toBe('false')
    expect(double.inferenceRequests).toHaveLength(1)
    expect(gateway.outcomes()).toHaveLength(1)
    expect(gateway.outcomes()[0]!.fields['end']).toBe('uF')
  })

  test('the gateway says false of every error that another try cannot mend', async () => {
    const { client } = await oneHost()
    const error = await errorOf(client.chat.completions.create({ ...ask('Hello'), model: 'nobody' }))
    expect(error.headers!.get('x-should-retry')).toBe('false')
  })

  test('a full line: the client waits as long as retry-after-ms says, comes back and is served', async () => {
    const clock = new FakeClock()
    const { client, double, gateway } = await oneHost(
      { clock, cost: { ttftMs: 100 } },
      { host: { slots: 1 }, queue: { lengthMax: 1 } },
    )
    const running = client.chat.completions.create(ask('first', 1))
    await double.waitFor((host) => host.running === 1, 'the first request')
    const waiting = client.chat.completions.create(ask('second', 1))
    await gaugeReaches(gateway, 'queue_depth', 1)
    const hint = await errorOf(client.chat.completions.create(ask('refused'), once))
    expect(hint).toMatchObject({ status: 503, code: 'queue_full' })
    expect(hint.headers!.get('x-should-retry')).toBe('true')
    const hintMs = Number(hint.headers!.get('retry-after-ms'))
    expect(hintMs).toBeGreaterThanOrEqual(800)
    expect(Number(hint.headers!.get('retry-after'))).toBe(Math.ceil(hintMs / 1000))

    const coming = client.chat.completions.create(ask('third', 1)).withResponse()
    await gateway.outcomesOnce(2)
    const refusedAtMs = performance.now()
    await clock.advance(100)
    await within(5_000, 'the first answer', running)
    await double.waitFor((host) => host.inferenceRequests.length === 2, 'the second request')
    await clock.advance(100)
    await within(5_000, 'the second answer', waiting)
    await double.waitFor((host) => host.inferenceRequests.length === 3, 'the request that was refused, again')
    // Refused with the least hint there is, 1 s less 20 %, it cannot have come back sooner.
    expect(performance.now() - refusedAtMs).toBeGreaterThan(700)
    await clock.advance(100)
    const { data } = await within(5_000, 'the third answer', coming)
    expect(data.model).toBe(model)
    expect(gateway.outcomes().map(({ fields }) => fields['error'])).toEqual([
      'queue_full',
      'queue_full',
      null,
      null,
      null,
    ])
    expect(await gateway.metric('queue_rejections_total', { model, reason: 'full' })).toBe(2)
  })
})
