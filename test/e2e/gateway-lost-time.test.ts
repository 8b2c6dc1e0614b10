/** Time that the gateway loses, asleep or with its thread blocked: nobody is declared stalled whose data waits in a socket. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as pauseFor } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { chatBytes, contentFrame, done, finishFrame, model } from '../integration/scenarios/scene.ts'
import { ChaosHost, type Exchange, pause, type ScriptStep, wholeRequest } from '../kit/chaos-host.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'
import { listen } from '../kit/servers.ts'
import { eventually, within } from '../kit/within.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const count = isLong ? 100 : 8
/** Long enough that a busy machine does not lose it by itself. */
const limitMs = 1_500
const blockedMs = isLong ? 5_000 : 2_200
const lostMs = isLong ? 90_000 : 2_800

const frames = ['once', ' upon', ' a time'].map((content) => contentFrame(content))
const ending = finishFrame + done
const whole = frames.join('') + ending

interface Play {
  readonly gateway: GatewayProcess
  readonly host: ChaosHost
  readonly answers: readonly HttpMessage[]
}

async function streams(relay: Record<string, number>): Promise<Play> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  const [first = '', second = '', third = ''] = frames
  const later: ScriptStep[] = [chunkBytes(first), pause, chunkBytes(second), pause, chunkBytes(third + ending)]
  host.playAlways(wholeRequest, sseHeadBytes(), ...later, finalChunk)
  const gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots: count + 1 }],
    relay,
  })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  const answers = await Promise.all(Array.from({ length: count }, () => begun(gateway)))
  return { gateway, host, answers }
}

async function begun(gateway: GatewayProcess): Promise<HttpMessage> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  const answer = await client.response(20_000)
  await answer.has('once', 20_000)
  return answer
}

const stepAll = (exchanges: readonly Exchange[]) => Promise.all(exchanges.map((exchange) => exchange.step()))

async function expectWhole({ gateway, host, answers }: Play): Promise<void> {
  for (const answer of answers) await answer.has(' upon', 20_000)
  await stepAll(host.exchanges)
  for (const answer of answers) {
    await answer.over(20_000)
    expect(answer).toMatchObject({ complete: true, text: whole })
  }
  await gateway.expectAtRest(count)
  expect(new Set(gateway.outcomes.map(({ end }) => end))).toEqual(new Set(['--']))
}

/** Not a wait for a state: what is sent must find the thread busy, and nothing tells of that. */
const inTheBlockMs = 400
const inTheBlock = () => pauseFor(inTheBlockMs)

const gap = { contentGapMsMax: limitMs, firstContentMsMax: limitMs }

test('G17: after a sleep of the machine the streams go on, those whose host slept too included', async () => {
  const play = await streams(gap)
  const [sleeper, ...awake] = play.host.exchanges
  play.gateway.process.signal('SIGSTOP')
  await stepAll(awake)
  await pauseFor(lostMs)
  play.gateway.process.signal('SIGCONT')
  // Their frames show that the gateway has looked at its clocks.
  const goneOn = () => play.answers.filter(({ text }) => text.includes(' upon')).length
  await eventually(20_000, 'the streams whose host was awake', () => goneOn() === awake.length)
  expect((await play.gateway.readiness()).status).toBe(200)
  await sleeper?.step()
  await expectWhole(play)
  // Connections that slept are no trap for the next request.
  const next = await begun(play.gateway)
  const exchange = await play.host.exchange(count)
  await exchange.step()
  await exchange.step()
  await next.over()
  expect(next.text).toBe(whole)
  await play.gateway.expectAtRest(count + 1)
})

test(`G18: the thread blocked for longer than the limit: no stream is declared stalled although its data waits (${count} streams)`, async () => {
  const play = await streams(gap)
  const blocked = play.gateway.trouble({ ask: 'block', ms: blockedMs })
  await inTheBlock()
  await stepAll(play.host.exchanges)
  await blocked
  await expectWhole(play)
})

test('G18: nor is a request that waits for its first content', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, pause, sseHeadBytes(), chunkBytes(whole), finalChunk)
  await using gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: host.url, kind: 'openai' }],
    relay: { firstContentMsMax: limitMs, loadMsMax: 0 },
  })
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  const exchange = await host.exchange()
  const blocked = gateway.trouble({ ask: 'block', ms: blockedMs })
  await inTheBlock()
  await exchange.step()
  await blocked
  const answer = await client.response()
  await answer.over()
  expect(answer.text).toBe(whole)
  await gateway.expectAtRest(1)
})

test('G18: nor is a client whose body waits, or a host whose answer to a probe does', async () => {
  const answers = createServer((request, response) => {
    // Some time, so that the answer comes while the thread is busy.
    const answer = () => response.end(JSON.stringify({ object: 'list', data: [{ id: model }], choices: [] }))
    request.resume().on('end', () => setTimeout(answer, 1.5 * inTheBlockMs))
    response.setHeader('content-type', 'application/json')
  })
  const server = await listen(answers)
  onTestFinished(() => server.close())
  await using gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: server.url, kind: 'openai' }],
    probe: { everyMs: 500, timeoutMs: 1_500, fall: 1 },
    relay: { bodyMsMax: 1_500 },
  })
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  const request = chatBytes({ user: 'u'.repeat(10_000) })
  const probe = once(answers, 'request')
  await within(10_000, 'a probe', probe)
  await client.send(request.subarray(0, 5_000))
  await gateway.sumReaches('queue_bytes', 5_000 - request.indexOf('\r\n\r\n') - 4)
  const blocked = gateway.trouble({ ask: 'block', ms: blockedMs })
  await inTheBlock()
  await client.send(request.subarray(5_000))
  await blocked
  const answer = await client.response()
  await answer.over()
  expect(answer.status).toBe(200)
  expect(gateway.log.filter(({ msg }) => msg === 'host is down')).toEqual([])
  await gateway.expectAtRest(1)
})

test('G18: but a host that stays silent is told off, lost time or not', async () => {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause)
  await using gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: host.url, kind: 'openai' }],
    relay: { contentGapMsMax: 200 },
  })
  const answer = await begun(gateway)
  await gateway.trouble({ ask: 'block', ms: 600 })
  await answer.over()
  expect(answer.text).toContain('upstream_stalled')
  expect((await gateway.outcomesOnce(1))[0]).toMatchObject({ end: 'uD' })
  await gateway.expectAtRest(1)
})
