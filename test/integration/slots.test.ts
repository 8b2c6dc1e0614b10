/** Slots and the line before them: never one too many, first come first served, and bounds that are given back. */

import type OpenAI from 'openai'
import { APIError, APIUserAbortError } from 'openai'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, gatewayBefore, gaugeReaches, model, oneHost, startDouble } from '../kit/fleet.ts'
import { faultMarker } from '../kit/lmx-double/faults.ts'
import type { LmxDouble } from '../kit/lmx-double/lmx-double.ts'
import { within } from '../kit/within.ts'

const once = { maxRetries: 0 }

/** A double whose answers take 100 ms of a time that the test moves. */
async function heldHost(options: { slots?: number; models?: readonly string[] } = {}) {
  const clock = new FakeClock()
  const double = await startDouble({ clock, cost: { ttftMs: 100 }, slots: 8, ...options })
  return { clock, double, finish: () => clock.advance(100) }
}

function chat(client: OpenAI, content: string, name = model) {
  const answer = client.chat.completions.create({ ...ask(content, 1), model: name }, once)
  // A test that fails before it looks at this answer must not be told of it as well.
  answer.catch(() => {})
  return answer
}

async function refusalOf(promise: PromiseLike<unknown>): Promise<APIError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error('it was not refused')
}

function expectRetryHint(error: APIError): void {
  const hintMs = Number(error.headers!.get('retry-after-ms'))
  expect(hintMs).toBeGreaterThan(0)
  expect(hintMs).toBeLessThanOrEqual(60_000)
  expect(error.headers!.get('retry-after')).toBe(String(Math.ceil(hintMs / 1_000)))
  expect(error.headers!.get('x-should-retry')).toBe('true')
}

const contents = (double: LmxDouble) =>
  double.inferenceRequests.map(({ json }) => (json as { messages: { content: string }[] }).messages[0]!.content)

describe('slots', () => {
  test('20 clients before 2 slots: never a third at the host, and the order of the line is kept', async () => {
    const clock = new FakeClock()
    const double = await startDouble({ slots: 2, clock })
    const gateway = await gatewayBefore([{ name: 'studio', url: double.url, slots: 2 }])
    const client = clientOf(gateway)
    // The second ends 10 ms behind the first, and so on, so that one slot becomes free at a time.
    const prompts = Array.from({ length: 20 }, (_, index) => {
      return `${faultMarker({ stallBeforeContent: index === 0 ? 10 : 20 })} client ${index}`
    })
    const answers: PromiseLike<{ model: string }>[] = []
    for (const [index, prompt] of prompts.entries()) {
      answers.push(
        client.chat.completions
          .create({ ...ask(prompt, 1), stream: index % 2 === 0 }, once)
          .asResponse()
          .then(async (response) => {
            await response.text()
            return { model: response.headers.get('x-lmx-gateway-model')! }
          }),
      )
      if (index < 2) await double.waitFor(({ running }) => running === index + 1, `request ${index}`)
      else await gaugeReaches(gateway, 'queue_depth', index - 1)
    }
    expect(await gateway.metric('host_inflight', { host: 'studio' })).toBe(2)
    for (let ended = 1; ended <= 20; ended += 1) {
      await clock.advance(10)
      const arrived = Math.min(20, ended + 2)
      await double.waitFor(
        ({ inferenceRequests, running }) => inferenceRequests.length === arrived && running === Math.min(2, 20 - ended),
        `the end of ${ended} answers and the begin of ${arrived}`,
      )
    }
    await within(5_000, '20 answers', Promise.all(answers))
    expect(contents(double)).toEqual(prompts)
    expect(double.arrivedConcurrentMax).toBe(2)
    expect(double.runningMax).toBe(2)
    expect(await gateway.metric('queue_wait_seconds_count', { model, class: 'default', outcome: 'granted' })).toBe(20)
  })

  test('20 clients at once, in real time: never a third at the host, and all are served', async () => {
    const { client, double, gateway } = await oneHost(
      { slots: 2, cost: { ttftMs: 3, decodeTokensPerSecond: 1_000 } },
      { host: { slots: 2 } },
    )
    const answers = Array.from({ length: 20 }, (_, index) =>
      client.chat.completions.create({ ...ask(`client ${index}`, 5), stream: index % 3 === 0 }, once).asResponse(),
    )
    const responses = await within(15_000, '20 heads', Promise.all(answers))
    await within(15_000, '20 answers', Promise.all(responses.map((response) => response.text())))
    expect(responses.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200))
    expect(double.arrivedConcurrentMax).toBe(2)
    expect(await gateway.sum('requests_total', { status: '200', end: '--' })).toBe(20)
  })

  test('a host that says nothing of its slots gets what is right for its kind', async () => {
    // LMX goes on computing whole answers that nobody waits for.
    const relay = { zombieMsMax: 200 }
    const { gateway, double, client } = await oneHost({ clock: new FakeClock(), cost: { ttftMs: 100 } }, { relay })
    expect(await gateway.metric('host_concurrency_limit', { host: 'studio' })).toBe(2)
    const controller = new AbortController()
    const answers = [1, 2, 3].map((index) =>
      client.chat.completions.create(ask(`client ${index}`), { ...once, signal: controller.signal }),
    )
    const left = Promise.allSettled(answers)
    await gaugeReaches(gateway, 'queue_depth', 1)
    await double.waitFor(({ open }) => open === 2, 'two requests')
    expect(double.arrivedConcurrentMax).toBe(2)
    controller.abort()
    for (const { status } of await within(5_000, 'three clients to leave', left)) expect(status).toBe('rejected')
  })
})

