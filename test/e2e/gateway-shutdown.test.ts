/** The end of the process: by one signal, by a second one, and when the time for draining is over. */

import { setTimeout as pauseFor } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { chatBytes, contentFrame, done, errorOf, finishFrame, model } from '../integration/scenarios/scene.ts'
import { ChaosHost, pause, wholeRequest } from '../kit/chaos-host.ts'
import type { ConfigInput } from '../kit/config-of.ts'
import { GatewayProcess } from '../kit/gateway-process.ts'
import { chunkBytes, finalChunk, sseHeadBytes } from '../kit/http-bytes.ts'
import type { HttpMessage } from '../kit/http-message.ts'
import { RawClient } from '../kit/raw-client.ts'

const isLong = process.env['TEST_LONG'] === 'true'
const ended = { code: 0, signal: null }
/** Longer than the gap within which two signals are one press of a key. */
const anotherPressMs = 1_100
const beginning = contentFrame('once') + contentFrame(' upon')
const rest = contentFrame(' a time') + finishFrame + done

interface Stage {
  readonly host: ChaosHost
  readonly gateway: GatewayProcess
}

/** A host whose streams stand still after two tokens until the test lets them go on. */
async function stage(slots: number, server: NonNullable<ConfigInput['server']> = {}): Promise<Stage> {
  const host = await ChaosHost.start({ models: [model] })
  onTestFinished(() => host.close())
  host.playAlways(wholeRequest, sseHeadBytes(), chunkBytes(beginning), pause, chunkBytes(rest), finalChunk)
  const gateway = await GatewayProcess.start({
    hosts: [{ name: 'a', url: host.url, kind: 'openai', slots }],
    server,
  })
  onTestFinished(() => gateway[Symbol.asyncDispose]())
  return { host, gateway }
}

async function ask({ gateway }: Stage): Promise<RawClient> {
  const client = await RawClient.open(gateway.port)
  onTestFinished(() => client.close())
  await client.send(chatBytes({ stream: true }))
  return client
}

/** A stream that has begun. */
async function stream(on: Stage): Promise<HttpMessage> {
  const answer = await (await ask(on)).response(20_000)
  await answer.has(' upon', 20_000)
  return answer
}

const streams = (on: Stage, count: number) => Promise.all(Array.from({ length: count }, () => stream(on)))

function expectBroken(answer: HttpMessage): void {
  expect(errorOf(answer)).toMatchObject({ code: 'gateway_shutting_down', type: 'overloaded_error' })
  expect(answer.text.startsWith(beginning)).toBe(true)
  expect(answer.text).not.toContain('[DONE]')
  expect(answer.complete).toBe(false)
}

const endsOf = ({ gateway }: Stage): string[] => gateway.outcomes.map(({ end }) => String(end))

const streamCount = isLong ? 50 : 12

test(`G01: SIGTERM: ${streamCount} open streams end whole while newcomers are refused, and the exit code is 0`, async () => {
  const on = await stage(streamCount)
  const answers = await streams(on, streamCount)
  on.gateway.process.signal('SIGTERM')
  await on.gateway.process.said(/Stopping/)
  expect(await on.gateway.readiness()).toMatchObject({ status: 503, reason: 'the gateway is stopping' })
  const newcomer = await (await ask(on)).response()
  await newcomer.over()
  expect(newcomer.status).toBe(503)
  expect(errorOf(newcomer).code).toBe('gateway_shutting_down')
  for (const exchange of on.host.exchanges) await exchange.step()
  for (const answer of answers) {
    await answer.over(20_000)
    expect(answer).toMatchObject({ complete: true, text: beginning + rest })
  }
  expect(await on.gateway.process.end()).toEqual(ended)
  on.gateway.expectSound(streamCount + 1)
  expect(endsOf(on).toSorted((a, b) => a.localeCompare(b))).toEqual([...answers.map(() => '--'), 'AR'])
  await expect(fetch(on.gateway.url)).rejects.toThrow()
})

test('G01: SIGHUP to a gateway without a terminal takes the configuration anew, and SIGTERM still ends it: an open stream ends whole', async () => {
  const on = await stage(1)
  const answer = await stream(on)
  on.gateway.process.signal('SIGHUP')
  await on.gateway.process.logged(/configuration read again/)
  on.gateway.process.signal('SIGTERM')
  await on.gateway.process.said(/Stopping/)
  await on.host.exchanges[0]?.step()
  await answer.over(20_000)
  expect(answer).toMatchObject({ complete: true, text: beginning + rest })
  expect(await on.gateway.process.end()).toEqual(ended)
  on.gateway.expectSound(1)
})

