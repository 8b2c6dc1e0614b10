/** A client that leaves: in every phase its host learns of it, its slot is free, and the log says when it left. */

import type OpenAI from 'openai'
import { APIUserAbortError } from 'openai'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Leaver, Leavers } from '../../src/relay/leavers.ts'
import { ChaosHost, pause } from '../kit/chaos-host.ts'
import { DeafHost } from '../kit/deaf-host.ts'
import { FakeClock } from '../kit/fake-clock.ts'
import { ask, clientOf, expectAtRest, gatewayBefore, gaugeReaches, model, oneHost } from '../kit/fleet.ts'
import type { GatewayUnderTest } from '../kit/gateway-under-test.ts'
import { chunkBytes, finalChunk, jsonRequestBytes, responseBytes, sseHeadBytes } from '../kit/http-bytes.ts'
import { RawClient } from '../kit/raw-client.ts'
import { eventually, within } from '../kit/within.ts'

const forms = [{ stream: false }, { stream: true }]

/** A chat that can be left; `gone` resolves when the client has seen its own leaving. */
function leavable(client: OpenAI, stream: boolean, content = 'I will leave') {
  const controller = new AbortController()
  const answer = client.chat.completions.create({ ...ask(content), stream }, { signal: controller.signal })
  const gone = expect(answer).rejects.toBeInstanceOf(APIUserAbortError)
  return {
    async leave() {
      controller.abort()
      await within(5_000, 'the client to leave', gone)
    },
  }
}

async function expectLeft(gateway: GatewayUnderTest, end: string, fields: Record<string, unknown> = {}) {
  const outcome = (await gateway.outcomesOnce(1))[0]!
  expect(outcome.fields).toMatchObject({ status: 499, end, error: null, ...fields })
  // Within the test and not only at its end: what follows must find a free slot.
  await expectAtRest(gateway)
}

/** In one process all that was written before is read before this resolves. */
const settled = (gateway: GatewayUnderTest) => gateway.metrics()

describe('waiting in line', () => {
  test.each(forms)('the host never hears of it (stream: $stream)', async ({ stream }) => {
    const clock = new FakeClock()
    const { client, double, gateway } = await oneHost({ clock, cost: { ttftMs: 100 } }, { host: { slots: 1 } })
    const running = client.chat.completions.create(ask('first', 1))
    await double.waitFor((host) => host.running === 1, 'the first request')
    const waiting = leavable(client, stream)
    await gaugeReaches(gateway, 'queue_depth', 1)
    await waiting.leave()
    await gaugeReaches(gateway, 'queue_depth', 0)
    expect((await gateway.outcomesOnce(1))[0]!.fields).toMatchObject({ status: 499, end: 'CQ', attempts: 0 })
    expect(await gateway.metric('queue_wait_seconds_count', { model, class: 'default', outcome: 'left' })).toBe(1)

    const next = client.chat.completions.create(ask('next', 1))
    await gaugeReaches(gateway, 'queue_depth', 1)
    await clock.advance(100)
    await within(5_000, 'the first answer', running)
    await double.waitFor((host) => host.inferenceRequests.length === 2, 'the request behind the one who left')
    await clock.advance(100)
    await within(5_000, 'the next answer', next)
    expect(JSON.stringify(double.inferenceRequests.map(({ json }) => json))).not.toContain('I will leave')
  })
})