describe('several hosts', () => {
  test('share the load: the one with fewer requests in flight gets the next', async () => {
    const left = await heldHost()
    const right = await heldHost()
    const hosts = [
      { name: 'left', url: left.double.url, slots: 4 },
      { name: 'right', url: right.double.url, slots: 4 },
    ]
    const gateway = await gatewayBefore(hosts, { balancing: { policy: 'least-busy' } })
    const client = clientOf(gateway)
    const answers: Promise<unknown>[] = []
    for (let index = 1; index <= 6; index += 1) {
      answers.push(chat(client, `client ${index}`))
      await gaugeReaches(gateway, 'host_inflight', index)
      const counts = await Promise.all(['left', 'right'].map((host) => gateway.metric('host_inflight', { host })))
      expect(Math.abs(counts[0]! - counts[1]!)).toBe(index % 2)
    }
    await left.double.waitFor(({ running }) => running === 3, 'three requests at the left')
    await right.double.waitFor(({ running }) => running === 3, 'three requests at the right')
    await left.finish()
    await left.double.waitFor(({ running }) => running === 0, 'the answers of the left')
    await gaugeReaches(gateway, 'host_inflight', 3)
    answers.push(chat(client, 'late 1'), chat(client, 'late 2'))
    await left.double.waitFor(({ running }) => running === 2, 'both late requests at the left')
    await left.finish()
    await right.finish()
    await within(5_000, 'eight answers', Promise.all(answers))
    expect(right.double.inferenceRequests).toHaveLength(3)
  })

  test('the line is for all of them: whoever is free first serves whoever is first', async () => {
    const left = await heldHost()
    const right = await heldHost()
    const gateway = await gatewayBefore([
      { name: 'left', url: left.double.url, slots: 1 },
      { name: 'right', url: right.double.url, slots: 1 },
    ])
    const client = clientOf(gateway)
    const running = [chat(client, 'a'), chat(client, 'b')]
    await left.double.waitFor((double) => double.running === 1, 'a request at the left')
    await right.double.waitFor((double) => double.running === 1, 'a request at the right')
    const first = chat(client, 'first')
    await gaugeReaches(gateway, 'queue_depth', 1)
    const second = chat(client, 'second')
    await gaugeReaches(gateway, 'queue_depth', 2)
    await right.finish()
    await right.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the first of the line')
    expect(contents(right.double)[1]).toBe('first')
    await left.finish()
    await left.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the second of the line')
    await left.finish()
    await right.finish()
    await within(5_000, 'four answers', Promise.all([...running, first, second]))
    expect(contents(left.double)[1]).toBe('second')
  })

  test('one who waits for a model blocks nobody who waits for another', async () => {
    const left = await heldHost({ models: ['org/a'] })
    const right = await heldHost({ models: ['org/b'] })
    const gateway = await gatewayBefore([
      { name: 'left', url: left.double.url, slots: 1 },
      { name: 'right', url: right.double.url, slots: 1 },
    ])
    const client = clientOf(gateway)
    const running = [chat(client, 'a running', 'org/a'), chat(client, 'b running', 'org/b')]
    await gaugeReaches(gateway, 'host_inflight', 2)
    const waitingA = [chat(client, 'a 1', 'org/a'), chat(client, 'a 2', 'org/a')]
    await gaugeReaches(gateway, 'queue_depth', 2, { model: 'org/a' })
    const waitingB = chat(client, 'b 1', 'org/b')
    await gaugeReaches(gateway, 'queue_depth', 1, { model: 'org/b' })
    await right.double.waitFor((double) => double.running === 1, 'the running b')
    await right.finish()
    await right.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 2, 'the b that waited')
    await right.finish()
    await within(5_000, 'the b that waited', waitingB)
    expect(await gateway.sum('queue_depth', { model: 'org/a' })).toBe(2)
    for (let served = 1; served <= 3; served += 1) {
      await left.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `a ${served}`)
      await left.finish()
    }
    await within(5_000, 'all the others', Promise.all([...running, ...waitingA]))
    expect(contents(left.double)).toEqual(['a running', 'a 1', 'a 2'])
  })
})