test('G02: what still runs when the drain is over ends with an error frame and a line that counts its tokens', async () => {
  const on = await stage(8, { drainMsMax: 300 })
  const answers = await streams(on, 4)
  on.gateway.process.signal('SIGTERM')
  expect(await on.gateway.process.end()).toEqual(ended)
  for (const answer of answers) expectBroken(answer)
  on.gateway.expectSound(4)
  for (const line of on.gateway.outcomes) expect(line).toMatchObject({ end: 'AD', status: 200, tokensOut: 2 })
  for (const exchange of on.host.exchanges) expect(await exchange.peerLeft()).toBeDefined()
})

test('G02: a client that reads nothing does not hold up the end', async () => {
  const on = await stage(8, { drainMsMax: 300 })
  const flood = contentFrame('x'.repeat(60_000)).repeat(200)
  on.host.play(wholeRequest, sseHeadBytes(), chunkBytes(contentFrame('once')), pause, chunkBytes(flood), pause)
  const client = await ask(on)
  await (await client.response()).has('once')
  client.socket.pause()
  await (await on.host.exchange()).step()
  const other = await stream(on)
  on.gateway.process.signal('SIGTERM')
  expect(await on.gateway.process.end()).toEqual(ended)
  expectBroken(other)
  on.gateway.expectSound(2)
})

test('G03: a second signal ends what runs, honestly; one within a second is the same press of a key', async () => {
  const on = await stage(8)
  const answers = await streams(on, 3)
  on.gateway.process.signal('SIGINT')
  on.gateway.process.signal('SIGTERM')
  await on.gateway.process.said(/Stopping/)
  await on.host.exchanges[0]?.step()
  await answers[0]?.over()
  expect(answers[0]).toMatchObject({ complete: true, text: beginning + rest })
  await pauseFor(anotherPressMs)
  // The drain would take a minute.
  on.gateway.process.signal('SIGTERM')
  expect(await on.gateway.process.end()).toEqual(ended)
  for (const answer of answers.slice(1)) expectBroken(answer)
  on.gateway.expectSound(3)
  expect(on.gateway.outcomes.map(({ end, tokensOut }) => `${String(end)} ${String(tokensOut)}`)).toEqual([
    '-- 3',
    'AD 2',
    'AD 2',
  ])
})

const waitingCount = isLong ? 500 : 40

test(`G04: SIGTERM with ${waitingCount} in line: served while the drain lasts, then 503 that says when to come again`, async () => {
  const on = await stage(1)
  const first = await stream(on)
  const waiting: RawClient[] = []
  for (let index = 0; index < waitingCount; index += 1) waiting.push(await ask(on))
  await on.gateway.sumReaches('queue_depth', waitingCount)
  on.gateway.process.signal('SIGTERM')
  await on.gateway.process.said(/Stopping/)
  await on.host.exchanges[0]?.step()
  await first.over()
  const next = await on.host.exchange(1)
  await next.paused()
  await pauseFor(anotherPressMs)
  on.gateway.process.signal('SIGTERM')
  expect(await on.gateway.process.end()).toEqual(ended)
  const refused: HttpMessage[] = []
  for (const client of waiting) {
    const answer = await client.response()
    await answer.over()
    if (answer.status === 503) refused.push(answer)
    else expectBroken(answer)
  }
  expect(refused).toHaveLength(waitingCount - 1)
  for (const answer of refused) {
    expect(errorOf(answer).code).toBe('gateway_shutting_down')
    expect(answer.header('x-should-retry')).toBe('true')
    expect(Number(answer.header('retry-after'))).toBeGreaterThan(0)
  }
  // They would come back together otherwise.
  expect(new Set(refused.map((answer) => answer.header('retry-after-ms'))).size).toBeGreaterThan(waitingCount / 4)
  on.gateway.expectSound(waitingCount + 1)
  const ends = endsOf(on).toSorted((a, b) => a.localeCompare(b))
  expect(ends).toEqual(['--', 'AD', ...refused.map(() => 'AQ')])
  expect(on.host.exchanges).toHaveLength(2)
})