test('half of a long line leaves at once: the other half is served in its order', async () => {
  const clock = new FakeClock()
  const cost = { ttftMs: 100 }
  const { client, double, gateway } = await oneHost({ clock, cost }, { host: { slots: 1 } })
  const running = client.chat.completions.create(ask('running', 1))
  await double.waitFor((host) => host.running === 1, 'the first request')
  const controller = new AbortController()
  const waiting: Promise<string>[] = []
  for (let index = 0; index < 60; index += 1) {
    const options = index % 2 === 0 ? {} : { signal: controller.signal }
    const answer = client.chat.completions.create(ask(`client ${index}`, 1), options)
    waiting.push(
      answer.then(
        () => 'served',
        (error: unknown) => (error instanceof APIUserAbortError ? 'left' : String(error)),
      ),
    )
    await gaugeReaches(gateway, 'queue_depth', index + 1)
  }
  controller.abort()
  await gaugeReaches(gateway, 'queue_depth', 30)
  for (let served = 1; served <= 31; served += 1) {
    await double.waitFor(({ inferenceRequests }) => inferenceRequests.length === served, `request ${served}`)
    await clock.advance(100)
  }
  await within(5_000, 'the first answer', running)
  const ends = await within(5_000, '60 ends', Promise.all(waiting))
  expect(ends).toEqual(ends.map((_, index) => (index % 2 === 0 ? 'served' : 'left')))
  const asked = double.inferenceRequests.slice(1).map(({ json }) => JSON.stringify(json).match(/client (\d+)/)![1])
  expect(asked).toEqual(Array.from({ length: 30 }, (_, index) => String(index * 2)))
  expect(await gateway.sum('requests_total', { status: '499', end: 'CQ' })).toBe(30)
})

test('who leaves the line is out of it at once, also where thousands have left before', async () => {
  const { client, double, gateway } = await oneHost(
    { clock: new FakeClock(), cost: { ttftMs: 100 } },
    { host: { slots: 1 } },
  )
  const running = leavable(client, true)
  await double.waitFor((host) => host.running === 1, 'the first request')
  const waiting = leavable(client, true)
  await gaugeReaches(gateway, 'queue_depth', 1)
  const left: Leaver[] = []
  const add = vi.spyOn(Leavers.prototype, 'add').mockImplementation((leaver) => void left.push(leaver))
  await waiting.leave()
  await gaugeReaches(gateway, 'queue_depth', 0)
  await running.leave()
  await eventually(5_000, 'both to have left', () => left.length === 2)
  add.mockRestore()
  for (const leaver of left.toReversed()) leaver.clientLeft()
  // The slot that became free was given to nobody.
  expect(await gateway.sum('routing_decisions_total', {})).toBe(1)
  const ends = (await gateway.outcomesOnce(2)).map(({ fields }) => fields['end'])
  expect(ends[1]).toBe('CQ')
  await expectAtRest(gateway)
})

describe('connecting', () => {
  test('nothing is ever sent, not even when the host takes the connection after all', async () => {
    const deaf = await DeafHost.start()
    onTestFinished(() => deaf.close())
    const hosts = [{ name: 'deaf', url: deaf.url, kind: 'openai' as const, slots: 2 }]
    const gateway = await gatewayBefore(hosts, { probe: { everyMs: 60_000 }, relay: { connectMsMax: 10_000 } })
    const client = clientOf(gateway)
    const takenBefore = deaf.connectionsTaken
    await deaf.closeEars()
    const requests = forms.map(({ stream }) => leavable(client, stream))
    await gaugeReaches(gateway, 'host_inflight', 2)
    for (const request of requests) await request.leave()
    const outcomes = await gateway.outcomesOnce(2)
    for (const { fields } of outcomes)
      expect(fields).toMatchObject({ status: 499, end: 'CC', attempts: 1, host: 'deaf' })
    await expectAtRest(gateway)

    deaf.openEars()
    const expected = takenBefore + deaf.fillersConnected + 2
    await eventually(10_000, 'the connections of those who left', () => deaf.connectionsTaken >= expected)
    const answer = await within(5_000, 'an answer after them', client.chat.completions.create(ask('Still there?')))
    expect(answer.choices[0]!.message.content).toBe('Here again.')
    expect(deaf.requests.filter((asked) => asked.startsWith('POST'))).toHaveLength(1)
  })
})