describe('bounds of the line', () => {
  async function fullLine(config: Parameters<typeof oneHost>[1]) {
    const clock = new FakeClock()
    const fleet = await oneHost({ clock, cost: { ttftMs: 100 } }, { host: { slots: 1 }, ...config })
    const running = chat(fleet.client, 'running')
    await fleet.double.waitFor((double) => double.running === 1, 'the running request')
    return { ...fleet, running, finish: () => clock.advance(100) }
  }

  /** Lets all go that run or wait, one after the other. */
  async function serveAll(fleet: { double: LmxDouble; finish: () => Promise<void> }, requests: number) {
    for (let served = 1; served <= requests; served += 1) {
      await fleet.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `request ${served}`)
      await fleet.finish()
    }
  }

  test('length: the last place is given, one more is 503 queue_full with a hint', async () => {
    const fleet = await fullLine({ queue: { lengthMax: 2 } })
    const waiting = [chat(fleet.client, 'first'), chat(fleet.client, 'second')]
    await gaugeReaches(fleet.gateway, 'queue_depth', 2)
    const refusal = await refusalOf(chat(fleet.client, 'one too many'))
    expect(refusal).toMatchObject({ status: 503, code: 'queue_full', type: 'overloaded_error' })
    expectRetryHint(refusal)
    expect((await fleet.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 503, end: 'RQ', attempts: 0 })
    expect(await fleet.gateway.metric('queue_rejections_total', { model, reason: 'full' })).toBe(1)
    await serveAll(fleet, 3)
    await within(5_000, 'the others', Promise.all([fleet.running, ...waiting]))
  })

  test('patience: 503 queue_timeout with a hint, and the place is free again', async () => {
    const fleet = await fullLine({ queue: { lengthMax: 1, waitMsMax: 100 } })
    const refusal = await refusalOf(chat(fleet.client, 'impatient'))
    expect(refusal).toMatchObject({ status: 503, code: 'queue_timeout', type: 'overloaded_error' })
    expectRetryHint(refusal)
    expect((await fleet.gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 503, end: 'RQ' })
    expect(await fleet.gateway.metric('queue_rejections_total', { model, reason: 'timeout' })).toBe(1)
    expect(
      await fleet.gateway.metric('queue_wait_seconds_count', { model, class: 'default', outcome: 'timeout' }),
    ).toBe(1)
    expect(await fleet.gateway.sum('queue_depth')).toBe(0)
    expect((await refusalOf(chat(fleet.client, 'impatient too'))).code).toBe('queue_timeout')
    await serveAll(fleet, 1)
    await within(5_000, 'the running one', fleet.running)
    expect(fleet.double.inferenceRequests).toHaveLength(1)
  })

  test('one who leaves makes room for the next', async () => {
    const fleet = await fullLine({ queue: { lengthMax: 1 } })
    const controller = new AbortController()
    const leaving = fleet.client.chat.completions.create(ask('leaving'), { ...once, signal: controller.signal })
    const gone = expect(leaving).rejects.toBeInstanceOf(APIUserAbortError)
    await gaugeReaches(fleet.gateway, 'queue_depth', 1)
    expect((await refusalOf(chat(fleet.client, 'too early'))).code).toBe('queue_full')
    controller.abort()
    await within(5_000, 'the client to leave', gone)
    await gaugeReaches(fleet.gateway, 'queue_depth', 0)
    const staying = chat(fleet.client, 'staying')
    await gaugeReaches(fleet.gateway, 'queue_depth', 1)
    await serveAll(fleet, 2)
    await within(5_000, 'the others', Promise.all([fleet.running, staying]))
    expect(contents(fleet.double)).toEqual(['running', 'staying'])
  })

  test("bytes: a client's bodies that fit its third are held, one more is 429 with a hint, and what was held is given back", async () => {
    const body = (letter: string) => letter.repeat(3_000)
    const fleet = await fullLine({ queue: { bytesMax: 21_000 } })
    const waiting = [chat(fleet.client, body('a')), chat(fleet.client, body('b'))]
    await gaugeReaches(fleet.gateway, 'queue_depth', 2)
    const held = await fleet.gateway.sum('queue_bytes')
    expect(held).toBeGreaterThan(6_000)
    expect(held).toBeLessThanOrEqual(7_000)
    const refusal = await refusalOf(chat(fleet.client, body('c')))
    expect(refusal).toMatchObject({ status: 429, code: 'concurrency_limit_exceeded' })
    expectRetryHint(refusal)
    expect(await fleet.gateway.sum('queue_bytes')).toBe(held)
    await serveAll(fleet, 3)
    await within(5_000, 'the others', Promise.all([fleet.running, ...waiting]))
    await gaugeReaches(fleet.gateway, 'queue_bytes', 0)
    const again = chat(fleet.client, body('c'))
    await fleet.double.waitFor(({ inferenceRequests }) => inferenceRequests.length === 4, 'the one who was refused')
    await fleet.finish()
    expect((await within(5_000, 'its answer', again)).model).toBe(model)
  })

  test('bytes: a refusal is counted as such', async () => {
    const { client, gateway } = await oneHost({}, { queue: { bytesMax: 1_000 } })
    expect((await refusalOf(chat(client, 'a'.repeat(3_000)))).code).toBe('concurrency_limit_exceeded')
    expect(await gateway.sum('queue_rejections_total', { reason: 'bytes' })).toBe(1)
  })
})