describe('before the host has said anything', () => {
  test.each(forms)('its connection is closed (stream: $stream)', async ({ stream }) => {
    const clock = new FakeClock()
    // LMX goes on computing whole answers that nobody waits for, so their slot is free only some time later.
    const relay = { zombieMsMax: 200 }
    const { client, double, gateway } = await oneHost({ clock }, { host: { slots: 1 }, relay })
    double.faults.set({ delayAllMs: 1_000 })
    const request = leavable(client, stream)
    await double.waitFor((host) => host.inferenceRequests.length === 1, 'the request')
    await settled(gateway)
    await request.leave()
    await double.waitFor((host) => host.inferenceRequests[0]!.clientClosedMs !== null, 'the close of its connection')
    await expectLeft(gateway, 'CH', { attempts: 1, stream })
    double.faults.clear()
    expect((await client.chat.completions.create(ask('Next', 1))).model).toBe(model)
    await clock.advance(1_000)
  })

  test('a whole answer that the host is working on (the path that is easily forgotten)', async () => {
    const clock = new FakeClock()
    const { client, double, gateway } = await oneHost({ clock, cost: { ttftMs: 100 } })
    const request = leavable(client, false)
    await double.waitFor((host) => host.running === 1, 'the request')
    await settled(gateway)
    await request.leave()
    await double.waitFor((host) => host.inferenceRequests[0]!.clientClosedMs !== null, 'the close of its connection')
    // As LMX does, the double works on to the end; nobody is told of it, and its slot stays taken until it says that it is done.
    await gaugeReaches(gateway, 'host_zombie_slots', 1)
    expect(await gateway.sum('host_inflight')).toBe(1)
    await clock.advance(100)
    await double.waitFor((host) => host.running === 0, 'the end of the work')
    await expectLeft(gateway, 'CH', { attempts: 1, stream: false })
  })
})

describe('before the first content', () => {
  test('a stream: the host stops at once', async () => {
    const { client, double, gateway } = await oneHost()
    double.faults.next({ stallBeforeContent: true })
    const request = leavable(client, true)
    await double.waitFor((host) => host.running === 1, 'the request')
    await settled(gateway)
    await request.leave()
    await double.waitFor((host) => host.running === 0, 'the end of the work')
    expect(double.inferenceRequests[0]!.endedBy).toBe('client_closed')
    await expectLeft(gateway, 'CF', { attempts: 1, stream: true, tokensOut: 0 })
  })

  test('a whole answer of which only the head has come', async () => {
    const { client, gateway, host } = await beforeChaos()
    host.play(responseBytes(200, { 'content-type': 'application/json', 'content-length': '100' }, '{'), pause)
    const request = leavable(client, false)
    const exchange = await host.exchange()
    await exchange.paused()
    await settled(gateway)
    await request.leave()
    await exchange.peerLeft()
    await expectLeft(gateway, 'CF', { attempts: 1, stream: false })
    await exchange.step()
  })
})

describe('in the middle of an answer', () => {
  test.each([1, 2, 7])('a stream, after %s tokens: those are what is counted', async (tokens) => {
    const { client, double, gateway } = await oneHost()
    double.faults.next({ stallAfterTokens: tokens })
    const stream = await client.chat.completions.create({ ...ask('I will leave', 50), stream: true })
    let seen = 0
    for await (const chunk of stream) {
      if (chunk.choices[0]?.delta.content) seen += 1
      // Leaving the loop aborts the request, as any program does that has read enough.
      if (seen === tokens) break
    }
    await double.waitFor((host) => host.inferenceRequests[0]!.endedBy !== null, 'the close of its connection')
    expect(double.inferenceRequests[0]!.endedBy).toBe('client_closed')
    expect(double.running).toBe(0)
    await expectLeft(gateway, 'CD', { tokensOut: tokens, usage: 'counted' })
    expect(await gateway.sum('tokens_total', { type: 'output' })).toBe(tokens)
    expect(double.tokensProduced).toBe(tokens)
  })

  test('a sound that is being sent', async () => {
    const { client, gateway, host } = await beforeChaos()
    const half = Buffer.alloc(20_000, 7)
    host.play(responseBytes(200, { 'content-type': 'audio/wav', 'content-length': '40000' }, half), pause)
    const response = await client.audio.speech.create({ model, voice: 'alloy', input: 'Hello' })
    const reader = response.body!.getReader()
    expect((await reader.read()).done).toBe(false)
    await reader.cancel()
    const exchange = await host.exchange()
    await exchange.peerLeft()
    await expectLeft(gateway, 'CD', { stream: false, endpoint: 'speech' })
    await exchange.step()
  })

  test('a reset connection is a client that left, too', async () => {
    const { gateway, host } = await beforeChaos()
    const content = 'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
    host.play(sseHeadBytes(), chunkBytes(content), pause)
    const raw = await RawClient.open(gateway.port)
    await raw.send(jsonRequestBytes('/v1/chat/completions', { ...ask('Hello'), stream: true }))
    await (await raw.response()).has('"content":"a"')
    raw.resetAndDestroy()
    const exchange = await host.exchange()
    await exchange.peerLeft()
    await expectLeft(gateway, 'CD', { tokensOut: 1 })
    await exchange.step()
  })
})

describe('while its request is still on its way', () => {
  test('no host is asked, and its bytes are given back', async () => {
    const { double, gateway } = await oneHost()
    const raw = await RawClient.open(gateway.port)
    const whole = jsonRequestBytes('/v1/chat/completions', ask('x'.repeat(10_000)))
    await raw.send(whole.subarray(0, 6_000))
    await gaugeReaches(gateway, 'queue_bytes', 6_000 - whole.indexOf('\r\n\r\n') - 4)
    raw.close()
    await expectLeft(gateway, 'CR', { attempts: 0 })
    expect(double.inferenceRequests).toEqual([])
  })
})

describe('at the very end', () => {
  test('one outcome and one release each, wherever in the last bytes it leaves', async () => {
    const cost = { decodeTokensPerSecond: 200 }
    const { gateway, double } = await oneHost({ slots: 8, cost }, { host: { slots: 8 } })
    const request = jsonRequestBytes('/v1/chat/completions', { ...ask('Hello', 3), stream: true })
    const measured = await RawClient.open(gateway.port)
    await measured.send(request)
    await (await measured.response()).over()
    measured.close()
    const length = measured.received.length
    const runs = 160
    for (let run = 0; run < runs; run += 8) {
      const left = Array.from({ length: 8 }, (_, index) => leaveAfter(gateway, request, length - (run + index) * 6))
      await within(10_000, 'eight clients that leave', Promise.all(left))
    }
    const outcomes = await gateway.outcomesOnce(runs + 1)
    await expectAtRest(gateway)
    expect(outcomes).toHaveLength(runs + 1)
    const ends = new Set(outcomes.map(({ fields }) => `${String(fields['status'])} ${String(fields['end'])}`))
    // The last bytes may be out, on their way, or yet to come.
    expect([...ends].filter((end) => !['200 --', '499 CD', '499 CL'].includes(end))).toEqual([])
    expect(ends).toContain('499 CD')
    expect(ends).toContain('200 --')
    expect(await gateway.sum('tokens_total', { type: 'output' })).toBeLessThanOrEqual(double.tokensProduced)
  })
})

async function beforeChaos() {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const gateway = await gatewayBefore([{ name: 'chaos', url: host.url, kind: 'openai' }])
  return { host, gateway, client: clientOf(gateway, { maxRetries: 0 }) }
}

/** Sends the request and resets the connection once that many bytes of the answer have come, or all of it. */
async function leaveAfter(gateway: GatewayUnderTest, request: Buffer, bytes: number): Promise<void> {
  const raw = await RawClient.open(gateway.port)
  await raw.send(request)
  const { promise, resolve } = Promise.withResolvers<void>()
  const look = () => {
    if (raw.received.length >= bytes || raw.received.includes(finalChunk)) resolve()
  }
  raw.socket.on('data', look)
  await within(5_000, `${bytes} bytes of an answer`, promise)
  raw.resetAndDestroy()
}
